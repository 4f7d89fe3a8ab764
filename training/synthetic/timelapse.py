"""A tray that grows: the same plants in the same pots, picture after picture, by day and by night."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.foliage import GOLDEN_ANGLE, Leaf, Shadow, paint_leaves
from training.synthetic.ground import mat, soil
from training.synthetic.noise import field, grain
from training.synthetic.scene import Canvas, Colour, Picture, Scene

DARK_FROM_H, DARK_TO_H = 1.0, 5.0
"""Lamps lengthen the day to 20 hours, as growers do; the rest of the night is dark."""
LEAST_LEAF_PX = 100
"""A leaf of which less is seen is not counted: 16 px where a network sees the picture 512 px wide."""
CULTIVAR: Colour = np.array([58, 158, 92], np.float32)
MAT: Colour = np.array([96, 98, 96], np.float32)
PEAT: Colour = np.array([38, 49, 60], np.float32)


@dataclass(frozen=True, slots=True)
class Tray:
    """Square pots in rows and columns in the middle of a picture."""

    rows: int = 3
    columns: int = 5
    height_px: int = 720
    width_px: int = 1280
    cell_px: int = 228

    @property
    def corners(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Top left and bottom right of the pots, (x, y) as fractions of the picture: a grid of plots."""
        left, top = self._origin
        right, bottom = self.width_px - left, self.height_px - top
        return (left / self.width_px, top / self.height_px), (right / self.width_px, bottom / self.height_px)

    @property
    def places(self) -> dict[str, tuple[float, float]]:
        """Middle of each pot, (y, x), by the name that a grid of plots gives it."""
        left, top = self._origin
        return {
            f"R{row + 1}C{column + 1}": (top + (row + 0.5) * self.cell_px, left + (column + 0.5) * self.cell_px)
            for row in range(self.rows)
            for column in range(self.columns)
        }

    @property
    def _origin(self) -> tuple[float, float]:
        return (self.width_px - self.columns * self.cell_px) / 2, (self.height_px - self.rows * self.cell_px) / 2


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture of a time-lapse.

    Attributes:
        hour: hours since the midnight at its beginning.
        scene: the picture and its ground truth.
        plots: the pot of plant n at n - 1.
    """

    hour: float
    scene: Scene
    plots: tuple[str, ...]

    def truth(self, plot: str) -> tuple[int, int]:
        """How many leaves of a plot's plant are seen, and on how many pixels; 0 and 0 where nothing stands."""
        if plot not in self.plots:
            return 0, 0
        plants, leaves = self.scene.labels.instances
        own = leaves[plants == self.plots.index(plot) + 1]
        areas_px = np.bincount(own)
        return int(np.count_nonzero(areas_px >= LEAST_LEAF_PX)), int(areas_px.sum())


@dataclass(frozen=True, slots=True)
class _Growth:
    """How one plant grows: a new leaf each ``plastochron_h``, and each leaf along a logistic curve."""

    seed: tuple[int, ...]
    place: tuple[float, float]
    born_h: float
    plastochron_h: float
    longest_px: float
    angle: float
    aspect: float
    petiole: float
    colour: Colour

    @classmethod
    def sown(
        cls, rng: np.random.Generator, seed: tuple[int, ...], place: tuple[float, float], cell_px: float
    ) -> "_Growth":
        """A seed in its pot."""
        return cls(
            seed=seed,
            place=(place[0] + rng.normal(0, 0.03 * cell_px), place[1] + rng.normal(0, 0.03 * cell_px)),
            born_h=float(np.clip(rng.gamma(2, 14), 8, 90)),
            plastochron_h=rng.uniform(22, 29),
            longest_px=cell_px * rng.uniform(0.33, 0.44),
            angle=rng.uniform(0, 2 * np.pi),
            aspect=rng.uniform(0.5, 0.68),
            petiole=rng.uniform(0.28, 0.4),
            colour=CULTIVAR * np.float32(rng.uniform(0.88, 1.1)) * (1 + rng.normal(0, 0.05, 3)).astype(np.float32),
        )

    def leaves(self, hour: float) -> list[Leaf]:
        """What stands there at ``hour``, lowest first; nothing before germination."""
        age_h = hour - self.born_h
        if age_h <= 0:
            return []
        rng = np.random.default_rng((*self.seed, 1))
        sway = 0.05 * np.sin(2 * np.pi * hour / 24)
        return self._cotyledons(rng, age_h, sway) + self._true_leaves(rng, age_h, sway)

    def _cotyledons(self, rng: np.random.Generator, age_h: float, sway: float) -> list[Leaf]:
        length_px = 0.2 * self.longest_px * _logistic(age_h, middle_h=14, spread_h=9)
        return [
            Leaf(self.angle + side + rng.normal(0, 0.1) + sway, length_px, 0.8, 0.35, cotyledon=True)
            for side in (0.0, np.pi)
        ]

    def _true_leaves(self, rng: np.random.Generator, age_h: float, sway: float) -> list[Leaf]:
        leaves = []
        for index in range(24):
            since_h = age_h - 50 - index * self.plastochron_h
            turn, length, width = rng.normal(0, 0.1), rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
            if since_h <= 0:
                break
            whole_px = self.longest_px * min(1, 0.42 + 0.11 * index) * length
            angle = self.angle + np.pi / 2 + index * GOLDEN_ANGLE + turn + sway * (-1) ** index
            length_px = whole_px * _logistic(since_h, middle_h=48, spread_h=21)
            leaves.append(Leaf(angle, length_px, self.aspect * width, self.petiole, cotyledon=False))
        return leaves


