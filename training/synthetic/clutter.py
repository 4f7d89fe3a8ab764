"""What lies about and is no plant: labels, pins, cables, stones, dry leaves, colour cards, shoes and cloths."""

import cv2
import numpy as np

from training.synthetic.ground import not_green
from training.synthetic.scene import Picture


def strew(rng: np.random.Generator, picture: Picture) -> None:
    """Paint up to four things at random places, the largest first."""
    height, width = picture.shape[:2]
    kinds = (_board, _cloth, _colour_card, _cable, _litter, _label, _pin)
    for kind in sorted(rng.choice(7, int(rng.integers(0, 5)), p=[0.11, 0.07, 0.08, 0.13, 0.11, 0.31, 0.19])):
        place = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        paint = kinds[kind]
        paint(rng, picture, place)


def _label(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    long_px = rng.uniform(6, 70)
    paper = (rng.uniform(130, 260) * (1 + rng.normal(0, 0.08, 3))).astype(np.float32)
    colour = paper if rng.random() < 0.75 else not_green(rng.uniform(10, 240, 3).astype(np.float32))
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


def _colour_card(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """Patches in rows and columns on a dark frame; some are as green as a leaf, and square."""
    rows, columns = int(rng.integers(3, 7)), int(rng.integers(3, 7))
    patch_px = int(rng.uniform(3, 18))
    gap_px = max(1, patch_px // 6)
    pitch_px = patch_px + gap_px
    card = np.full((rows * pitch_px + gap_px, columns * pitch_px + gap_px, 3), rng.uniform(5, 60), np.float32)
    for row in range(rows):
        for column in range(columns):
            top, left = gap_px + row * pitch_px, gap_px + column * pitch_px
            colour = rng.uniform(10, 245, 1 if rng.random() < 0.3 else 3)
            card[top : top + patch_px, left : left + patch_px] = colour
    _lay(rng, picture, card, place)


def _cloth(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """A mat, a shoe, a box: something large, of one colour or woven."""
    size = rng.uniform(30, 0.6 * min(picture.shape[:2]), 2).astype(int)
    colour = not_green((rng.uniform(5, 230, 3)).astype(np.float32))
    y, x = np.indices((int(size[0]), int(size[1])), dtype=np.float32)
    weave = 1 + rng.uniform(0, 0.3) * np.sin(x * rng.uniform(0.3, 2)) * np.sin(y * rng.uniform(0.3, 2))
    _lay(rng, picture, (colour * weave[..., None]).astype(np.float32), place)


def _board(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """A white board, a sheet, a rail or a beam: smooth, of hardly any colour, brighter on one side."""
    size = rng.uniform(0.1, 1.0, 2) * min(picture.shape[:2])
    size[1] *= rng.choice([1.0, 0.15])
    rows, columns = (max(4, int(side)) for side in size)
    slope = 1 + rng.uniform(0, 0.4) * np.linspace(-1, 1, columns, dtype=np.float32)
    colour = rng.uniform(60, 280) * (1 + rng.normal(0, 0.04, 3))
    _lay(rng, picture, np.broadcast_to(colour, (rows, columns, 3)).astype(np.float32) * slope[:, None], place)


def _lay(rng: np.random.Generator, picture: Picture, thing: Picture, place: tuple[int, int]) -> None:
    """Lay a small picture onto a large one, turned by any angle, its middle at ``place``."""
    height, width = thing.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), 1)
    reach = int(np.hypot(height, width) / 2) + 1
    turn[:, 2] += reach - np.array([width / 2, height / 2])
    turned = cv2.warpAffine(thing, turn, (2 * reach, 2 * reach))
    cover = cv2.warpAffine(np.ones((height, width), np.float32), turn, (2 * reach, 2 * reach))
    top, left = place[1] - reach, place[0] - reach
    rows = slice(max(0, top), min(picture.shape[0], top + 2 * reach))
    columns = slice(max(0, left), min(picture.shape[1], left + 2 * reach))
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    picture[rows, columns] += cover[part][..., None] * (turned[part] - picture[rows, columns])
