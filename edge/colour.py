"""Colour of plant cells: vegetation indices and hue, of uncalibrated BGR."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import GRID_STRIDE_PX


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """Colour measures of n cells, float32 [n] each.

    A black cell has no chromatic coordinates and a grey cell has no hue: their weights are 0.

    Attributes:
        excess_green: 2g - r - b of chromatic coordinates (Woebbecke et al. 1995).
        green_leaf_index: (2G - R - B) / (2G + R + B) (Louhaichi et al. 2001).
        chromatic: 1, or 0 where the two are not defined.
        hue_x, hue_y: the HSV hue as a unit vector, or 0 where it is not defined.
    """

    excess_green: NDArray[np.float32]
    green_leaf_index: NDArray[np.float32]
    chromatic: NDArray[np.float32]
    hue_x: NDArray[np.float32]
    hue_y: NDArray[np.float32]


def colours(image: NDArray[np.uint8], cells: NDArray[np.bool_]) -> Colours:
    """Measure the chosen ``cells``, bool [h, w], of a fitted picture, uint8 [1, 4h, 4w, 3]; each is averaged first."""
    bgr = _averaged(image[0])[cells].astype(np.float32)
    blue, green, red = bgr[:, 0], bgr[:, 1], bgr[:, 2]
    excess = 2 * green - red - blue
    total = red + green + blue
    hue, chroma = _hue(bgr)
    return Colours(
        excess_green=excess / np.maximum(total, 1),
        green_leaf_index=excess / np.maximum(total + green, 1),
        chromatic=(total > 0).astype(np.float32),
        hue_x=np.cos(hue) * chroma,
        hue_y=np.sin(hue) * chroma,
    )


def _averaged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean over each cell: halving twice is three times as fast as averaging 4x4."""
    for _ in range(GRID_STRIDE_PX // 2):
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return image


def _hue(bgr: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hue in radians, and 1 where there is one, else 0."""
    if not len(bgr):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    hsv = cv2.cvtColor(bgr[None], cv2.COLOR_BGR2HSV)[0]
    return np.deg2rad(hsv[:, 0]), (hsv[:, 1] > 0).astype(np.float32)
