"""Rosettes: leaves around a stem in the golden angle, older ones longer and lower (Vogel 1979)."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import field
from training.synthetic.scene import Canvas, Colour

GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
LEAST_RADIUS_PER_LEAF_PX = 3.0
"""Small rosettes have few leaves: more would be specks that nobody can count."""

_STEPS = 15
_FRACTION_BITS = 4

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf: direction in radians, whole length with petiole, width of the blade by its length, petiole's share."""

    angle: float
    length_px: float
    aspect: float
    petiole: float
    cotyledon: bool


@dataclass(frozen=True, slots=True)
class Shadow:
    """Where shadows fall, as signs of y and x, and how dark they are."""

    down: int
    right: int
    depth: float


def grow(rng: np.random.Generator, radius_px: float) -> list[Leaf]:
    """The leaves of a plant, lowest first; the largest reach ``radius_px``."""
    most = np.clip(radius_px / LEAST_RADIUS_PER_LEAF_PX, 2, 16)
    count = 0 if rng.random() < 0.15 else int(np.clip(rng.geometric(0.12) - 1, 0, most))
    return _cotyledons(rng, radius_px, count) + _true_leaves(rng, radius_px, count)


def _cotyledons(rng: np.random.Generator, radius_px: float, count: int) -> list[Leaf]:
    if count > 8:
        return []
    angle = rng.uniform(0, 2 * np.pi)
    length_px = radius_px * (rng.uniform(0.25, 0.6) if count > 2 else rng.uniform(0.7, 1))
    return [
        Leaf(
            angle=angle + side + rng.normal(0, 0.15),
            length_px=length_px * rng.uniform(0.85, 1.1),
            aspect=rng.uniform(0.6, 0.95),
            petiole=rng.uniform(0.2, 0.6),
            cotyledon=True,
        )
        for side in (0, np.pi)
    ]


def _true_leaves(rng: np.random.Generator, radius_px: float, count: int) -> list[Leaf]:
    start, aspect, petiole = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.85), rng.uniform(0.15, 0.55)
    leaves = []
    for index in range(count):
        age = (count - index) / count
        leaves.append(
            Leaf(
                angle=start + index * GOLDEN_ANGLE + rng.normal(0, 0.12),
                length_px=radius_px * float(np.clip(age * 1.25 + rng.normal(0, 0.08), 0.12, 1)),
                aspect=aspect * rng.uniform(0.85, 1.15),
                petiole=petiole * rng.uniform(0.7, 1.2) * min(1, 0.3 + age),
                cotyledon=False,
            )
        )
    return leaves


def leaf_colour(rng: np.random.Generator) -> Colour:
    """Green from yellowish to bluish; at times pale as by cold light, seldom reddish or withered."""
    if rng.random() < 0.03:
        return np.array([rng.uniform(40, 90), rng.uniform(70, 130), rng.uniform(80, 150)], np.float32)
    green = rng.uniform(95, 205)
    if rng.random() < 0.2:
        return (green * np.array([rng.uniform(0.72, 0.92), 1, rng.uniform(0.8, 0.97)])).astype(np.float32)
    return np.array([min(rng.uniform(20, 90), 0.7 * green), green, min(rng.uniform(45, 150), 0.85 * green)], np.float32)


def paint_plant(
    rng: np.random.Generator, canvas: Canvas, y: float, x: float, radius_px: float, colour: Colour, shadow: Shadow
) -> None:
    """Paint a rosette with its stem at (y, x)."""
    plant = canvas.add_plant(y, x)
    petiole_px = max(1, round(radius_px * 0.025 * rng.uniform(0.7, 1.6)))
    reach_px = int(min(6, radius_px * 0.06))
    for leaf in grow(rng, radius_px):
        _Brush(rng, canvas, leaf, (x, y), reach_px).paint(canvas.add_leaf(plant), colour, petiole_px, shadow)


def seedling_colour(rng: np.random.Generator) -> Colour:
    """That of any leaf, or yellow as long as it has seen little light, or nearly grey."""
    kind = rng.random()
    if kind < 0.25:
        light = rng.uniform(80, 190)
        return (light * np.array([rng.uniform(0.72, 0.95), 1, rng.uniform(0.82, 0.98)])).astype(np.float32)
    if kind < 0.55:
        light = rng.uniform(110, 230)
        return (light * np.array([rng.uniform(0.4, 0.8), 1, rng.uniform(0.88, 1.03)])).astype(np.float32)
    return leaf_colour(rng)


