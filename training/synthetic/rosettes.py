"""Rosette scenes: plants from above, alone, few, or by the tray; what stands around them; light and camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.camera import develop
from training.synthetic.clutter import strew
from training.synthetic.foliage import (
    Leaf,
    Shadow,
    leaf_colour,
    paint_blade,
    paint_plant,
    paint_seedling,
    seedling_colour,
)
from training.synthetic.ground import any_ground, bench, not_green, soil
from training.synthetic.pots import Layout, fill_pots, opening, rim_plastic, set_out
from training.synthetic.scene import Canvas, Colour, Scene

LEAST_RADIUS_PX = 5.0
"""Smaller rosettes than this are not sown."""


def render_rosettes(seed: int, height_px: int, width_px: int) -> Scene:
    """A scene; the same seed and size give the same one."""
    rng = np.random.default_rng((7, seed))
    canvas = Canvas.on(any_ground(rng, (height_px, width_px)))
    direction = rng.choice([-1, 1], 2)
    shadow = Shadow(int(direction[0]), int(direction[1]), rng.uniform(0.1, 0.6))
    (_few, _tray, _upright)[rng.choice(3, p=[0.35, 0.48, 0.17])](rng, canvas, shadow)
    return canvas.finish(develop(rng, canvas.picture, canvas.leaves > 0))


def _few(rng: np.random.Generator, canvas: Canvas, shadow: Shadow) -> None:
    """No plant, one, or up to four; perhaps in a pot; perhaps cut out of a larger picture."""
    shorter = min(canvas.shape)
    if rng.random() < 0.4:
        _pot(rng, canvas)
    strew(rng, canvas.picture)
    count = 0 if rng.random() < 0.12 else 1 if rng.random() < 0.8 else int(rng.integers(2, 5))
    spread = 0.08 if count == 1 else 0.2
    most_px = (0.48 if count == 1 else 0.2) * shorter
    for _ in range(count):
        radius_px = float(np.exp(rng.uniform(np.log(14), np.log(most_px))))
        y, x = (side / 2 + rng.normal(0, side * spread) for side in canvas.shape)
        if all(np.hypot(y - other[0], x - other[1]) > 1.2 * radius_px for other in canvas.plant_places):
            paint_plant(rng, canvas, y, x, radius_px, leaf_colour(rng), shadow)
    if canvas.leaves.any() and rng.random() < 0.3:
        _mask_surround(rng, canvas)


def _pot(rng: np.random.Generator, canvas: Canvas) -> None:
    height, width = canvas.shape
    half = int(min(height, width) * rng.uniform(0.25, 0.49))
    y, x = height // 2 + int(rng.normal(0, 10)), width // 2 + int(rng.normal(0, 10))
    rim_px = max(2, int(half * rng.uniform(0.03, 0.12)))
    inside = opening(canvas.shape, [(y, x)], half, round_pot=rng.random() < 0.5)
    fill_pots(canvas.picture, inside, rim_px, rim_plastic(rng, canvas.shape), soil(rng, canvas.shape))


def _mask_surround(rng: np.random.Generator, canvas: Canvas) -> None:
    """Black out everything but a box around the plants, as cut-out pictures have it."""
    rows, columns = np.nonzero(canvas.leaves)
    margin = int(rng.uniform(2, 40))
    kept = np.zeros(canvas.shape, np.bool_)
    kept[max(0, rows.min() - margin) : rows.max() + margin, max(0, columns.min() - margin) : columns.max() + margin] = (
        True
    )
    canvas.picture[~kept] = 0


def _upright(rng: np.random.Generator, canvas: Canvas, shadow: Shadow) -> None:
    """One plant from the side, before a wall: its leaves to both sides of a stem that stands in a pot, or fills all."""
    height, width = canvas.shape
    if rng.random() < 0.75:
        canvas.picture[:] = bench(rng, canvas.shape)
    strew(rng, canvas.picture)
    foot = np.array([height * rng.uniform(0.7, 1.0), width * rng.uniform(0.3, 0.7)])
    if rng.random() < 0.8:
        half, deep = width * rng.uniform(0.06, 0.2), height * rng.uniform(0.1, 0.3)
        pot = np.array([[-half, 0], [half, 0], [0.8 * half, deep], [-0.8 * half, deep]]) + foot[::-1]
        grey = rng.uniform(15, 200) * (1 + rng.normal(0, 0.1, 3))
        cv2.fillPoly(canvas.picture, [pot.astype(np.int32)], not_green(grey.astype(np.float32)).tolist(), cv2.LINE_AA)
    habit = _Habit.any(rng, tall_px=foot[0] * rng.uniform(0.3, 0.95))
    plant = canvas.add_plant(foot[0], foot[1])
    along = np.linspace(0, 1, 9)
    lean = rng.normal(0, 0.08) * habit.tall_px
    axis = np.stack([foot[1] + lean * along**2, foot[0] - habit.tall_px * along], 1)
    _stem(canvas, axis, habit.stem, max(1, round(habit.tall_px * rng.uniform(0.008, 0.03))))
    for index in rng.permutation(habit.leaves):
        high = (index + rng.uniform(0.3, 1.0)) / habit.leaves
        base = np.array([np.interp(high, along, axis[:, side]) for side in (0, 1)])
        _hang(rng, canvas, habit, plant, base, high, int(index), shadow)


@dataclass(frozen=True, slots=True)
class _Habit:
    """How an upright plant grows: few broad leaves or many small ones, close to its stem or on stalks; px and radians.

    ``droop`` is how far blades hang from the direction of their stalks, ``rise`` how far stalks rise.
    """

    tall_px: float
    leaves: int
    longest_px: float
    aspect: float
    stalk: float
    droop: float
    rise: tuple[float, float]
    colour: Colour
    stem: Colour

    @classmethod
    def any(cls, rng: np.random.Generator, tall_px: float) -> "_Habit":
        """Of any species."""
        colour, grass = leaf_colour(rng), rng.random() < 0.15
        return cls(
            tall_px=tall_px,
            leaves=int(rng.integers(3, 12)) if grass else int(rng.integers(5, 34)),
            longest_px=tall_px * (rng.uniform(0.3, 0.8) if grass else rng.uniform(0.1, 0.42)),
            aspect=rng.uniform(0.05, 0.15) if grass else rng.uniform(0.3, 0.9),
            stalk=0.0 if grass or rng.random() < 0.4 else tall_px * rng.uniform(0.03, 0.16),
            droop=float(rng.choice([0.0, rng.uniform(0.2, 1.3)])),
            rise=(-0.5, 0.9) if rng.random() < 0.5 else (0.1, 1.2),
            colour=colour,
            stem=(colour * rng.uniform(0.7, 1.2)).astype(np.float32),
        )


def _hang(
    rng: np.random.Generator,
    canvas: Canvas,
    habit: _Habit,
    plant: int,
    base: NDArray[np.float64],
    high: float,
    index: int,
    shadow: Shadow,
) -> None:
    """A leaf that grows from the stem at (x, y), ``high`` of the way up: on a stalk, and in a light of its own."""
    rise = rng.uniform(*habit.rise) if high < 0.85 else rng.uniform(0.3, 1.4)
    side = 1 if index % 2 else -1
    stalk_px = habit.stalk * (1.2 - high) * rng.uniform(0.5, 1.3)
    tip = base + stalk_px * np.array([side * np.cos(rise), -np.sin(rise)])
    if stalk_px > 2:
        _stem(canvas, np.stack([base, tip]), habit.stem, max(1, round(habit.tall_px * 0.006)))
    turned = rise - habit.droop * rng.uniform(0.5, 1.2)
    # Seen from the side a blade may face the camera or show it its edge.
    aspect, length_px = habit.aspect * rng.uniform(0.35, 1.1), habit.longest_px * (1.1 - 0.7 * high)
    leaf = Leaf(
        angle=-turned if side > 0 else np.pi + turned,
        length_px=length_px * rng.uniform(0.45, 1.1),
        aspect=aspect,
        petiole=0.0 if stalk_px > 2 else rng.uniform(0.0, 0.4),
        cotyledon=False,
    )
    colour = (habit.colour * rng.uniform(0.55, 1.15)).astype(np.float32)
    paint_blade(rng, canvas, (float(tip[1]), float(tip[0])), leaf, canvas.add_leaf(plant), colour, shadow)


def _stem(canvas: Canvas, points: NDArray[np.float64], colour: Colour, thickness_px: int) -> None:
    fixed = [np.round(points * 16).astype(np.int32)]
    cv2.polylines(canvas.picture, fixed, False, colour.tolist(), thickness_px, cv2.LINE_AA, 4)
    drawn = cv2.polylines(np.zeros(canvas.shape, np.uint8), fixed, False, 1, thickness_px, cv2.LINE_8, 4)
    canvas.stems |= drawn > 0


def _tray(rng: np.random.Generator, canvas: Canvas, shadow: Shadow) -> None:
    layout = set_out(rng, canvas)
    if rng.random() < 0.35:
        _seedlings(rng, canvas, layout, shadow)
    else:
        _rosettes(rng, canvas, layout, shadow)


def _seedlings(rng: np.random.Generator, canvas: Canvas, layout: Layout, shadow: Shadow) -> None:
    """One sowing: alike, none to three in a cell, from just out of the soil to closing above it."""
    empty, colour, closed = rng.choice([0, 0.2, 0.5, 0.8]), seedling_colour(rng), rng.choice([0, 0.2, 0.8])
    share = float(np.exp(rng.uniform(np.log(0.08), np.log(0.8))))
    for place in layout.places:
        for _ in range(1 if rng.random() < 0.8 else int(rng.integers(2, 4))):
            length_px = layout.cell_px * share * rng.uniform(0.6, 1.3)
            if rng.random() >= empty and length_px >= LEAST_RADIUS_PX:
                y, x = place + rng.normal(0, layout.cell_px * 0.16, 2)
                tint = (colour * rng.uniform(0.85, 1.15)).astype(np.float32)
                paint_seedling(rng, canvas, y, x, length_px, tint, shadow, closed)


def _rosettes(rng: np.random.Generator, canvas: Canvas, layout: Layout, shadow: Shadow) -> None:
    """Of one cultivar or of several."""
    empty, size = rng.choice([0, 0.1, 0.3, 0.7]), rng.uniform(0.12, 0.55)
    height, width = canvas.shape
    alike, common = rng.random() < 0.6, leaf_colour(rng)
    for place in layout.places:
        radius_px = layout.cell_px * float(np.clip(size * rng.uniform(0.5, 1.3), 0.07, 0.62))
        y, x = place + rng.normal(0, layout.cell_px * 0.07, 2)
        near = -radius_px / 2 < y < height + radius_px / 2 and -radius_px / 2 < x < width + radius_px / 2
        if rng.random() >= empty and radius_px >= LEAST_RADIUS_PX and near:
            colour = (common * rng.uniform(0.85, 1.15)).astype(np.float32) if alike else leaf_colour(rng)
            paint_plant(rng, canvas, y, x, radius_px, colour, shadow)