def render_timelapse(
    seed: int,
    tray: Tray,
    days: float,
    step_h: float,
    empty: int = 2,
    wanted: Callable[[float], bool] = lambda _: True,
) -> Iterator[Moment]:
    """Pictures of one tray, ``step_h`` hours apart, with ``empty`` pots that were never sown; the same for a seed.

    Of the hours that are not ``wanted`` there is none; the others are as they would be.
    """
    rng = np.random.default_rng((11, seed))
    ground = _tray(rng, tray)
    names = list(tray.places)
    unsown = set(rng.choice(len(names), empty, replace=False).tolist())
    plants = {
        name: _Growth.sown(rng, (11, seed, number), tray.places[name], tray.cell_px)
        for number, name in enumerate(names)
        if number not in unsown
    }
    for index in range(round(days * 24 / step_h)):
        if wanted(index * step_h):
            yield _picture(np.random.default_rng((11, seed, 1000, index)), ground, plants, index * step_h)


def _picture(rng: np.random.Generator, ground: Picture, plants: dict[str, _Growth], hour: float) -> Moment:
    canvas = Canvas.on(ground.copy())
    sun = np.sin(np.pi * (hour % 24 - 6) / 12)
    shadow = Shadow(1, 1 if hour % 24 < 12 else -1, 0.25 + 0.25 * max(0.0, sun))
    plots = []
    for name, plant in plants.items():
        leaves = plant.leaves(hour)
        if leaves:
            rngs = [np.random.default_rng((*plant.seed, 2, number)) for number in range(len(leaves))]
            paint_leaves(rngs, canvas, plant.place, leaves, plant.colour, shadow)
            plots.append(name)
    return Moment(hour, canvas.finish(_exposed(rng, canvas.picture, hour % 24)), tuple(plots))


def _exposed(rng: np.random.Generator, picture: Picture, hour: float) -> NDArray[np.uint8]:
    """By lamps from 5 to 1 o'clock, with the sun on top by day; warm when it stands low."""
    sun = max(0.0, float(np.sin(np.pi * (hour - 6) / 12)))
    lamps = 0.0 if DARK_FROM_H <= hour < DARK_TO_H else 0.72
    low = float(np.exp(-((sun - 0.35) ** 2) / 0.05)) * (sun > 0)
    light = np.array([1 - 0.1 * low, 1.0, 1 + 0.06 * low], np.float32) * np.float32(lamps + 0.4 * sun + 0.01)
    lit = picture * (light * np.float32(1 + rng.normal(0, 0.01)))
    lit += 1.2 * grain(rng, picture.shape[0], picture.shape[1])[..., None]
    return np.asarray(np.clip(cv2.GaussianBlur(lit, (0, 0), 0.7), 0, 255), np.uint8)


def _tray(rng: np.random.Generator, tray: Tray) -> Picture:
    """A dark tray with its pots of soil, on a mat."""
    shape = (tray.height_px, tray.width_px)
    cloth = mat(rng, shape).mean(axis=2, keepdims=True)
    ground: Picture = MAT * (cloth / cloth.mean())
    plastic = (34 * (1 + 0.05 * field(rng, shape, 60)))[..., None] * np.array([1.02, 1, 0.98], np.float32)
    outline, pots = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    half = tray.cell_px / 2
    for y, x in tray.places.values():
        _square(outline, y, x, half + 10)
        _square(pots, y, x, half - 9)
    ground[outline > 0] = plastic[outline > 0]
    rim = cv2.dilate(pots, np.ones((9, 9), np.uint8)) > 0
    ground[rim] = plastic[rim] * 1.9
    walls = cv2.GaussianBlur(pots.astype(np.float32), (0, 0), 9)[..., None]
    crumbs = soil(rng, shape).mean(axis=2, keepdims=True)
    filling = PEAT * (crumbs / crumbs.mean()) * (0.35 + 0.65 * walls)
    ground[pots > 0] = filling[pots > 0]
    return ground


def _square(mask: NDArray[np.uint8], y: float, x: float, half_px: float) -> None:
    cv2.rectangle(mask, (int(x - half_px), int(y - half_px)), (int(x + half_px), int(y + half_px)), 1, -1)


def _logistic(age_h: float, middle_h: float, spread_h: float) -> float:
    return float(1 / (1 + np.exp(-(age_h - middle_h) / spread_h)))