def paint_seedling(
    rng: np.random.Generator,
    canvas: Canvas,
    y: float,
    x: float,
    length_px: float,
    colour: Colour,
    shadow: Shadow,
    closed: float,
) -> None:
    """Paint two cotyledons and perhaps a first leaf on a stalk that comes out of the soil at (y, x) and leans.

    ``closed`` is how likely the cotyledons lie against each other still.
    """
    angle, lean_px = rng.uniform(0, 2 * np.pi), length_px * rng.uniform(0, 1.6)
    top_y, top_x = y + lean_px * np.sin(angle), x + lean_px * np.cos(angle)
    if lean_px > 2:
        stalk = np.array([110, 150, 150]) * rng.uniform(0.5, 1.3) * (1 + rng.normal(0, 0.1, 3))
        ends = np.round(np.array([[x, y], [top_x, top_y]]) * 2**_FRACTION_BITS).astype(np.int32)
        thickness = max(1, round(length_px * 0.08))
        cv2.polylines(canvas.picture, [ends], False, stalk.tolist(), thickness, cv2.LINE_AA, _FRACTION_BITS)
    plant = canvas.add_plant(top_y, top_x)
    still_closed = rng.random() < closed
    opened = rng.uniform(0, 0.7) if still_closed else rng.uniform(1.6, np.pi)
    aspect, petiole = rng.uniform(0.3, 0.6) if still_closed else rng.uniform(0.5, 0.95), rng.uniform(0.05, 0.45)
    leaves = [
        Leaf(angle + side, length_px * rng.uniform(0.85, 1.1), aspect, petiole, cotyledon=True)
        for side in (-opened / 2, opened / 2)
    ]
    if length_px > 12 and rng.random() < 0.25:
        leaves.append(Leaf(rng.uniform(0, 2 * np.pi), length_px * rng.uniform(0.2, 0.6), 0.5, 0.2, cotyledon=False))
    for leaf in leaves:
        brush = _Brush(rng, canvas, leaf, (top_x, top_y), int(min(6, length_px * 0.06)))
        brush.paint(canvas.add_leaf(plant), colour, max(1, round(length_px * 0.05)), shadow)


def paint_leaves(
    rngs: Sequence[np.random.Generator],
    canvas: Canvas,
    stem: tuple[float, float],
    leaves: Sequence[Leaf],
    colour: Colour,
    shadow: Shadow,
) -> None:
    """Paint given leaves, lowest first, on a stem at (y, x).

    Each leaf has a generator of its own: the same one gives it the same look when it is painted again, larger.
    """
    plant = canvas.add_plant(*stem)
    radius_px = max(leaf.length_px for leaf in leaves)
    for rng, leaf in zip(rngs, leaves, strict=True):
        brush = _Brush(rng, canvas, leaf, (stem[1], stem[0]), int(min(6, radius_px * 0.06)))
        brush.paint(canvas.add_leaf(plant), colour, max(1, round(radius_px * 0.025)), shadow)


def paint_blade(
    rng: np.random.Generator,
    canvas: Canvas,
    base: tuple[float, float],
    leaf: Leaf,
    number: int,
    colour: Colour,
    shadow: Shadow,
) -> None:
    """Paint a single leaf that grows from (y, x), as part ``number``."""
    reach_px = int(min(6, leaf.length_px * 0.06))
    _Brush(rng, canvas, leaf, (base[1], base[0]), reach_px).paint(
        number, colour, max(1, round(leaf.length_px * 0.03)), shadow
    )


