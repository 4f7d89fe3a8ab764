"""From the light that falls on a scene to the bytes that a camera gives."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import field, grain
from training.synthetic.scene import Picture

GREEN = 1
LEAF_MOST = 260.0
"""Leaves reflect a tenth of the green light, paper nearly all of it: a camera that shows them white shows nothing."""


def develop(rng: np.random.Generator, picture: Picture, plants: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Light, lens, sensor and JPEG; uint8 [H, W, 3]. ``plants`` says where some are: a few of their pixels may clip."""
    lit = _lens(rng, _light(rng, picture, plants))
    shape = lit.shape[0], lit.shape[1]
    lit += rng.uniform(0, 8) * grain(rng, *shape)[..., None]
    for channel in range(3):
        lit[..., channel] += rng.uniform(0, 4) * grain(rng, *shape)
    pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return _compressed(pixels, int(rng.integers(50, 96))) if rng.random() < 0.6 else pixels


def _light(rng: np.random.Generator, picture: Picture, plants: NDArray[np.bool_]) -> Picture:
    """Exposure and white balance; at times dusk, purple lamps, a gradient, or the shadows of the house in the sun."""
    exposure = _automatic_exposure(rng, picture) if rng.random() < 0.6 else rng.uniform(0.45, 1.35)
    exposure = min(exposure, _most_exposure(picture, plants) * rng.uniform(0.8, 1.1))
    colour = exposure * (1 + rng.uniform(-0.18, 0.18, 3))
    if rng.random() < 0.08:
        colour = colour * rng.uniform(0.3, 0.6)
    if rng.random() < 0.06:
        colour = colour * np.array([1.1, rng.uniform(0.55, 0.8), 1.1])
    lit = picture * colour.astype(np.float32)
    shape = picture.shape[0], picture.shape[1]
    if rng.random() < 0.4:
        lit *= (1 + rng.uniform(0.05, 0.3) * field(rng, shape, shape[0] / 2))[..., None].astype(np.float32)
    if rng.random() < 0.15:
        lit *= _shadows(rng, shape)[..., None]
    if rng.random() < 0.25:  # dull light and cheap sensors leave little of the colours
        grey = cv2.cvtColor(lit, cv2.COLOR_BGR2GRAY)[..., None]
        lit += np.float32(rng.uniform(0.1, 0.65)) * (grey - lit)
    return np.asarray(lit, np.float32)


def _automatic_exposure(rng: np.random.Generator, picture: Picture) -> float:
    """What makes the brightest places nearly white, as cameras do, within what their shutters can."""
    bright = float(np.percentile(picture[::8, ::8].mean(2), 98))
    return float(np.clip(rng.uniform(140, 255) / max(bright, 1.0), 0.4, 3.0))


def _most_exposure(picture: Picture, plants: NDArray[np.bool_]) -> float:
    green = picture[..., GREEN][plants]
    return LEAF_MOST / max(float(np.percentile(green, 90)), 1.0) if green.size else np.inf


def _shadows(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bars of glazing, gutters or a person across the light; soft at their edges."""
    shade = np.ones(_coarse(shape), np.float32)
    depth, angle = float(rng.uniform(0.35, 0.8)), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * max(shape)
    for _ in range(int(rng.integers(1, 5))):
        middle = rng.uniform(0, 1, 2) * shade.shape[::-1]
        ends = np.stack([middle - along, middle + along]).astype(np.int32)
        cv2.polylines(shade, [ends], False, depth, max(1, int(rng.uniform(0.02, 0.3) * min(shade.shape))))
    return _fine(cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.5, 3)), shape)


def _lens(rng: np.random.Generator, lit: Picture) -> Picture:
    """Haze, glare, drops and dirt on the glass, and blur."""
    shape = lit.shape[0], lit.shape[1]
    if rng.random() < 0.15:
        lit = lit + np.float32(rng.uniform(5, 50))
    if rng.random() < 0.08:
        lit = lit + rng.uniform(40, 160) * _spots(rng, shape, count=1, reach=0.35)[..., None]
    if rng.random() < 0.1:
        spots = _spots(rng, shape, count=int(rng.integers(2, 14)), reach=0.05)[..., None]
        lit = lit + np.minimum(spots, 1) * (rng.uniform(20, 200) - lit) * np.float32(rng.uniform(0.15, 0.6))
    blur_px = rng.uniform(0, 1.3)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), blur_px) if blur_px > 0.4 else lit, np.float32)


def _spots(rng: np.random.Generator, shape: tuple[int, int], count: int, reach: float) -> NDArray[np.float32]:
    """Round spots, 1 in their middle, as wide as ``reach`` of the picture."""
    height, width = _coarse(shape)
    y, x = np.ogrid[:height, :width]
    spots = np.zeros((height, width), np.float32)
    for _ in range(count):
        sigma = rng.uniform(0.3, 1) * reach * min(height, width)
        apart = (y - rng.uniform(0, height)) ** 2 + (x - rng.uniform(0, width)) ** 2
        spots += np.exp(-apart / (2 * sigma**2)).astype(np.float32)
    return _fine(spots, shape)


def _coarse(shape: tuple[int, int]) -> tuple[int, int]:
    """What is soft is drawn small and enlarged."""
    return max(2, shape[0] // 8), max(2, shape[1] // 8)


def _fine(plane: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(np.asarray(plane), shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
