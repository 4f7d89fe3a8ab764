"""From the light that falls on a scene to the bytes that a camera gives."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import field, grain
from training.synthetic.scene import Picture


def develop(rng: np.random.Generator, picture: Picture) -> NDArray[np.uint8]:
    """Light, lens, sensor and JPEG; uint8 [H, W, 3]."""
    lit = _lens(rng, _light(rng, picture))
    shape = lit.shape[0], lit.shape[1]
    lit += rng.uniform(0, 8) * grain(rng, *shape)[..., None]
    for channel in range(3):
        lit[..., channel] += rng.uniform(0, 4) * grain(rng, *shape)
    pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return _compressed(pixels, int(rng.integers(50, 96))) if rng.random() < 0.6 else pixels


def _light(rng: np.random.Generator, picture: Picture) -> Picture:
    """Exposure and white balance; at times dusk, a gradient, or purple lamps."""
    colour = rng.uniform(0.45, 1.35) * (1 + rng.uniform(-0.18, 0.18, 3))
    if rng.random() < 0.12:
        colour = colour * rng.uniform(0.15, 0.5)
    if rng.random() < 0.06:
        colour = colour * np.array([1.1, rng.uniform(0.55, 0.8), 1.1])
    lit = picture * colour.astype(np.float32)
    shape = picture.shape[0], picture.shape[1]
    if rng.random() < 0.4:
        lit *= (1 + rng.uniform(0.05, 0.3) * field(rng, shape, shape[0] / 2))[..., None].astype(np.float32)
    return np.asarray(lit, np.float32)


def _lens(rng: np.random.Generator, lit: Picture) -> Picture:
    """Haze and blur."""
    if rng.random() < 0.15:
        lit = lit + np.float32(rng.uniform(5, 50))
    blur_px = rng.uniform(0, 1.3)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), blur_px) if blur_px > 0.4 else lit, np.float32)


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