class _Brush:
    """Paints one leaf inside the window that it can touch."""

    def __init__(
        self, rng: np.random.Generator, canvas: Canvas, leaf: Leaf, stem: tuple[float, float], shadow_px: int
    ) -> None:
        self.rng, self.canvas, self.leaf, self.shadow_px = rng, canvas, leaf, shadow_px
        self.stem = np.asarray(stem)
        self.length_px = max(leaf.length_px, 3.0)
        self.blade_px = self.length_px * (1 - leaf.petiole)
        self.direction = np.array([np.cos(leaf.angle), np.sin(leaf.angle)])
        outline, midrib = _blade(rng, self.blade_px, self.blade_px * min(leaf.aspect, 1.0), leaf.cotyledon)
        self.outline, self.midrib = self._placed(outline), self._placed(midrib)
        low = np.floor(np.minimum(self.outline.min(0), self.stem)).astype(int) - 4
        high = np.ceil(np.maximum(self.outline.max(0), self.stem)).astype(int) + 5 + shadow_px
        height, width = canvas.shape
        self.left, self.top = max(0, low[0]), max(0, low[1])
        self.right, self.bottom = min(width, high[0]), min(height, high[1])

    def paint(self, number: int, colour: Colour, petiole_px: int, shadow: Shadow) -> None:
        """Paint shadow, petiole and blade, and claim their pixels for leaf ``number``."""
        if self.right - self.left < 2 or self.bottom - self.top < 2:
            return
        window = (slice(self.top, self.bottom), slice(self.left, self.right))
        blade, petiole = self._blade_cover(), self._petiole_cover(petiole_px)
        cover = np.maximum(blade, petiole)
        picture = self.canvas.picture[window]
        if self.shadow_px:
            picture *= 1 - self._shade_below(cover, shadow)[..., None]
        shaded = self._shaded(colour * self.rng.uniform(0.75, 1.2))
        stalk = shaded if self.rng.random() < 0.6 else 0.8 * shaded + np.array([12, 8, 16], np.float32)
        visible_stalk = (petiole * (1 - blade))[..., None]
        picture += visible_stalk * (stalk - picture)
        picture += blade[..., None] * (shaded - picture)
        self.canvas.leaves[window][cover > 0.5] = number

    def _placed(self, points: Points) -> Points:
        cosine, sine = self.direction
        from_stem = points + np.array([self.length_px - self.blade_px, 0])
        return np.asarray(from_stem @ np.array([[cosine, sine], [-sine, cosine]]) + self.stem)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return np.asarray(np.round((points - [self.left, self.top]) * 2**_FRACTION_BITS), np.int32)

    def _empty(self) -> NDArray[np.uint8]:
        return np.zeros((self.bottom - self.top, self.right - self.left), np.uint8)

    def _blade_cover(self) -> NDArray[np.float32]:
        cover = cv2.fillPoly(self._empty(), [self._fixed(self.outline)], 255, cv2.LINE_AA, _FRACTION_BITS)
        return np.asarray(cover / np.float32(255), np.float32)

    def _petiole_cover(self, width_px: int) -> NDArray[np.float32]:
        ends = self._fixed(np.stack([self.stem, self.midrib[0]]))
        cover = cv2.polylines(self._empty(), [ends], False, 255, width_px, cv2.LINE_AA, _FRACTION_BITS)
        return np.asarray(cover / np.float32(255), np.float32)

    def _shade_below(self, cover: NDArray[np.float32], shadow: Shadow) -> NDArray[np.float32]:
        shift = (shadow.down * self.shadow_px // 2, shadow.right * self.shadow_px // 2)
        soft = cv2.GaussianBlur(np.roll(cover, shift, (0, 1)), (0, 0), max(0.8, self.shadow_px / 2))
        return np.asarray(soft, np.float32) * shadow.depth

    def _shaded(self, colour: Colour) -> NDArray[np.float32]:
        """The blade's colour over the window: bent, cupped, mottled and veined."""
        rng, (cosine, sine) = self.rng, self.direction
        y = np.arange(self.top, self.bottom, dtype=np.float32)[:, None] - np.float32(self.stem[1])
        x = np.arange(self.left, self.right, dtype=np.float32)[None, :] - np.float32(self.stem[0])
        lengthwise = rng.uniform(-0.25, 0.25) / self.length_px
        crosswise = rng.uniform(-0.18, 0.18) / max(self.blade_px * self.leaf.aspect / 2, 1)
        by_y = y * np.float32(lengthwise * sine + crosswise * cosine)
        by_x = x * np.float32(lengthwise * cosine - crosswise * sine)
        light = 0.05 * field(rng, (y.shape[0], x.shape[1]), 3)
        light += by_y + np.float32(1 - 0.6 * lengthwise * self.length_px)
        light += by_x
        if self.blade_px > 12:
            light *= 1 + np.float32(rng.uniform(-0.1, 0.25)) * self._veins()
        tint = (colour * (1 + rng.normal(0, 0.05, 3))).astype(np.float32)
        return np.asarray(tint * light[..., None], np.float32)

    def _veins(self) -> NDArray[np.float32]:
        veins = self._empty()
        cv2.polylines(veins, [self._fixed(self.midrib)], False, 255, max(1, int(self.blade_px / 40)), cv2.LINE_AA, 4)
        if self.blade_px > 40:
            sideways = np.array([-self.direction[1], self.direction[0]]) * self.blade_px * self.leaf.aspect * 0.3
            for step in range(3, 12, 2):
                forward = self.midrib[step] + 1.2 * (self.midrib[step + 2] - self.midrib[step])
                for side in (1, -1):
                    ends = self._fixed(np.stack([self.midrib[step], forward + side * sideways]))
                    cv2.polylines(veins, [ends], False, 128, 1, cv2.LINE_AA, _FRACTION_BITS)
        return np.asarray(veins / np.float32(255), np.float32)


def _blade(rng: np.random.Generator, length_px: float, width_px: float, cotyledon: bool) -> tuple[Points, Points]:
    """Outline and midrib of a blade that begins at the origin and points along x."""
    along = np.linspace(0, 1, _STEPS)
    if cotyledon:
        profile = np.sin(np.pi * along) ** 0.6
    else:
        profile = np.sin(np.pi * along ** rng.uniform(0.8, 1.7)) ** rng.uniform(0.6, 1.0)
        if rng.random() < 0.3:
            profile = profile * (1 + 0.12 * np.sin(along * rng.uniform(15, 30)))
    bend = rng.normal(0, 0.12) * length_px * along**2
    half = profile * width_px / 2
    edges = [np.stack([along * length_px, bend + side * half], 1) for side in (1, -1)]
    return np.concatenate([edges[0], edges[1][::-1]]), np.stack([along * length_px, bend], 1)
