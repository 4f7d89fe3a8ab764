"""What lies about and is no plant: labels, pins, cables, stones, dry leaves, colour cards, shoes, cloths, smudges."""

from collections.abc import Callable

import cv2
import numpy as np

from training.synthetic.ground import not_green
from training.synthetic.scene import Picture

Paint = Callable[[np.random.Generator, Picture, tuple[int, int]], None]
"""Paints something at (x, y)."""


def strew(rng: np.random.Generator, picture: Picture) -> None:
    """Paint up to four things at random places, the largest first."""
    height, width = picture.shape[:2]
    chosen = rng.choice(len(_KINDS), int(rng.integers(0, 5)), p=[share for _, share in _KINDS])
    for kind in sorted(chosen):
        paint, _ = _KINDS[kind]
        paint(rng, picture, (int(rng.uniform(0, width)), int(rng.uniform(0, height))))


def mark_pots(rng: np.random.Generator, picture: Picture, places: list[tuple[float, float]], cell_px: float) -> None:
    """The same label in most pots, as growers stick them, or the same pin at a corner of each."""
    paint = _label_like(rng, cell_px * rng.uniform(0.12, 0.4)) if rng.random() < 0.7 else _pin
    aside = rng.uniform(-0.5, 0.5, 2) * cell_px
    for y, x in places:
        if rng.random() < 0.85:
            down, right = aside + rng.normal(0, 0.04 * cell_px, 2)
            paint(rng, picture, (int(x + right), int(y + down)))


def _label(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    _label_like(rng, rng.uniform(6, 70))(rng, picture, place)


def _label_like(rng: np.random.Generator, long_px: float) -> Paint:
    """Paper or plastic of one colour, seen flat or from its edge, in whatever direction; most have some writing."""
    paper = (rng.uniform(130, 260) * (1 + rng.normal(0, 0.08, 3))).astype(np.float32)
    colour = paper if rng.random() < 0.75 else rng.uniform(10, 240, 3).astype(np.float32)
    colour = colour if long_px > 30 else not_green(colour)  # a small green one nobody could tell from a leaf
    share, direction, ink = rng.uniform(0.08, 0.6), rng.uniform(0, 180), rng.uniform(10, 120, 3)

    def paint(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
        turn = direction + rng.normal(0, 12)
        wide_px = max(2.0, long_px * share * rng.uniform(0.8, 1.2))
        corners = cv2.boxPoints((place, (long_px, wide_px), turn))
        cv2.fillPoly(picture, [corners.astype(np.int32)], (colour * rng.uniform(0.8, 1.1)).tolist(), cv2.LINE_AA)
        along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        across = np.array([-along[1], along[0]])
        for line in range(int(rng.integers(0, 5))):
            middle = np.asarray(place) + across * wide_px * (0.22 * line - 0.35)
            word = along * long_px * np.array([[rng.uniform(-0.42, 0)], [rng.uniform(0, 0.42)]])
            cv2.polylines(picture, [(middle + word).astype(np.int32)], False, ink.tolist(), 1, cv2.LINE_AA)

    return paint


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
    """A white board, a sheet, a rail or a beam: smooth, of hardly any colour, brighter on one side; some glare."""
    size = rng.uniform(0.1, 1.0, 2) * min(picture.shape[:2])
    size[1] *= rng.choice([1.0, 0.15])
    rows, columns = (max(4, int(side)) for side in size)
    slope = 1 + rng.uniform(0, 0.4) * np.linspace(-1, 1, columns, dtype=np.float32)
    bright = rng.uniform(280, 900) if rng.random() < 0.3 else rng.uniform(60, 280)
    colour = bright * (1 + rng.normal(0, 0.04, 3))
    _lay(rng, picture, np.broadcast_to(colour, (rows, columns, 3)).astype(np.float32) * slope[:, None], place)


def _rail(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """Extruded metal, slats or a grid from near: bright and dark bars beside each other."""
    rows, columns = int(rng.uniform(8, 70)), int(rng.uniform(0.2, 1.2) * max(picture.shape[:2]))
    bars = np.repeat(rng.uniform(30, 290, 12), rng.integers(1, 12, 12))
    profile = np.resize(bars, rows).astype(np.float32)
    tint = (1 + rng.normal(0, 0.04, 3)).astype(np.float32)
    _lay(rng, picture, np.broadcast_to(profile[:, None, None] * tint, (rows, columns, 3)).astype(np.float32), place)


def _shoe(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """A shoe, a glove or a tool with a grip: round at its ends, with a bright rim and a few bright lines."""
    long_px, turn = rng.uniform(15, 110), rng.uniform(0, 180)
    axes = int(long_px / 2), int(long_px * rng.uniform(0.15, 0.3))
    body = not_green(rng.uniform(5, 150, 3).astype(np.float32))
    cv2.ellipse(picture, place, axes, turn, 0, 360, (rng.uniform(120, 280),) * 3, -1, cv2.LINE_AA)
    inner = int(0.88 * axes[0]), max(1, int(0.75 * axes[1]))
    cv2.ellipse(picture, place, inner, turn, 0, 360, body.tolist(), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        ends = np.asarray(place) + rng.normal(0, long_px * 0.12, (2, 2))
        cv2.polylines(picture, [ends.astype(np.int32)], False, (rng.uniform(120, 280),) * 3, 1, cv2.LINE_AA)


def _smudge(rng: np.random.Generator, picture: Picture, place: tuple[int, int]) -> None:
    """A green stain, moss, or what is left of a plant: it has no edge, and what is below shows through."""
    side = int(rng.uniform(8, 90))
    y, x = np.indices((side, side), dtype=np.float32) / np.float32(side) * 2 - 1
    lobes = 1 + rng.uniform(0, 0.4) * np.cos(int(rng.integers(2, 7)) * np.arctan2(y, x) + rng.uniform(0, 6))
    cover = np.clip(1 - np.hypot(y, x) * lobes, 0, 1) ** rng.uniform(0.7, 2) * rng.uniform(0.15, 0.6)
    top, left = place[1] - side // 2, place[0] - side // 2
    below = picture[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    from_row, from_column = max(0, -top), max(0, -left)
    cover = cover[from_row : from_row + below.shape[0], from_column : from_column + below.shape[1], None]
    dull = np.array([rng.uniform(20, 60), rng.uniform(50, 95), rng.uniform(40, 85)], np.float32)
    below += cover * (dull - below)


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


_KINDS: tuple[tuple[Paint, float], ...] = (
    (_board, 0.1),
    (_cloth, 0.06),
    (_rail, 0.09),
    (_colour_card, 0.07),
    (_shoe, 0.08),
    (_smudge, 0.1),
    (_cable, 0.1),
    (_litter, 0.09),
    (_label, 0.18),
    (_pin, 0.13),
)
"""What is strewn, the largest first, and how often."""
