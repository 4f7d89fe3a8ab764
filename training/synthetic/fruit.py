"""Tomatoes: a ball with its shade, shine and calyx, in any state of ripeness, hanging in trusses."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import field
from training.synthetic.scene import Canvas, Colour

RIPENESS: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.0, (70, 140, 95)),
    (0.35, (85, 170, 150)),
    (0.55, (50, 150, 215)),
    (0.75, (35, 85, 215)),
    (1.0, (30, 35, 190)),
)
"""Colour along ripening, from green over breaker and turning to red: stages of the USDA's chart, seen by cameras."""

CHANGED_FROM, RED_FROM = 0.4, 0.55
"""Where along ripening skin is no longer green, as red passes green (it is tannish-yellow), and where it is red."""


@dataclass(frozen=True, slots=True)
class Fruit:
    """One fruit: its middle, radius in px across, height by width, ripeness in 0…1."""

    y: float
    x: float
    radius_px: float
    aspect: float
    ripeness: float


@dataclass(frozen=True, slots=True)
class Light:
    """Where light comes from, as a unit vector (down, right, towards the camera), and what shade leaves of it."""

    direction: tuple[float, float, float]
    ambient: float

    @classmethod
    def any(cls, rng: np.random.Generator) -> "Light":
        """From above, somewhere."""
        vector = np.array([-rng.uniform(0.3, 1), rng.normal(0, 0.5), rng.uniform(0.4, 1)])
        down, right, near = vector / np.linalg.norm(vector)
        return cls((float(down), float(right), float(near)), rng.uniform(0.3, 0.7))


def colour_of(ripeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blue, green and red of fruit skin, [..., 3]."""
    stages = [stage for stage, _ in RIPENESS]
    return np.stack(
        [np.interp(ripeness, stages, [colour[channel] for _, colour in RIPENESS]) for channel in range(3)], -1
    ).astype(np.float32)


def hang_truss(rng: np.random.Generator, y: float, x: float, radius_px: float) -> list[Fruit]:
    """Fruit on both sides of a stalk that hangs from (y, x), the topmost the ripest; those behind come first."""
    lean, apart = rng.normal(0, 0.15), rng.uniform(1.25, 1.9)
    first, aspect = rng.choice([0.0, 0.35, 0.9, 1.15], p=[0.3, 0.15, 0.15, 0.4]), rng.uniform(0.8, 1.12)
    fruit = []
    for index in range(int(rng.integers(1, 11))):
        radius = radius_px * rng.uniform(0.82, 1.1)
        along = radius_px * (1 + 0.5 * apart * index)
        side = (-1) ** index * radius_px * rng.uniform(0.55, 1.0)
        fruit.append(
            Fruit(
                y=y + along + rng.normal(0, 0.1 * radius_px),
                x=x + lean * along + side + rng.normal(0, 0.1 * radius_px),
                radius_px=radius,
                aspect=aspect * rng.uniform(0.95, 1.05),
                ripeness=float(np.clip(first - 0.07 * index * rng.uniform(0, 2) + rng.normal(0, 0.05), 0, 1)),
            )
        )
    return [fruit[index] for index in rng.permutation(len(fruit))]


def paint_fruit(rng: np.random.Generator, canvas: Canvas, fruit: Fruit, number: int, light: Light) -> None:
    """Paint a fruit and claim its pixels for ``number``."""
    reach = int(fruit.radius_px * max(1, fruit.aspect)) + 3
    height, width = canvas.shape
    top, left = max(0, int(fruit.y) - reach), max(0, int(fruit.x) - reach)
    bottom, right = min(height, int(fruit.y) + reach + 1), min(width, int(fruit.x) + reach + 1)
    if bottom - top < 2 or right - left < 2:
        return
    window = (slice(top, bottom), slice(left, right))
    rows, columns = np.ogrid[top:bottom, left:right]
    down = (rows.astype(np.float32) - np.float32(fruit.y)) / np.float32(fruit.radius_px * fruit.aspect)
    across = (columns.astype(np.float32) - np.float32(fruit.x)) / np.float32(fruit.radius_px)
    within = 1 - down**2 - across**2
    near = np.sqrt(np.maximum(within, 0))
    facing = light.direction[0] * down + light.direction[1] * across + light.direction[2] * near
    shade = light.ambient + (1 - light.ambient) * np.maximum(facing, 0)
    shine = np.maximum(facing, 0) ** 40 * rng.uniform(20, 170)
    ripeness = _ripeness(rng, fruit, down, across)
    skin = _skin(rng, fruit, ripeness)
    look = skin * (shade * (0.75 + 0.25 * near))[..., None] + shine[..., None]
    cover = np.clip(within * fruit.radius_px / 2 + 0.5, 0, 1)
    canvas.picture[window] += cover[..., None] * (look - canvas.picture[window])
    claimed = cover > 0.5
    canvas.leaves[window][claimed] = number
    canvas.ripeness[window][claimed] = ripeness[claimed]
    if rng.random() < 0.65 and fruit.radius_px > 5:
        _calyx(rng, canvas, fruit)


def _ripeness(
    rng: np.random.Generator, fruit: Fruit, down: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Of each place of the skin. It ripens from the blossom end, so a turning fruit has a greener shoulder."""
    spread = rng.uniform(0, 0.25) * (1 - abs(2 * fruit.ripeness - 1))
    return np.clip(fruit.ripeness + spread * (down + 0.3 * across), 0, 1).astype(np.float32)


def _skin(rng: np.random.Generator, fruit: Fruit, ripeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Its colours; a little mottled."""
    tint = colour_of(ripeness) * (1 + rng.normal(0, 0.08, 3)) * rng.uniform(0.6, 1.15)
    if fruit.radius_px > 12:
        tint *= 1 + 0.03 * field(rng, ripeness.shape, fruit.radius_px / 4)[..., None]
    return np.asarray(tint, np.float32)


def _calyx(rng: np.random.Generator, canvas: Canvas, fruit: Fruit) -> None:
    """Five or six sepals where the stalk holds; inside the fruit's outline they count as fruit."""
    centre = np.array(
        [
            fruit.x + rng.normal(0, 0.2) * fruit.radius_px,
            fruit.y - rng.uniform(0.4, 0.95) * fruit.radius_px * fruit.aspect,
        ]
    )
    start, colour = rng.uniform(0, 2 * np.pi), sepal_colour(rng)
    for sepal in range(int(rng.integers(5, 7))):
        angle = start + sepal * 2 * np.pi / 6 + rng.normal(0, 0.2)
        long, wide = fruit.radius_px * rng.uniform(0.35, 0.75), fruit.radius_px * rng.uniform(0.06, 0.14)
        along, aside = np.array([np.cos(angle), 0.6 * np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        outline = centre + np.stack([-aside * wide, along * long, aside * wide])
        cv2.fillPoly(canvas.picture, [np.round(outline * 16).astype(np.int32)], colour.tolist(), cv2.LINE_AA, 4)


def sepal_colour(rng: np.random.Generator) -> Colour:
    """Green of stalks and sepals."""
    return (np.array([60, 125, 95]) * rng.uniform(0.5, 1.3) * (1 + rng.normal(0, 0.08, 3))).astype(np.float32)
