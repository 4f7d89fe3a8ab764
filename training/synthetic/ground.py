"""What plants stand on: soil with its crumbs, perlite and algae, woven mats, and plain benches."""

from collections.abc import Callable

import cv2
import numpy as np

from training.synthetic.noise import field
from training.synthetic.scene import Colour, Picture

Ground = Callable[[np.random.Generator, tuple[int, int]], Picture]


def not_green(colour: Colour) -> Colour:
    """A colour that no leaf would have by white light: a green one gives its green to its red."""
    blue, green, red = colour
    return np.array([blue, red, green], np.float32) if green > max(blue, red) + 8 else colour


def soil(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Crumbs of several sizes; at times perlite, fibres or algae."""
    base = np.array([rng.uniform(20, 60), rng.uniform(28, 75), rng.uniform(35, 95)], np.float32) * rng.uniform(0.5, 1.5)
    crumb_px = rng.uniform(1, 4)
    relief = 1 + rng.uniform(0.05, 0.25) * field(rng, shape, crumb_px)
    relief += rng.uniform(0.1, 0.3) * field(rng, shape, 4 * crumb_px) + rng.uniform(0, 0.2) * field(rng, shape, 40)
    ground: Picture = base * relief[..., None]
    if rng.random() < 0.6:
        _strew_perlite(rng, ground)
    if rng.random() < 0.45:
        _strew_fibres(rng, ground)
    if rng.random() < 0.25:
        _grow_algae(rng, ground)
    return ground


def _strew_perlite(rng: np.random.Generator, ground: Picture) -> None:
    shape = ground.shape[0], ground.shape[1]
    grains = field(rng, shape, rng.uniform(2, 6)) > rng.uniform(1.6, 2.6)
    shine = rng.uniform(0.5, 1.1) * (1 + 0.15 * field(rng, shape, 2)[grains])
    ground[grains] = np.array([150, 180, 200], np.float32) * shine[:, None]


def _strew_fibres(rng: np.random.Generator, ground: Picture) -> None:
    """Straws and twigs, some of them bent or forked as two cotyledons are, but brown."""
    height, width = ground.shape[:2]
    longest_px = rng.uniform(5, 30)
    for _ in range(int(rng.integers(4, 60))):
        knee = rng.uniform(0, 1, 2) * (width, height)
        turns = rng.uniform(0, 2 * np.pi) + np.array([0.0, rng.uniform(0.5, np.pi) if rng.random() < 0.5 else np.pi])
        ends = knee + rng.uniform(0.2, 0.5, (2, 1)) * longest_px * np.stack([np.cos(turns), np.sin(turns)], 1)
        brown = np.array([1.0, rng.uniform(1.1, 1.4), rng.uniform(1.4, 1.9)]) * rng.uniform(30, 120)
        points = np.round(np.stack([ends[0], knee, ends[1]]) * 16).astype(np.int32)
        cv2.polylines(ground, [points], False, brown.tolist(), int(rng.integers(1, 3)), cv2.LINE_AA, 4)


def _grow_algae(rng: np.random.Generator, ground: Picture) -> None:
    """Green, but dull and without a shape: what a threshold takes for plants."""
    shape = ground.shape[0], ground.shape[1]
    cover = np.clip(field(rng, shape, 30) - rng.uniform(0.3, 1.3), 0, 1)[..., None] * rng.uniform(0.2, 0.7)
    colour = np.array([rng.uniform(30, 60), rng.uniform(60, 95), rng.uniform(50, 80)], np.float32)
    ground += cover * (colour * (1 + 0.2 * field(rng, shape, 2)[..., None]) - ground)


def mat(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Woven or dotted cloth."""
    y, x = np.indices(shape, np.float32)
    period_px, angle = rng.uniform(4, 26), rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    turn = np.float32(2 * np.pi / period_px)
    weave = np.sin(turn * along) * np.sin(turn * rng.choice([0.5, 1.0, 2.0]) * across)
    if rng.random() < 0.5:
        weave = np.tanh(3 * weave)
    grey = np.full(3, rng.uniform(10, 90), np.float32)
    base = not_green(rng.uniform(15, 150, 3).astype(np.float32)) if rng.random() < 0.5 else grey
    relief = 1 + rng.uniform(0.1, 0.5) * weave + 0.12 * field(rng, shape, 2) + 0.1 * field(rng, shape, 30)
    return np.asarray(base * relief[..., None], np.float32)


def bench(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Plastic, wood or metal: one colour, a little uneven."""
    tint = rng.uniform(0.02, 0.25)  # white boards and walls have hardly any, and are often overexposed
    base = not_green((rng.uniform(15, 280) * (1 + rng.uniform(-tint, tint, 3))).astype(np.float32))
    return (base * (1 + 0.05 * field(rng, shape, 60) + 0.02 * field(rng, shape, 2))[..., None]).astype(np.float32)


def any_ground(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Soil, mat or bench."""
    grounds: list[Ground] = [soil, mat, bench]
    return grounds[rng.choice(3, p=[0.55, 0.27, 0.18])](rng, shape)
