"""What statistics of a camera do in years without drift: sun, weather and growth, none of them independent.

Sun by latitude and season; clouds that follow the hour and the day before; a crop that grows along a logistic curve
and is planted anew every ``cycle_days``; and, for each statistic, noise of its own with a slow part. Each statistic
hangs on light and growth by a random amount. The last one is no such mixture: how much brightness jumps between the
pictures of an hour, in stops, as clouds pass and as far as the light is the sun's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST_HOUR, HOURS = 6, 12
LATITUDE = 50.0
PICTURES = 6
CLOUDS_REMEMBERED = 0.7
"""From one hour to the next."""

CLOUDS = 1.2
LIT = 0.05
"""Sine of the sun's height from which a picture is good enough to measure."""


@dataclass(frozen=True, eq=False)
class CameraYears:
    """``values`` float64 [cameras, days, HOURS, statistics], NaN by night; ``planted`` bool [cameras, days]."""

    values: NDArray[np.float64]
    planted: NDArray[np.bool_]


def camera_years(
    cameras: int, seed: int, *, days: int = 365, statistics: int = 14, cycle_days: int = 90
) -> CameraYears:
    """Years of as many cameras, of so many statistics and the jumps of brightness."""
    rng = np.random.default_rng(seed)
    height = _sun(days)
    weather = 1.5 * _following(rng, (cameras, days), 0.75)[:, :, None] + CLOUDS * _hours(rng, cameras, days)
    clear = 1 / (1 + np.exp(-weather))
    light = np.log(height * (0.15 + 0.85 * clear))
    age = (np.arange(days) + rng.integers(0, cycle_days, (cameras, 1))) % cycle_days
    size = 1 / (1 + np.exp(-(age - 35) / 9.0))
    by_light, by_size = rng.normal(size=(2, cameras, 1, 1, statistics)) * 0.5
    spread = rng.uniform(0.05, 0.3, (cameras, 1, 1, statistics))
    slow = np.moveaxis(_following(rng, (cameras, statistics, days), 0.8), 1, 2)
    own = rng.normal(size=(cameras, days, HOURS, statistics)) + slow[:, :, None]
    values = by_light * light[..., None] / 1.2 + 2 * by_size * size[:, :, None, None] + spread * own
    jumps = _jumps(np.random.default_rng((seed, 1)), clear)
    values = np.concatenate([values, jumps[..., None]], axis=3)
    return CameraYears(np.where((height > LIT)[None, :, :, None], values, np.nan), age == 0)


def _jumps(rng: np.random.Generator, clear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle one of an hour, [cameras, days, HOURS]; lamps give a part of the light that no cloud touches."""
    suns_share = rng.uniform(0.1, 1.0, (len(clear), 1, 1))
    step = CLOUDS * np.sqrt(2 * (1 - CLOUDS_REMEMBERED ** (1 / PICTURES)))
    passing, noisy = np.median(np.abs(rng.normal(size=(2, PICTURES, *clear.shape))), axis=1)
    by_cloud = 0.85 * clear * (1 - clear) / (0.15 + 0.85 * clear)
    return np.asarray((suns_share * by_cloud * step * passing + 0.014 * noisy) / np.log(2))


def _sun(days: int) -> NDArray[np.float64]:
    """Sine of the sun's height, [days, HOURS], never quite 0."""
    declination = np.radians(23.4) * np.sin(2 * np.pi * (np.arange(days) - 80) / 365)[:, None]
    latitude, angle = np.radians(LATITUDE), np.radians((np.arange(HOURS) + FIRST_HOUR + 0.5 - 12) * 15)
    return np.maximum(
        np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle), 0.02
    )


def _hours(rng: np.random.Generator, cameras: int, days: int) -> NDArray[np.float64]:
    return _following(rng, (cameras, days * HOURS), CLOUDS_REMEMBERED).reshape(cameras, days, HOURS)


def _following(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> NDArray[np.float64]:
    """Standard normal values along the last axis, each of which remembers the one before."""
    fresh = rng.normal(size=shape)
    for index in range(1, shape[-1]):
        fresh[..., index] = memory * fresh[..., index - 1] + np.sqrt(1 - memory**2) * fresh[..., index]
    return fresh
