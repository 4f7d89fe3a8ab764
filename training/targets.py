"""From a labelled picture to what the network should say of it, in cells of its output grid.

A cell's coordinate is that of its centre: pixel p lies at (p + 0.5) / 4 - 0.5.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from training.labels import Labels
from training.network import STRIDE_PX

Scalar = TypeVar("Scalar", bound=np.generic)

LEAST_AREA_PX = 16
"""An instance with fewer visible pixels than this is not asked for: one cell."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the network should say.

    Attributes:
        allowed: whether a cell can be of a class, bool [classes, h, w]; one class where it is known.
        heat: 1 at each centre and falling off around it, float32 [things, h, w].
        counted: whether a peak in a cell could be told right from wrong, float32 [things, h, w].
        offsets: cells from each cell to the centre of its instance, float32 [2, h, w].
        inside: how much the cell's offset counts: 0 outside of instances, and in one the less the larger it is, so that
            it counts by its length and not by its area, float32 [h, w].
    """

    allowed: NDArray[np.bool_]
    heat: NDArray[np.float32]
    counted: NDArray[np.float32]
    offsets: NDArray[np.float32]
    inside: NDArray[np.float32]


def make_targets(labels: Labels) -> Targets:
    """Targets on the grid of a picture whose sides are multiples of 4."""
    allowed = possible_classes(labels)
    heat = np.stack(
        [heatmap(instances, centres) for instances, centres in zip(labels.instances, labels.centres, strict=True)]
    )
    numbers = owners(labels.instances[labels.grouped])
    offsets, inside = centre_offsets(numbers, labels.centres[labels.grouped])
    return Targets(allowed, heat, _counted(labels, heat.shape), offsets, inside * ~allowed[0])


def possible_classes(labels: Labels) -> NDArray[np.bool_]:
    """Whether each cell can be of each class, bool [classes, h, w]."""
    return np.moveaxis(labels.allowed[majority(labels.classes, len(labels.allowed))], -1, 0)


def _counted(labels: Labels, shape: tuple[int, ...]) -> NDArray[np.float32]:
    counted = np.ones(shape, np.float32) * np.array(labels.annotated, np.float32)[:, None, None]
    if labels.crowd is not None:
        counted *= ~sample(labels.crowd)
    return counted


def sample(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """The value at the middle of each cell."""
    return values[STRIDE_PX // 2 :: STRIDE_PX, STRIDE_PX // 2 :: STRIDE_PX]


def majority(values: NDArray[np.uint8], codes: int) -> NDArray[np.int64]:
    """The code that covers most of each cell, so that areas on the grid are those in the picture."""
    height, width = (side // STRIDE_PX for side in values.shape)
    shares = [
        cv2.resize((values == value).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        for value in range(codes)
    ]
    return np.asarray(np.argmax(np.stack(shares), axis=0), np.int64)


def owners(numbers: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The instance that has most of each cell, whatever is beside it: 0 only where there is none.

    Where the class of a cell is that of an instance by ``majority``, this says of which; a pixel in its middle may not.
    """
    height, width = (side // STRIDE_PX for side in numbers.shape)
    pixels = numbers.reshape(height, STRIDE_PX, width, STRIDE_PX).swapaxes(1, 2).reshape(height, width, -1)
    owner: NDArray[np.uint16] = pixels[..., 0].copy()
    mixed = (pixels != owner[..., None]).any(2)
    shared = pixels[mixed]
    votes = (shared[:, :, None] == shared[:, None, :]).sum(2) * (shared > 0)
    owner[mixed] = np.take_along_axis(shared, votes.argmax(1)[:, None], 1)[:, 0]
    return owner


def to_grid(pixel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coordinates in the picture → in the grid."""
    return np.asarray((pixel + 0.5) / STRIDE_PX - 0.5, np.float32)


def heatmap(instances: NDArray[np.uint16], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Gaussian at each centre, wider for larger instances (Zhou et al. 2019, CenterNet); overlaps take the higher."""
    height, width = (side // STRIDE_PX for side in instances.shape)
    heat = np.zeros((height, width), np.float32)
    areas_px = np.bincount(instances.ravel(), minlength=int(centres[:, 0].max(initial=0)) + 1)
    for number, y_px, x_px in centres:
        area_px = areas_px[int(number)]
        y, x = (float(value) for value in to_grid(np.array([y_px, x_px], np.float32)))
        if area_px >= LEAST_AREA_PX and 0 <= round(y) < height and 0 <= round(x) < width:
            _draw(heat, round(y), round(x), sigma=float(np.clip(0.1 * np.sqrt(area_px) / STRIDE_PX, 0.7, 3.0)))
    return heat


def _draw(heat: NDArray[np.float32], y: int, x: int, sigma: float) -> None:
    reach = int(np.ceil(3 * sigma))
    rows = slice(max(0, y - reach), y + reach + 1)
    columns = slice(max(0, x - reach), x + reach + 1)
    dy = np.arange(rows.start, min(rows.stop, heat.shape[0]), dtype=np.float32)[:, None] - y
    dx = np.arange(columns.start, min(columns.stop, heat.shape[1]), dtype=np.float32)[None, :] - x
    np.maximum(heat[rows, columns], np.exp(-(dy**2 + dx**2) / (2 * sigma**2)), out=heat[rows, columns])


def centre_offsets(
    numbers: NDArray[np.uint16], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cells from each cell of ``numbers`` to the centre of its instance, and how much that counts; 0 without one."""
    places = np.zeros((int(numbers.max(initial=0)) + 1, 2), np.float32)
    known = np.zeros(len(places), np.float32)
    for number, y_px, x_px in centres:
        if number < len(places):
            places[int(number)] = to_grid(np.array([y_px, x_px], np.float32))
            known[int(number)] = 1.0
    known[0] = 0.0
    known /= np.sqrt(np.maximum(np.bincount(numbers.ravel()), 1)).astype(np.float32)
    cells = np.indices(numbers.shape, np.float32)
    inside = known[numbers]
    return (np.moveaxis(places[numbers], -1, 0) - cells) * (inside > 0), inside
