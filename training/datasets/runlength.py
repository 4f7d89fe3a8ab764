"""Masks as run lengths, by COCO's own code (pycocotools)."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


class RunLengths(TypedDict):
    """A coded mask; ``size`` is [height_px, width_px]."""

    size: list[int]
    counts: bytes


def encode(mask: NDArray[np.bool_]) -> RunLengths:
    """Code a mask, bool [H, W]."""
    return _ours(coco.encode(np.asfortranarray(mask, np.uint8)))


def decode(code: RunLengths) -> NDArray[np.bool_]:
    """The mask, bool [H, W].

    Raises:
        ValueError: the runs go beyond it.
    """
    return np.asarray(coco.decode(code).view(np.bool_))


def from_polygons(rings: Sequence[Sequence[float]], height: int, width: int) -> RunLengths:
    """Fill polygons, each x, y, x, y, …; what any of them covers is the mask.

    Raises:
        ValueError: one has fewer than three corners.
    """
    if any(len(ring) < 6 or len(ring) % 2 for ring in rings):
        raise ValueError("a polygon has fewer than three corners")
    return _ours(coco.merge(coco.frPyObjects([list(ring) for ring in rings], height, width)))


def from_counts(counts: str | Sequence[int], height: int, width: int) -> RunLengths:
    """What a COCO file has: run lengths, coded or as numbers.

    Raises:
        ValueError: they are not those of such a picture.
    """
    if isinstance(counts, str):
        code: RunLengths = {"size": [height, width], "counts": counts.encode("ascii")}
    elif sum(counts) != height * width:
        raise ValueError(f"its run lengths are of {sum(counts)} pixels, its picture has {height * width}")
    else:
        code = _ours(coco.frPyObjects({"size": [height, width], "counts": list(counts)}, height, width))
    decode(code)
    return code


def box_of(code: RunLengths) -> tuple[float, float, float, float]:
    """Left, top, width and height in pixels; all 0 for an empty mask."""
    left, top, width, height = (float(side) for side in coco.toBbox(code))
    return left, top, width, height


def intersection_over_union(first: Any, second: Any) -> float:
    """IoU of two coded masks, or of two boxes [left, top, width, height]."""
    return float(np.asarray(coco.iou([first], [second], [0]))[0, 0])


def _ours(code: Any) -> RunLengths:
    return {"size": [int(side) for side in code["size"]], "counts": bytes(code["counts"])}
