"""The plant mask on the fitted picture's pixels: the network says in which cells a plant is, the colour where it ends.

Fast guided filter (He, Sun & Tang 2013; He & Sun 2015): in a window around each cell the mask is fitted as a linear
function of the picture, here of its excess of green. The fit is made on the graph's grid, where it costs next to
nothing; what goes to the pixels is the excess of green at which the function passes one half. No colour is taken for
plant: the fit finds out in each window what tells plant from ground, yellow leaves on moss too. Where nothing does, the
cell decides.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import GRID_STRIDE_PX, Placement

WINDOW_CELLS = 5
"""Side of the window: wide enough that it holds ground beside a leaf, narrow enough that one light falls on it."""

NOISE_LEVELS2 = 2.5
"""Variance of the excess of green that is noise of the camera; windows of less contrast are smoothed."""

LEAST_EXPLAINED = 0.15
"""The colour must explain this share of the mask's variance (R²) in a window, or the cells' edges stay as they are."""

NEUTRAL = 64
"""Excess of green of grey; soil and wood have less of it, leaves up to 120 more."""

PLANT = 255
"""Value of plant in a mask."""

Plane = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def refine(image: Bytes, plant: NDArray[np.bool_], placement: Placement) -> Bytes:
    """Draw the plant cells on pixels.

    Args:
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        plant: the plant cells, bool [h, w]; none in the padding.
        placement: where the picture lies.

    Returns:
        uint8 [H, W], ``PLANT`` or 0. A pixel can become plant, or cease to be it, in a plant cell and in those around.
    """
    mask = np.zeros(image.shape[1:3], np.uint8)
    if plant.any():
        rows, columns = around(plant.view(np.uint8), WINDOW_CELLS // 2 + 1)
        box = pixels_of(rows), pixels_of(columns)
        mask[box] = _drawn(_excess_green(image[0][box]), plant[rows, columns].view(np.uint8))
        for before in (mask[: placement.region[0].start], mask[:, : placement.region[1].start]):
            before[:] = 0
        for after in (mask[placement.region[0].stop :], mask[:, placement.region[1].stop :]):
            after[:] = 0
    return mask


def around(cells: Bytes, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the grid with all cells that are set and ``margin`` more on each side, where there are."""
    left, top, width, height = cv2.boundingRect(cells)
    rows = slice(max(top - margin, 0), min(top + height + margin, cells.shape[0]))
    return rows, slice(max(left - margin, 0), min(left + width + margin, cells.shape[1]))


def pixels_of(cells: slice) -> slice:
    """Pixels that a run of cells covers."""
    return slice(cells.start * GRID_STRIDE_PX, cells.stop * GRID_STRIDE_PX)


def on_pixels(cells: Bytes) -> Bytes:
    """Each cell's byte on all of its pixels, uint8 [h, w] → [4h, 4w]: a word is four times the byte."""
    words = np.ascontiguousarray(cells).astype(np.uint32) * np.uint32(0x01010101)
    return np.repeat(words.view(np.uint8), GRID_STRIDE_PX, axis=0)


def _excess_green(pixels: Bytes) -> Bytes:
    """Green less the mean of red and blue, from ``NEUTRAL``, uint8 [H, W]."""
    blue, green, red = cv2.split(pixels)
    cv2.addWeighted(blue, 0.5, red, 0.5, 0, dst=blue)
    return np.asarray(cv2.addWeighted(green, 1, blue, -1, NEUTRAL, dst=green), np.uint8)


def _drawn(guide: Bytes, cells: Bytes) -> Bytes:
    small = _halved(_halved(guide))  # three times as fast as averaging 4x4
    threshold, told, rises = _fit(small.astype(np.float32), cells)
    on_guide = cv2.resize(threshold, guide.shape[::-1], interpolation=cv2.INTER_LINEAR)
    fine = cv2.compare(guide, on_guide, cv2.CMP_GT if rises else cv2.CMP_LT)
    return np.asarray(cv2.copyTo(fine, on_pixels(told), on_pixels(cells * np.uint8(PLANT))), np.uint8)


def _halved(plane: Bytes) -> Bytes:
    size = plane.shape[1] // 2, plane.shape[0] // 2
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fit(guide: Plane, cells: Bytes) -> tuple[Bytes, Bytes, bool]:
    """For the window around each cell the guide at which plant ends, 1 where the colour tells it, else 0.

    And whether plants have more of the guide than what they grow on: red ones have less. The plant's share is ``share +
    slope * (guide - mean)``; it passes one half at the threshold. In a window of plant alone, or of none, the slope is
    0 and the threshold at one end; one that slopes against the others tells nothing.
    """
    plant = cells.astype(np.float32)
    mean, share = _mean(guide), _mean(plant)
    covariance = _mean(guide * plant) - mean * share
    rises = bool(covariance.sum() >= 0)
    slope = np.abs(covariance) / (_mean(guide * guide) - mean * mean + NOISE_LEVELS2)
    slope = np.where((covariance >= 0) == rises, slope, 0)
    told = slope * np.abs(covariance) > LEAST_EXPLAINED * share * (1 - share)
    near = cv2.dilate(cells, np.ones((3, 3), np.uint8)) > 0
    ahead = (0.5 - share) / np.maximum(slope, 1e-6)
    threshold = np.clip(mean + ahead if rises else mean - ahead, 0, 255)
    return threshold.astype(np.uint8), (told & near).view(np.uint8), rises


def _mean(plane: Plane) -> Plane:
    return np.asarray(cv2.blur(plane, (WINDOW_CELLS, WINDOW_CELLS)), np.float32)
