"""What a network found, or what is there, drawn into a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.segmentation import NONE, Segmentation
from training.evaluate import expected
from training.labels import Labels
from training.network import STRIDE_PX
from training.spec import ModelSpec
from training.targets import owners, possible_classes, to_grid

RING_PX, DOT_PX = 7, 2
RED, WHITE = (0, 0, 255), (255, 255, 255)


def overlay(image: NDArray[np.uint8], found: Segmentation, manifest: Manifest) -> NDArray[np.uint8]:
    """The fitted picture, its instances in colours with a dot at their centres, and a ring at those of other things."""
    drawn = _coloured(image, found.instances - NONE, found.plant)
    for y, x, thing in zip(found.objects.y, found.objects.x, found.objects.thing, strict=True):
        _mark(drawn, float(y), float(x), dot=manifest.things[int(thing)].grouped)
    return drawn


def truth_overlay(image: NDArray[np.uint8], labels: Labels, spec: ModelSpec) -> NDArray[np.uint8]:
    """The same for what is there; what is not known to be plant is left as it is."""
    possible = possible_classes(labels)
    numbers = expected(labels, spec.grouped)
    drawn = _coloured(image, owners(numbers).astype(np.int32), ~possible[0] & (possible.sum(0) == 1))
    for index, thing in enumerate(spec.things):
        seen = set(np.unique(expected(labels, index)).tolist())
        for number, y_px, x_px in labels.centres[index]:
            if int(number) in seen:
                y, x = to_grid(np.array([y_px, x_px], np.float32))
                _mark(drawn, float(y), float(x), dot=thing.grouped)
    return drawn


def _coloured(image: NDArray[np.uint8], numbers: NDArray[np.int32], plant: NDArray[np.bool_]) -> NDArray[np.uint8]:
    palette = np.random.default_rng(0).integers(64, 256, (int(numbers.max(initial=0)) + 1, 3), np.uint8)
    palette[0] = 40  # plant that is of no instance
    colours = np.where(plant[..., None], palette[numbers], 0).astype(np.uint8)
    large = cv2.resize(colours, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    drawn = np.where(large.any(2, keepdims=True), image // 2 + large // 2, image)
    return np.ascontiguousarray(drawn, np.uint8)


def _mark(drawn: NDArray[np.uint8], y: float, x: float, *, dot: bool) -> None:
    place = (round((x + 0.5) * STRIDE_PX), round((y + 0.5) * STRIDE_PX))
    cv2.circle(drawn, place, DOT_PX if dot else RING_PX, WHITE if dot else RED, -1 if dot else 2)
