"""A card of 24 patches as a camera with its own colours sees it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.chart import PATCHES_LAB
from edge.calibration.colourspace import encoded, from_lab

CAMERA = np.array([[0.62, 0.25, 0.03], [0.12, 0.66, 0.10], [0.02, 0.20, 0.52]])
"""Linear sRGB → the camera's linear red, green, blue: crosstalk of its filters, a warm light, white below 250."""

PITCH_PX, PATCH_PX = 44, 32


def drawn_card(camera: NDArray[np.float64] = CAMERA, gain: float = 1.0) -> NDArray[np.uint8]:
    """The card alone, uint8 [h, w, 3] BGR."""
    light = np.clip(from_lab(PATCHES_LAB), 0, None) @ camera.T * gain
    colours = np.rint(encoded(light)).astype(np.uint8)[:, ::-1]
    card = np.full((4 * PITCH_PX + 24, 6 * PITCH_PX + 24, 3), 28, np.uint8)
    for number, colour in enumerate(colours):
        row, column = divmod(number, 6)
        y, x = (12 + index * PITCH_PX + (PITCH_PX - PATCH_PX) // 2 for index in (row, column))
        card[y : y + PATCH_PX, x : x + PATCH_PX] = colour
    return card


def on_bench(card: NDArray[np.uint8], turn_degree: float, size: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The card on a bench, turned and scaled, blurred and noisy, uint8 [720, 960, 3]."""
    ground = 96 + 14 * cv2.GaussianBlur(rng.normal(0, 4, (720, 960, 3)), (0, 0), 2)
    move = cv2.getRotationMatrix2D((card.shape[1] / 2, card.shape[0] / 2), turn_degree, size)
    move[:, 2] += np.array([430, 380]) - np.array(card.shape[1::-1]) / 2
    placed = cv2.warpAffine(card.astype(np.float64), move, (960, 720), flags=cv2.INTER_AREA)
    there = cv2.warpAffine(np.ones(card.shape[:2]), move, (960, 720))[..., None]
    seen = cv2.GaussianBlur(ground * (1 - there) + placed * there, (0, 0), 0.8)
    return np.clip(seen + rng.normal(0, 2, seen.shape), 0, 255).astype(np.uint8)
