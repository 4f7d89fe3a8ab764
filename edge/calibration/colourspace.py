"""Colours as numbers: sRGB (IEC 61966-2-1), CIELAB under D50, and their difference CIEDE2000."""

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]
"""Float64 [..., 3]."""

WHITE_D50 = np.array([0.96422, 1.0, 0.82521])
SRGB_TO_XYZ_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""Linear sRGB → XYZ, adapted from D65 to D50 by Bradford's transform (Lindbloom's matrix)."""

XYZ_D50_TO_SRGB = np.linalg.inv(SRGB_TO_XYZ_D50)


def linear(encoded: NDArray[np.floating] | NDArray[np.uint8]) -> Colours:
    """Light in 0…1 of sRGB values in 0…255."""
    value = np.asarray(encoded, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encoded(light: Colours) -> Colours:
    """The sRGB values in 0…255 of light in 0…1; what lies outside is cut off."""
    value = np.clip(light, 0, 1)
    return 255 * np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)


def to_lab(light: Colours) -> Colours:
    """Linear sRGB → L*, a*, b* under D50."""
    ratio = np.maximum(light @ SRGB_TO_XYZ_D50.T, 0) / WHITE_D50
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def from_lab(lab: Colours) -> Colours:
    """L*, a*, b* under D50 → linear sRGB; may leave 0…1, as cyan does."""
    lightness, a, b = np.moveaxis(lab, -1, 0)
    y = (lightness + 16) / 116
    root = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    ratio = np.where(root > 6 / 29, root**3, 3 * (6 / 29) ** 2 * (root - 4 / 29))
    return np.asarray((ratio * WHITE_D50) @ XYZ_D50_TO_SRGB.T, np.float64)


def ciede2000(one: Colours, other: Colours) -> NDArray[np.float64]:
    """Difference of colours in CIELAB (Sharma, Wu & Dalal 2005), weights of 1."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, stretch * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    hue = np.where(grey, h1 + h2, np.where(np.abs(h1 - h2) <= 180, h1 + h2, h1 + h2 + 360) / 2) % 360
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    tone = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    d_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    d_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * tone)
    spin = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(spin)
    return np.asarray(np.sqrt(d_light**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue), np.float64)
