"""A camera on a rail that passes over a long bench of pots: every plant is known in each picture by its number."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.timelapse import Moment, Tray, render_timelapse

NOON_H = 12.0


@dataclass(frozen=True, slots=True)
class Rail:
    """How the camera goes.

    Attributes:
        step_px: from picture to picture along the bench, in the mean.
        jitter: how unevenly, as a share of the step.
        shake_px: to the sides, from picture to picture.
        roll_degree: turns around the camera's axis, a slow sway.
        back: it returns along the same way.
    """

    step_px: float = 60.0
    jitter: float = 0.3
    shake_px: float = 4.0
    roll_degree: float = 1.0
    back: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """One picture of a fly-over.

    Attributes:
        pixels: uint8 [H, W, 3], BGR.
        plants: rows (number, x, y) of the plants whose middle is in sight, float64 [n, 3].
    """

    pixels: NDArray[np.uint8]
    plants: NDArray[np.float64]


def render_flyover(
    seed: int, rail: Rail, *, columns: int = 18, day: int = 12, height_px: int = 720, width_px: int = 1280
) -> Iterator[Passage]:
    """Pictures along a bench of three rows of pots, some of them empty; the same for a seed."""
    rng = np.random.default_rng((17, seed))
    bench = _bench(seed, columns, day, height_px)
    numbers, places = _plants(bench)
    for x, y, angle in _way(rng, rail, bench.scene.pixels.shape[1], width_px):
        turn = cv2.getRotationMatrix2D((x + width_px / 2, height_px / 2), angle, 1)
        turn[:, 2] -= (x, y)
        light = np.float32(1 + rng.normal(0, 0.03))
        seen = cv2.warpAffine(bench.scene.pixels, turn, (width_px, height_px), borderMode=cv2.BORDER_REFLECT_101)
        noisy = seen.astype(np.float32) * light + rng.normal(0, 2, seen.shape)
        points = places @ turn[:, :2].T + turn[:, 2]
        inside = ((points >= 0) & (points < (width_px, height_px))).all(axis=1)
        plants = np.column_stack([numbers[inside], points[inside]])
        yield Passage(np.clip(noisy, 0, 255).astype(np.uint8), plants)


def _bench(seed: int, columns: int, day: int, height_px: int) -> Moment:
    tray = Tray(rows=3, columns=columns, height_px=height_px, width_px=columns * 228 + 140)
    at_h = day * 24 + NOON_H
    *_, last = render_timelapse(seed, tray, days=2 * at_h / 24, step_h=at_h, empty=columns // 4)
    return last


def _way(rng: np.random.Generator, rail: Rail, bench_px: int, width_px: int) -> Iterator[tuple[float, float, float]]:
    """Left and top edge of the picture on the bench in px, and how it is turned, in degrees."""
    last = float(bench_px - width_px)
    x, forward, phase = 0.0, True, rng.uniform(0, 2 * np.pi)
    for index in range(10_000):
        sway = np.sin(phase + index / 9)
        yield x, float(rng.normal(0, rail.shake_px)), rail.roll_degree * float(sway)
        if (x >= last and not rail.back) or (x <= 0 and not forward):
            return
        if x >= last:
            forward = False
        step = rail.step_px * max(0.1, 1 + rng.normal(0, rail.jitter)) * (1 if forward else -1)
        x = float(np.clip(x + step, 0, last))


def _plants(bench: Moment) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of the plants, and their middles (x, y)."""
    number, y, x = bench.scene.labels.centres[0].astype(np.float64).T
    return number, np.stack([x, y], axis=1)
