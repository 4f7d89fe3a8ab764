"""What statistics of a camera do in years without drift: sun, weather and growth, none of them independent.

Sun by latitude and season; clouds that follow the hour and the day before; a crop that grows along a logistic curve
and is planted anew every ``cycle_days``; and, for each statistic, noise of its own with a slow part. Each statistic
hangs on light and growth by a random amount.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST_HOUR, HOURS = 6, 12
LATITUDE = 50.0
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
    """Years of as many cameras."""
    rng = np.random.default_rng(seed)
    height = _sun(days)
    clear = 1 / (
        1 + np.exp(-(1.5 * _following(rng, (cameras, days), 0.75)[:, :, None] + 1.2 * _hours(rng, cameras, days)))
    )
    light = np.log(height * (0.15 + 0.85 * clear))
    age = (np.arange(days) + rng.integers(0, cycle_days, (cameras, 1))) % cycle_days
    size = 1 / (1 + np.exp(-(age - 35) / 9.0))
    by_light, by_size = rng.normal(size=(2, cameras, 1, 1, statistics)) * 0.5
    spread = rng.uniform(0.05, 0.3, (cameras, 1, 1, statistics))
    slow = np.moveaxis(_following(rng, (cameras, statistics, days), 0.8), 1, 2)
    own = rng.normal(size=(cameras, days, HOURS, statistics)) + slow[:, :, None]
    values = by_light * light[..., None] / 1.2 + 2 * by_size * size[:, :, None, None] + spread * own
    return CameraYears(np.where((height > LIT)[None, :, :, None], values, np.nan), age == 0)


def _sun(days: int) -> NDArray[np.float64]:
    """Sine of the sun's height, [days, HOURS], never quite 0."""
    declination = np.radians(23.4) * np.sin(2 * np.pi * (np.arange(days) - 80) / 365)[:, None]
    latitude, angle = np.radians(LATITUDE), np.radians((np.arange(HOURS) + FIRST_HOUR + 0.5 - 12) * 15)
    return np.maximum(
        np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle), 0.02
    )


def _hours(rng: np.random.Generator, cameras: int, days: int) -> NDArray[np.float64]:
    return _following(rng, (cameras, days * HOURS), 0.7).reshape(cameras, days, HOURS)


def _following(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> NDArray[np.float64]:
    """Standard normal values along the last axis, each of which remembers the one before."""
    fresh = rng.normal(size=shape)
    for index in range(1, shape[-1]):
        fresh[..., index] = memory * fresh[..., index - 1] + np.sqrt(1 - memory**2) * fresh[..., index]
    return fresh
