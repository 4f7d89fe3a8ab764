"""Stands: trays of rosettes of one sowing, of any age, whose leaves grow up one after the other; and other scenes.

A leaf grows along a logistic curve and then keeps its length, so that an old plant has many leaves as long as each
other, of which the upper ones hide most of the lower, and a few small ones in its middle.
"""

from dataclasses import dataclass

import numpy as np

from training.synthetic.camera import develop
from training.synthetic.foliage import GOLDEN_ANGLE, Leaf, Shadow, leaf_colour, paint_leaves
from training.synthetic.ground import any_ground
from training.synthetic.pots import set_out
from training.synthetic.rosettes import LEAST_RADIUS_PX, render_rosettes
from training.synthetic.scene import Canvas, Scene

SHARE = 0.5
"""How many of the scenes are stands; the others are those of ``render_rosettes``."""
MOST_LEAVES = 30
LEAST_LEAF_PX = 2.0
"""A shorter leaf has not come out yet."""


def render_stands(seed: int, height_px: int, width_px: int) -> Scene:
    """A stand, or a scene of ``render_rosettes``; the same seed and size give the same one."""
    rng = np.random.default_rng((13, seed))
    if rng.random() >= SHARE:
        return render_rosettes(seed, height_px, width_px)
    canvas = Canvas.on(any_ground(rng, (height_px, width_px)))
    direction = rng.choice([-1, 1], 2)
    shadow = Shadow(int(direction[0]), int(direction[1]), rng.uniform(0.1, 0.6))
    _sow(rng, canvas, shadow)
    return canvas.finish(develop(rng, canvas.picture, canvas.leaves > 0))


def _sow(rng: np.random.Generator, canvas: Canvas, shadow: Shadow) -> None:
    """One cultivar on one day, with what differs from plant to plant; at times of several cultivars."""
    layout = set_out(rng, canvas, rows=(1, 7))
    empty, age, mixed = rng.choice([0, 0.1, 0.4]), rng.uniform(-1, MOST_LEAVES), rng.random() < 0.3
    habit, colour = Habit.any(rng), leaf_colour(rng)
    for place in layout.places:
        own = Habit.any(rng) if mixed else habit
        leaves = own.leaves(rng, age + rng.normal(0, 1.5), layout.cell_px * own.reach * rng.uniform(0.85, 1.15))
        tint = (leaf_colour(rng) if mixed else colour * rng.uniform(0.85, 1.15)).astype(np.float32)
        y, x = place + rng.normal(0, layout.cell_px * 0.05, 2)
        if rng.random() >= empty and max(leaf.length_px for leaf in leaves) >= LEAST_RADIUS_PX:
            paint_leaves([rng] * len(leaves), canvas, (float(y), float(x)), leaves, tint, shadow)


@dataclass(frozen=True, slots=True)
class Habit:
    """How the plants of a cultivar grow; times in plastochrons, lengths as shares.

    Attributes:
        reach: of the longest leaf, by the width of a pot.
        first: length of the first leaf by that of the longest; ``rise`` more with each one that follows.
        middle: age at which a leaf has half of its length.
        spread: how slowly it grows.
        seed_leaf: length of the cotyledons by that of the longest leaf.
        aspect: width of a blade by its length.
        petiole: of the leaf.
        angle: between a leaf and the next.
    """

    reach: float
    first: float
    rise: float
    middle: float
    spread: float
    seed_leaf: float
    aspect: float
    petiole: float
    angle: float

    @classmethod
    def any(cls, rng: np.random.Generator) -> "Habit":
        """Of any cultivar."""
        return cls(
            reach=rng.uniform(0.22, 0.6),
            first=rng.uniform(0.3, 0.9),
            rise=rng.uniform(0.04, 0.2),
            middle=rng.uniform(1.0, 3.5),
            spread=rng.uniform(0.5, 1.3),
            seed_leaf=rng.uniform(0.12, 0.4),
            aspect=rng.uniform(0.35, 0.85),
            petiole=rng.uniform(0.15, 0.55),
            angle=GOLDEN_ANGLE + rng.normal(0, 0.03),
        )

    def leaves(self, rng: np.random.Generator, age: float, longest_px: float) -> list[Leaf]:
        """The leaves of a plant that is ``age`` plastochrons older than its first leaf, lowest first."""
        start = rng.uniform(0, 2 * np.pi)
        return self._seed_leaves(rng, age, start, longest_px) + [
            leaf
            for index in range(min(int(age) + 1, MOST_LEAVES))
            if (leaf := self._leaf(rng, index, age - index, start + index * self.angle, longest_px)).length_px
            >= LEAST_LEAF_PX
        ]

    def _seed_leaves(self, rng: np.random.Generator, age: float, start: float, longest_px: float) -> list[Leaf]:
        length_px = self.seed_leaf * longest_px * _logistic(age + 2, 1, 0.5)
        aspect, petiole = rng.uniform(0.6, 0.95), rng.uniform(0.2, 0.5)
        return [
            Leaf(start - np.pi / 2 + side + rng.normal(0, 0.12), length_px, aspect, petiole, cotyledon=True)
            for side in (0, np.pi)
        ]

    def _leaf(self, rng: np.random.Generator, index: int, age: float, angle: float, longest_px: float) -> Leaf:
        whole_px = longest_px * min(1, self.first + self.rise * index) * rng.uniform(0.85, 1.1)
        return Leaf(
            angle=angle + rng.normal(0, 0.12),
            length_px=whole_px * _logistic(age, self.middle, self.spread),
            aspect=self.aspect * rng.uniform(0.85, 1.15),
            petiole=self.petiole * rng.uniform(0.8, 1.2),
            cotyledon=False,
        )


def _logistic(age: float, middle: float, spread: float) -> float:
    return float(1 / (1 + np.exp(-(age - middle) / spread)))
