"""Fruit on the vine, from the side: rows of tomato plants behind each other, and the house around them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.labels import Labels, exact
from training.synthetic.camera import develop
from training.synthetic.foliage import Leaf, Shadow, leaf_colour, paint_blade
from training.synthetic.fruit import Fruit, Light, hang_truss, paint_fruit, sepal_colour
from training.synthetic.ground import bench, mat, soil
from training.synthetic.noise import field
from training.synthetic.scene import Canvas, Colour, Picture, Scene

CLASSES, THINGS = ("background", "leaf", "fruit"), ("fruit",)
"""What pixels can be (stems and stalks count as leaf), and what is counted."""

LEAF, FRUIT = 1, 2
FOLIAGE = 1
"""Number of every leaf and stem in ``Canvas.leaves``; fruit have the numbers above."""

LEAST_SEEN_PX, LEAST_SEEN_SHARE = 24, 0.2
"""A fruit of which less is seen, or a smaller share, nobody is asked to count."""


def render_vines(seed: int, height_px: int, width_px: int) -> Scene:
    """A scene; the same seed and size give the same one."""
    return render_ripening(seed, height_px, width_px)[0]


def render_ripening(seed: int, height_px: int, width_px: int) -> tuple[Scene, NDArray[np.float32]]:
    """The same scene, and how ripe the skin of its fruit is at each pixel, in 0…1, float32 [H, W]."""
    rng = np.random.default_rng((13, seed))
    canvas = Canvas.on(_house(rng, (height_px, width_px)))
    light, fruit = Light.any(rng), list[Fruit]()
    distances = sorted(rng.uniform(0.25, 2.6, int(rng.integers(1, 4))), reverse=True)
    for distance in distances:
        _row(rng, canvas, _Row.at(rng, distance, max(canvas.shape)), light, fruit)
        if rng.random() < 0.3:
            blur_px = rng.uniform(0.3, 1.5) * distance
            canvas.picture[:] = cv2.GaussianBlur(canvas.picture, (0, 0), blur_px)
    scene = Scene(develop(rng, canvas.picture, canvas.leaves == FOLIAGE), _labels(canvas, fruit))
    return scene, canvas.ripeness


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of plants as far away as ``scale`` says: 1 is where a fruit is a tenth of the picture across."""

    radius_px: float
    leaf_px: float
    stems: int
    leaves: int
    trusses: int
    colour: Colour
    dark: float

    @classmethod
    def at(cls, rng: np.random.Generator, distance: float, side_px: int) -> "_Row":
        """A row at ``distance``; near ones have few and large leaves, far ones are darker."""
        scale = side_px / distance
        green = leaf_colour(rng) * np.float32(rng.uniform(0.45, 0.95))
        return cls(
            radius_px=scale * rng.uniform(0.03, 0.06),
            leaf_px=scale * rng.uniform(0.14, 0.3),
            stems=int(rng.integers(0, 3 + round(distance))),
            leaves=int(rng.integers(0, 4 + round(4 * distance))),
            trusses=int(rng.integers(0, 1 + round(1.6 * distance + 0.7))),
            colour=green,
            dark=float(np.clip(1.15 - 0.15 * distance + rng.normal(0, 0.1), 0.4, 1.1)),
        )


def _row(rng: np.random.Generator, canvas: Canvas, row: _Row, light: Light, fruit: list[Fruit]) -> None:
    """Stems and wires, then leaves and trusses in any order, so that each can hide the other."""
    height, width = canvas.shape
    for _ in range(row.stems):
        _stem(rng, canvas, row.radius_px * rng.uniform(0.12, 0.35))
    parts = [True] * row.leaves + [False] * row.trusses
    rng.shuffle(parts)
    for is_leaf in parts:
        y, x = rng.uniform(-0.1, 1.0) * height, rng.uniform(-0.05, 1.05) * width
        if is_leaf:
            _compound_leaf(rng, canvas, y, x, row)
            continue
        truss = hang_truss(rng, y, x, row.radius_px)
        _stalk(rng, canvas, (y, x), truss)
        for each in truss:
            fruit.append(each)
            paint_fruit(rng, canvas, each, FOLIAGE + len(fruit), light)


def _stem(rng: np.random.Generator, canvas: Canvas, thickness_px: float) -> None:
    """A vine from top to bottom, or the string that holds one."""
    height, width = canvas.shape
    string = rng.random() < 0.3
    along = np.linspace(-0.05, 1.05, 12)
    sway = np.cumsum(rng.normal(0, 0.02, 12)) + rng.normal(0, 0.25) * along
    points = np.stack([(rng.uniform(0, 1) + sway) * width, along * height], 1)
    thickness = 1 if string else max(1, round(thickness_px))
    tint = np.full(3, rng.uniform(120, 230), np.float32) if string else sepal_colour(rng)
    _line(canvas, points, tint, thickness, claims=not string)


def _stalk(rng: np.random.Generator, canvas: Canvas, top: tuple[float, float], truss: list[Fruit]) -> None:
    lowest = max(truss, key=lambda each: each.y)
    middle = float(np.mean([each.x for each in truss]))
    points = np.array([[top[1], top[0] - lowest.radius_px], [middle, (top[0] + lowest.y) / 2], [middle, lowest.y]])
    _line(canvas, points, sepal_colour(rng), max(1, round(0.14 * lowest.radius_px)), claims=True)


