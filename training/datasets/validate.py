"""What is wrong with labelled photographs, found before a run spends hours on them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.annotations import Annotation, Dataset, DatasetInvalid, Picture
from training.datasets.photographs import Photographs, pixels_of
from training.datasets.runlength import intersection_over_union

SAME_BITS = 4
"""Pictures whose hashes differ in at most so many of 64 bits show the same (Krawetz 2013, dHash)."""

SAME_IOU = 0.8
"""Two instances of one category that overlap more than this are one that was marked twice."""

OVERLAP_IOU = 0.5
RARE_SHARE = 0.01


class Level(str, Enum):
    """Whether training would go wrong, or is likely to learn less than it could."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do."""

    level: Level
    where: str
    what: str

    @property
    def line(self) -> str:
        """For a person."""
        return self.what if self.where in self.what else f"{self.where}: {self.what}"


def problems(train: Photographs, held_back: Photographs, *, one_place: bool = False) -> Iterator[Problem]:
    """Everything wrong with a dataset and its split.

    Pictures on both sides that show the same are an error, but where there is only ``one_place`` to take both from.
    """
    hashes: dict[str, list[tuple[Picture, int]]] = {"train": [], "held back": []}
    for side, photographs in zip(hashes, (train, held_back), strict=True):
        for picture in photographs.dataset.pictures:
            try:
                pixels = photographs.pixels(picture)
            except DatasetInvalid as error:
                yield Problem(Level.ERROR, picture.name, str(error))
                continue
            hashes[side].append((picture, difference_hash(pixels)))
            yield from _masks(picture)
    yield from _balance(train.dataset)
    yield from _duplicates(hashes, Level.WARNING if one_place else Level.ERROR)


def _masks(picture: Picture) -> Iterator[Problem]:
    shape = picture.height_px, picture.width_px
    for number, annotation in enumerate(picture.annotations):
        left, top, width, height = annotation.box
        if not pixels_of(annotation, shape).any():
            what = f"annotation {number} ({annotation.category}) has no pixel: draw it again or remove it"
            yield Problem(Level.ERROR, picture.name, what)
        elif left < -1 or top < -1 or left + width > shape[1] + 1 or top + height > shape[0] + 1:
            what = (
                f"annotation {number} ({annotation.category}) reaches out of the picture; the part outside is cut off"
            )
            yield Problem(Level.WARNING, picture.name, what)
    for (one, first), (two, second) in combinations(enumerate(picture.annotations), 2):
        if first.category == second.category and not (first.crowd or second.crowd):
            shared = _iou(first, second)
            if shared > SAME_IOU:
                what = f"annotations {one} and {two} ({first.category}) are the same thing, marked twice: remove one"
                yield Problem(Level.ERROR, picture.name, what)
            elif shared > OVERLAP_IOU and first.mask is not None and second.mask is not None:
                what = f"annotations {one} and {two} ({first.category}) share {shared:.0%} of their pixels"
                yield Problem(Level.WARNING, picture.name, what)


def _iou(first: Annotation, second: Annotation) -> float:
    if _apart(first.box, second.box):
        return 0.0
    if first.mask is not None and second.mask is not None:
        return intersection_over_union(first.mask, second.mask)
    return intersection_over_union(list(first.box), list(second.box))


def _apart(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    """Whether two boxes (left, top, width, height) share nothing."""
    ends = zip(first[:2], first[2:], second[:2], second[2:], strict=True)
    return any(ours + length <= theirs or theirs + other <= ours for ours, length, theirs, other in ends)


def _balance(dataset: Dataset) -> Iterator[Problem]:
    counted = Counter(annotation.category for picture in dataset.pictures for annotation in picture.annotations)
    total = sum(counted.values())
    for category in dataset.categories:
        if counted[category] == 0:
            what = f"no picture to train on has a {category}; label some, or take the category out"
            yield Problem(Level.ERROR, str(dataset.source), what)
        elif counted[category] < RARE_SHARE * total:
            what = f"only {counted[category]} of {total} annotations to train on are {category}"
            yield Problem(Level.WARNING, str(dataset.source), what)


def difference_hash(pixels: NDArray[np.uint8]) -> int:
    """64 bits: whether each of 8 x 8 places is brighter than its right neighbour, of a picture made 9 x 8 px small."""
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _duplicates(hashes: dict[str, list[tuple[Picture, int]]], on_both_sides: Level) -> Iterator[Problem]:
    for side, members in hashes.items():
        for first, second in _alike(members, members):
            if first.name < second.name:
                yield Problem(Level.WARNING, first.name, f"shows what {second.name} shows ({side}); it counts twice")
    for first, second in _alike(hashes["train"], hashes["held back"]):
        what = f"is trained on and shows what {second.name} shows, which is held back: put both into one place"
        yield Problem(on_both_sides, first.name, what)


def _alike(
    ours: Sequence[tuple[Picture, int]], theirs: Sequence[tuple[Picture, int]]
) -> Iterator[tuple[Picture, Picture]]:
    codes = np.array([code for _, code in theirs], np.uint64)
    for picture, code in ours:
        apart = np.bitwise_count(codes ^ np.uint64(code))
        yield from ((picture, theirs[int(index)][0]) for index in np.flatnonzero(apart <= SAME_BITS))
