"""What lies about and is no plant: labels, pins, cables, stones and dry leaves."""

import cv2
import numpy as np

from training.synthetic.ground import not_green
from training.synthetic.scene import Picture


def strew(rng: np.random.Generator, picture: Picture) -> None:
    """Paint up to four things at random places."""
    for _ in range(int(rng.integers(0, 5))):
        height, width = picture.shape[:2]
        place = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        paint = (_label, _pin, _cable, _litter)[rng.choice(4, p=[0.4, 0.25, 0.2, 0.15])]
        paint(rng, picture, place)


def _label(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    long_px = rng.uniform(6, 70)
    white = rng.uniform(150, 250) * (1 + rng.normal(0, 0.06, 3))
    colour = not_green((white if rng.random() < 0.75 else rng.uniform(10, 240, 3)).astype(np.float32))
    corners = cv2.boxPoints((place, (long_px, long_px * rng.uniform(0.2, 0.6)), rng.uniform(0, 180)))
    cv2.fillPoly(picture, [corners.astype(np.int32)], colour.tolist(), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        ends = np.asarray(place) + rng.normal(0, long_px * 0.12, (2, 2))
        cv2.polylines(picture, [ends.astype(np.int32)], False, (40, 40, 40), 1, cv2.LINE_AA)


def _pin(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    cv2.circle(picture, place, int(rng.uniform(2, 8)), (rng.uniform(180, 255),) * 3, -1, cv2.LINE_AA)


def _cable(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    ends = np.asarray([place, place + rng.normal(0, picture.shape[1] / 3, 2)])
    grey = (rng.uniform(10, 120),) * 3
    cv2.polylines(picture, [ends.astype(np.int32)], False, grey, int(rng.integers(1, 7)), cv2.LINE_AA)


def _litter(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    axes = tuple(int(axis) for axis in rng.uniform(2, 35, 2))
    brown = np.array([60, 90, 130]) * rng.uniform(0.5, 1.6)
    cv2.ellipse(picture, place, (axes[0], axes[1]), rng.uniform(0, 180), 0, 360, brown.tolist(), -1, cv2.LINE_AA)