def _line(canvas: Canvas, points: np.ndarray, colour: Colour, thickness: int, *, claims: bool) -> None:
    fixed = [np.round(points * 16).astype(np.int32)]
    cv2.polylines(canvas.picture, fixed, False, colour.tolist(), thickness, cv2.LINE_AA, 4)
    if claims:
        cv2.polylines(canvas.leaves, fixed, False, FOLIAGE, thickness, cv2.LINE_8, 4)


def _compound_leaf(rng: np.random.Generator, canvas: Canvas, y: float, x: float, row: _Row) -> None:
    """Leaflets in pairs along a stalk that bends down, and one at its end; or one leaf, seen from near."""
    pairs = int(rng.integers(0, 4))
    direction, shadow = rng.uniform(0, np.pi) if rng.random() < 0.8 else rng.uniform(0, 2 * np.pi), Shadow(1, 1, 0.3)
    colour = (row.colour * np.float32(row.dark) * rng.uniform(0.75, 1.25)).astype(np.float32)
    long_px = row.leaf_px * rng.uniform(0.7, 1.4)
    step = np.array([np.sin(direction), np.cos(direction)]) * long_px * 0.45
    place = np.array([y, x])
    for pair in range(pairs):
        for side in (-1, 1):
            angle = direction + side * rng.uniform(0.7, 1.4)
            _leaflet(rng, canvas, place + pair * step, angle, long_px * rng.uniform(0.5, 0.8), colour, shadow)
    _leaflet(rng, canvas, place + pairs * step, direction, long_px * rng.uniform(0.8, 1.2), colour, shadow)


def _leaflet(
    rng: np.random.Generator,
    canvas: Canvas,
    place: np.ndarray,
    angle: float,
    length_px: float,
    colour: Colour,
    shadow: Shadow,
) -> None:
    leaf = Leaf(angle + rng.normal(0, 0.15), length_px, rng.uniform(0.4, 0.7), 0.12, cotyledon=False)
    paint_blade(rng, canvas, (float(place[0]), float(place[1])), leaf, FOLIAGE, colour, shadow)


def _house(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """What is behind the plants: foil, walls and floor, at times plants out of focus; beams and gutters before."""
    height, _ = shape
    wall = rng.choice(4, p=[0.55, 0.15, 0.1, 0.2])
    if wall == 0:
        grey = rng.uniform(90, 235) * (1 + rng.normal(0, 0.05, 3))
        picture = (grey * (1 + 0.18 * field(rng, shape, height / 3) + 0.05 * field(rng, shape, 12))[..., None]).astype(
            np.float32
        )
    elif wall == 3:
        green = leaf_colour(rng) * np.float32(rng.uniform(0.2, 0.6))
        clumps = 1 + 0.5 * field(rng, shape, rng.uniform(10, 60)) + 0.2 * field(rng, shape, 8)
        picture = (green * clumps[..., None]).astype(np.float32)
        glow = np.clip(field(rng, shape, 60) - 1.0, 0, 1)[..., None]
        picture += glow * (210 - picture)
    else:
        picture = (bench if wall == 1 else mat if rng.random() < 0.3 else soil)(rng, shape)
    for _ in range(int(rng.integers(0, 6))):
        _beam(rng, picture)
    return picture


def _beam(rng: np.random.Generator, picture: Picture) -> None:
    """A gutter, a pipe or a post: long and straight, with a lit and a dark edge."""
    height, width = picture.shape[:2]
    thick, upright = rng.uniform(2, 60), rng.random() < 0.3
    middle, slope = rng.uniform(0, 1) * (width if upright else height), rng.normal(0, 0.12)
    rusty = rng.random() < 0.25
    colour = np.array([50, 70, 120]) * rng.uniform(0.5, 1.4) if rusty else np.full(3, rng.uniform(40, 250))
    for share, light in ((1.0, 0.6), (0.8, 1.0), (0.3, 1.15)):
        ends = np.array([[-10.0, middle - slope * width / 2], [width + 10.0, middle + slope * width / 2]])
        ends = ends[:, ::-1] * [1, height / width] if upright else ends
        start, end = ((int(x), int(y)) for x, y in ends)
        cv2.line(picture, start, end, (colour * light).tolist(), max(1, int(thick * share)), cv2.LINE_AA)


def _labels(canvas: Canvas, fruit: list[Fruit]) -> Labels:
    """Classes and fruit as they are seen; a fruit's place is the middle of the box around the whole of it."""
    height, width = canvas.shape
    numbers = np.where(canvas.leaves > FOLIAGE, canvas.leaves - np.uint16(FOLIAGE), 0).astype(np.uint16)
    seen_px = np.bincount(numbers.ravel(), minlength=len(fruit) + 1)
    kept = np.zeros(len(fruit) + 1, np.bool_)
    centres = []
    for number, each in enumerate(fruit, start=1):
        kept[number] = seen_px[number] >= max(LEAST_SEEN_PX, LEAST_SEEN_SHARE * np.pi * each.radius_px**2 * each.aspect)
        if kept[number]:
            tall = each.radius_px * each.aspect
            y = (max(0.0, each.y - tall) + min(height - 1.0, each.y + tall)) / 2
            x = (max(0.0, each.x - each.radius_px) + min(width - 1.0, each.x + each.radius_px)) / 2
            centres.append((number, y, x))
    return Labels(
        classes=np.where(numbers > 0, FRUIT, canvas.leaves > 0).astype(np.uint8),
        instances=np.where(kept[numbers], numbers, 0)[None].astype(np.uint16),
        centres=(np.array(centres, np.float32).reshape(-1, 3),),
        grouped=0,
        allowed=exact(len(CLASSES)),
    )
