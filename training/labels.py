"""Ground truth of a picture, as exact as its source: a renderer knows every pixel, an annotator some."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Labels:
    """Ground truth of a picture, in its pixels.

    What a pixel is may be known in part: inside a box drawn around a fruit the corners may be fruit or leaf, and where
    only fruit were annotated all else may be anything but fruit. So ``classes`` holds codes, and ``allowed`` says which
    classes each code leaves possible. Code n < C is class n.

    Attributes:
        classes: code of each pixel, uint8 [H, W].
        instances: for each thing its number at each pixel, 0 for none, uint16 [things, H, W].
        centres: for each thing rows of (number, y_px, x_px), float32 [n, 3].
        grouped: index of the thing that offsets point to.
        allowed: whether a pixel with a code can be of a class, bool [codes, C].
        annotated: whether each thing was labelled at all; where it was not, no peak is right or wrong.
        crowd: pixels in which nobody counted, bool [H, W]; None is nowhere.
    """

    classes: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    centres: tuple[NDArray[np.float32], ...]
    grouped: int
    allowed: NDArray[np.bool_]
    annotated: tuple[bool, ...] = field(default=())
    crowd: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if not self.annotated:
            object.__setattr__(self, "annotated", (True,) * len(self.centres))


def exact(classes: int) -> NDArray[np.bool_]:
    """``Labels.allowed`` where every pixel's class is known."""
    return np.eye(classes, dtype=np.bool_)
