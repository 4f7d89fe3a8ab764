"""What goes wrong with a camera or changes before it, done to a picture: each at any strength, the same for a seed.

``strength`` 1 is what a grower would call clear when shown both pictures; 0 is nothing.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import field

Pixels = NDArray[np.uint8]
Plants = NDArray[np.bool_]
Fault = Callable[[Pixels, Plants, float, int], Pixels]
"""Of a picture, uint8 [H, W, 3] BGR, where its plants are, bool [H, W], a strength and a seed."""


def fog(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """Water on the lens: soft, pale, more in one half than in the other."""
    share = 0.35 * strength * (1 + 0.4 * field(np.random.default_rng(seed), pixels.shape[:2], pixels.shape[0] / 2))
    share = np.clip(share, 0, 0.95)[..., None]
    soft = cv2.GaussianBlur(pixels, (0, 0), 6 * strength + 0.1).astype(np.float32)
    veil = np.float32(pixels.mean() * 0.6 + 70)
    return _bytes((1 - share) * (0.5 * pixels + 0.5 * soft) + share * veil)


def focus_lost(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """The lens has turned."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 2.2 * strength + 0.05), np.uint8)


def knock(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """The camera looks elsewhere: shifted by 6 % of the picture's width and turned by 3 degrees."""
    rng, (height, width) = np.random.default_rng(seed), pixels.shape[:2]
    sign = rng.choice([-1, 1], 3)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 3.0 * strength * sign[0], 1)
    turn[:, 2] += 0.06 * strength * width * np.array([sign[1], 0.6 * sign[2]])
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def lamp_changed(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """A lamp of another colour: redder, and less green."""
    gain = 1 + strength * np.array([0.05, -0.12, 0.14], np.float32)
    return _bytes(pixels * gain)


def exposure_lost(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:
    """The exposure lock is gone: each picture comes out otherwise, brighter by about a stop."""
    gain = 2.0 ** (
        strength * np.random.default_rng((seed, int(pixels[::64, ::64].sum()), int(plants.sum()))).uniform(0.6, 1.4)
    )
    return _bytes(pixels * np.float32(gain))


def dust(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """A veil of fine grains out of focus: paler, spotted, hardly less sharp."""
    rng = np.random.default_rng(seed)
    spots = np.clip(field(rng, pixels.shape[:2], pixels.shape[0] / 40), 0, 2)[..., None]
    share = np.clip(strength * (0.12 + 0.10 * spots), 0, 0.9)
    return _bytes((1 - share) * pixels + share * np.array([150, 158, 162], np.float32))


def other_variety(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:  # noqa: ARG001
    """Redder leaves."""
    return _tinted(pixels, plants, 1 + strength * np.array([0.12, -0.18, 0.30], np.float32))


def yellowing(pixels: Pixels, plants: Plants, strength: float, seed: int) -> Pixels:
    """Pests: patches of the leaves turn yellow."""
    patches = field(np.random.default_rng(seed), pixels.shape[:2], pixels.shape[0] / 12) > 1.0 - 1.2 * strength
    return _tinted(pixels, plants & patches, np.array([0.85, 1.06, 1.75], np.float32))


FAULTS: dict[str, Fault] = {
    "fog": fog,
    "focus": focus_lost,
    "knock": knock,
    "lamp": lamp_changed,
    "exposure": exposure_lost,
    "dust": dust,
    "variety": other_variety,
    "yellowing": yellowing,
}
STRENGTHS = {"slight": 0.4, "middle": 1.0, "strong": 1.8}


def _tinted(pixels: Pixels, where: Plants, gain: NDArray[np.float32]) -> Pixels:
    share = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 1.5)[..., None]
    return _bytes(pixels * (1 + share * (gain - 1)))


def _bytes(pixels: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)
