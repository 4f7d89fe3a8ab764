"""Traits of colour, of uncalibrated BGR: each a function of a region. Those of hue are PlantCV's ``analyze.color``."""

import math
from collections.abc import Callable

import numpy as np

from edge.contract import traits as vocabulary
from edge.region import HUE_BINS, Estimate, Region

LEAST_DIRECTION = 1e-3
"""Hues that cancel out to a mean vector shorter than this have no mean."""

DISTRIBUTION_BINS = 36
"""Bins of 10 degrees, of five of PlantCV's each: narrow enough to tell yellow from green, 200 bytes on the wire."""

SYMPTOMATIC = slice(5, 32), slice(1, None)
"""Yellow and brown: bins of hue from 10 to under 64 degrees, of saturation from a fifth."""

_ANGLES = np.arange(HUE_BINS) * (2 * np.pi / HUE_BINS)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), np.ones(HUE_BINS)])[:, 1:]


def excess_green(region: Region) -> Estimate | None:
    """2g - r - b of the mean colour, chromatic coordinates (Woebbecke et al. 1995)."""
    blue, green, red = region.mean_bgr
    return _ratio(2 * green - red - blue, red + green + blue)


def green_leaf_index(region: Region) -> Estimate | None:
    """(2G - R - B) / (2G + R + B) of the mean colour (Louhaichi et al. 2001)."""
    blue, green, red = region.mean_bgr
    return _ratio(2 * green - red - blue, 2 * green + red + blue)


def greenness(region: Region) -> Estimate | None:
    """G / (R + G + B) of the mean colour."""
    blue, green, red = region.mean_bgr
    return _ratio(green, red + green + blue)


def hue(region: Region) -> Estimate | None:
    """Circular mean in degrees; pixels of hue 0, most of them grey, are left out."""
    x, y = _direction(region)
    return Estimate(math.degrees(math.atan2(y, x)) % 360) if math.hypot(x, y) > LEAST_DIRECTION else None


def hue_circular_std(region: Region) -> Estimate | None:
    """Circular standard deviation in degrees: sqrt(-2 ln R) of the mean vector's length R (Mardia 1972)."""
    length = min(math.hypot(*_direction(region)), 1.0)
    return Estimate(math.degrees(math.sqrt(-2 * math.log(length)))) if length > LEAST_DIRECTION else None


def hue_median(region: Region) -> Estimate | None:
    """Median in degrees, of hues as numbers from 2 to 358; between two steps if it falls there."""
    below = np.cumsum(region.hue[1:])
    count = int(below[-1])
    if not count:
        return None
    lower, upper = np.searchsorted(below, [(count - 1) // 2 + 1, count // 2 + 1])
    return Estimate(float(lower + upper + 2))


def hue_distribution(region: Region) -> Estimate | None:
    """Shares of the pixels in bins of 10 degrees; the value is the middle of the fullest."""
    bins = region.hue.reshape(DISTRIBUTION_BINS, -1).sum(axis=1)
    if not region.hue[1:].any():
        return None
    width = 360 / DISTRIBUTION_BINS
    shares = tuple(np.round(bins / region.area, 4).tolist())
    return Estimate((int(np.argmax(bins)) + 0.5) * width, None, shares)


def symptomatic_share(region: Region) -> Estimate:
    """Share of the pixels that are yellow or brown."""
    return Estimate(float(region.hues[SYMPTOMATIC].sum()) / region.area)


def _direction(region: Region) -> tuple[float, float]:
    """Mean of the hues as unit vectors; (0, 0) where none is defined."""
    coloured = region.hue[1:]
    x, y, count = (_DIRECTIONS @ coloured).tolist()
    return x / max(count, 1), y / max(count, 1)


def _ratio(share: float, whole: float) -> Estimate | None:
    return Estimate(share / whole) if whole else None


COLOUR: dict[str, Callable[[Region], Estimate | None]] = {
    vocabulary.EXCESS_GREEN.name: excess_green,
    vocabulary.GREEN_LEAF_INDEX.name: green_leaf_index,
    vocabulary.GREENNESS.name: greenness,
    vocabulary.HUE.name: hue,
    vocabulary.HUE_SPREAD.name: hue_circular_std,
    vocabulary.HUE_MEDIAN.name: hue_median,
    vocabulary.HUE_DISTRIBUTION.name: hue_distribution,
    vocabulary.SYMPTOMATIC_SHARE.name: symptomatic_share,
}
"""Trait → how it is measured; ``None`` where black or grey pixels do not define it."""
