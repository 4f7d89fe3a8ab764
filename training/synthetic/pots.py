"""Pots: where they stand on a tray, what they are made of, and what fills them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.clutter import mark_pots, strew
from training.synthetic.ground import mat, soil
from training.synthetic.noise import field
from training.synthetic.scene import Canvas, Picture


def rim_plastic(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """What rims are made of."""
    plastic = rng.uniform(15, 160) * (1 + rng.normal(0, 0.06, 3))
    return (plastic * (1 + 0.06 * field(rng, shape, 8))[..., None]).astype(np.float32)


def opening(
    shape: tuple[int, int], places: list[tuple[float, float]], half_px: float, *, round_pot: bool
) -> NDArray[np.uint8]:
    """Where pots are open, seen from above."""
    inside = np.zeros(shape, np.uint8)
    for y, x in places:
        if round_pot:
            cv2.circle(inside, (int(x), int(y)), int(half_px), 1, -1)
        else:
            cv2.rectangle(inside, (int(x - half_px), int(y - half_px)), (int(x + half_px), int(y + half_px)), 1, -1)
    return inside


def fill_pots(
    picture: Picture,
    inside: NDArray[np.uint8],
    rim_px: int,
    rim: Picture,
    filling: Picture,
) -> None:
    """Paint rims around the openings, and what is inside of them."""
    around = cv2.dilate(inside, np.ones((2 * rim_px + 1, 2 * rim_px + 1), np.uint8))
    cv2.copyTo(rim, around, picture)
    cv2.copyTo(filling, inside, picture)


@dataclass(frozen=True, slots=True)
class Layout:
    """Pots in rows and columns, a little turned."""

    places: list[tuple[float, float]]
    cell_px: float


def set_out(rng: np.random.Generator, canvas: Canvas, rows: tuple[int, int] = (2, 10)) -> Layout:
    """Paint a tray, its pots mostly seen, with what lies about; ``rows`` is how many it has, the last left out."""
    layout = _layout(rng, canvas.shape, rows)
    if rng.random() < 0.85:
        wall_px = max(1, int(layout.cell_px * rng.uniform(0.02, 0.12)))
        filling = soil(rng, canvas.shape) if rng.random() < 0.8 else mat(rng, canvas.shape)
        inside = opening(canvas.shape, layout.places, layout.cell_px / 2 - wall_px, round_pot=rng.random() < 0.3)
        fill_pots(canvas.picture, inside, wall_px + 1, rim_plastic(rng, canvas.shape), filling)
    strew(rng, canvas.picture)
    if rng.random() < 0.35:
        mark_pots(rng, canvas.picture, layout.places, layout.cell_px)
    return layout


def _layout(rng: np.random.Generator, shape: tuple[int, int], among: tuple[int, int]) -> Layout:
    height, width = shape
    rows = int(rng.integers(*among))
    columns = int(np.clip(round(rows * rng.uniform(0.6, 1.6)), 2, 10))
    cell_px = min(height / rows, width / columns) * rng.uniform(0.8, 1.08)
    cosine, sine = np.cos(angle := rng.normal(0, 0.03)), np.sin(angle)
    places = []
    for row in range(rows):
        for column in range(columns):
            dy, dx = (row + 0.5 - rows / 2) * cell_px, (column + 0.5 - columns / 2) * cell_px
            places.append((height / 2 + dy * cosine + dx * sine, width / 2 + dx * cosine - dy * sine))
    return Layout(places, cell_px)
