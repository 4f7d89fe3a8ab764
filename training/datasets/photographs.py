"""Labelled photographs as training takes them: one picture with its ground truth, as far as that is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.message import Digest
from training.datasets.annotations import Annotation, Dataset, DatasetInvalid, Picture
from training.datasets.runlength import box_of, decode
from training.labels import Labels, exact
from training.spec import ModelSpec
from training.synthetic.scene import centroids

CORE_SHARE = 0.85
"""Of the ellipse in a box this much of its axes is surely the thing; what is between it and the box may be anything."""


@dataclass(frozen=True)
class Photographs:
    """A dataset, read for a model.

    Attributes:
        dataset: what is on the disk.
        spec: what the model's numbers mean.
        names: the class or thing of the model that each category is, where their names differ.
    """

    dataset: Dataset
    spec: ModelSpec
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no label could be made of, before hours of training."""
        known = {*self.spec.classes[1:], *self.spec.thing_names}
        unknown = [category for category in self.dataset.categories if self.names.get(category, category) not in known]
        if unknown:
            raise DatasetInvalid(
                f"{self.dataset.source} has the categories {unknown}, which the model {self.spec.name} does not know: "
                f"it has {sorted(known)}; say which one each is under data.things of the configuration"
            )
        if not self.dataset.pictures:
            raise DatasetInvalid(f"{self.dataset.source} has no picture; add some, or train on rendered scenes alone")
        if not any(picture.annotations for picture in self.dataset.pictures):
            raise DatasetInvalid(
                f"{self.dataset.source} has no annotation in any picture; nothing can be learned from it"
            )

    @property
    def digest(self) -> Digest:
        """Of the files on the disk."""
        return self.dataset.digest

    def __len__(self) -> int:
        return len(self.dataset.pictures)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Labels]:
        picture = self.dataset.pictures[index]
        return self.pixels(picture), self.labels(picture)

    def name(self, index: int) -> str:
        """The picture's file."""
        return self.dataset.pictures[index].name

    def pixels(self, picture: Picture) -> NDArray[np.uint8]:
        """A photograph, uint8 [H, W, 3] BGR.

        Raises:
            DatasetInvalid: it cannot be read, or is of another size than its annotations say.
        """
        encoded = np.frombuffer(self.dataset.bytes_of(picture), np.uint8)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION) if encoded.size else None
        place = self.dataset.folder / picture.name
        if decoded is None:
            raise DatasetInvalid(f"{place} is no picture that can be read; export it again, or take it out")
        if decoded.shape[:2] != (picture.height_px, picture.width_px):
            raise DatasetInvalid(
                f"{place} is {decoded.shape[1]} x {decoded.shape[0]} px, its annotations are for {picture.width_px} x "
                f"{picture.height_px}; annotate the picture that is there"
            )
        return np.asarray(decoded, np.uint8)

    def labels(self, picture: Picture) -> Labels:
        """What is known of a picture."""
        codes = _Codes(self.spec, {self._name(category) for category in self.dataset.categories})
        shape = picture.height_px, picture.width_px
        classes = np.full(shape, codes.elsewhere, np.uint8)
        instances = np.zeros((len(self.spec.things), *shape), np.uint16)
        crowd = np.zeros(shape, np.bool_)
        middles: list[list[tuple[int, float, float]]] = [[] for _ in self.spec.things]
        for annotation in picture.annotations:  # first all that is unknown, so that nothing known is lost to it
            if annotation.mask is None:
                _rectangle(classes, annotation)[...] = codes.unknown
        # COCO says nothing of what is in front. Of two the smaller is: otherwise it would not have been seen.
        for number, annotation in enumerate(sorted(picture.annotations, key=_area, reverse=True), start=1):
            name, around = self._name(annotation.category), _window(annotation)
            mask = pixels_of(annotation, shape)[around]
            classes[around][mask] = codes.of(name)
            crowd[around] |= mask & annotation.crowd
            if name in self.spec.thing_names and not annotation.crowd:
                thing = self.spec.thing_names.index(name)
                instances[thing][around][mask] = number
                if annotation.mask is None:
                    left, top, width, height = annotation.box
                    middles[thing].append((number, top + (height - 1) / 2, left + (width - 1) / 2))
        return Labels(
            classes=classes,
            instances=instances,
            centres=tuple(_centres(numbers, drawn) for numbers, drawn in zip(instances, middles, strict=True)),
            grouped=self.spec.grouped,
            allowed=codes.allowed,
            annotated=tuple(name in codes.annotated for name in self.spec.thing_names),
            crowd=crowd,
        )

    def _name(self, category: str) -> str:
        return self.names.get(category, category)


class _Codes:
    """Codes of ``Labels.classes``: one for each class, and one for each set of classes that a pixel may have."""

    def __init__(self, spec: ModelSpec, annotated: set[str]) -> None:
        self.annotated = annotated
        self._spec = spec
        self._sets: list[NDArray[np.bool_]] = list(exact(len(spec.classes)))
        looked_for = {value for name in annotated for value in self._classes(name)}
        self.elsewhere = self._code({0, *(set(range(len(spec.classes))) - looked_for)})
        self.unknown = self._code(set(range(len(spec.classes))))
        self._names = {name: self._code(set(self._classes(name))) for name in sorted(annotated)}

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """``Labels.allowed``."""
        return np.stack(self._sets)

    def of(self, name: str) -> int:
        """The code of what is marked as ``name``."""
        return self._names[name]

    def _classes(self, name: str) -> Sequence[int]:
        """Classes that a pixel of a class, or of a thing, can have."""
        if name in self._spec.thing_names:
            thing = self._spec.things[self._spec.thing_names.index(name)]
            return self._spec.classes_of(thing) or [
                self._spec.classes.index(plant) for plant in self._spec.plant_classes
            ]
        return [self._spec.classes.index(name)]

    def _code(self, classes: set[int]) -> int:
        members = np.isin(np.arange(len(self._spec.classes)), sorted(classes))
        for code, known in enumerate(self._sets):
            if np.array_equal(known, members):
                return code
        self._sets.append(members)
        return len(self._sets) - 1


def pixels_of(annotation: Annotation, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels that are surely of what was marked, bool [H, W]: its mask, or of a box the core of its ellipse."""
    if annotation.mask is not None:
        return decode(annotation.mask)
    left, top, width, height = annotation.box
    y, x = np.ogrid[: shape[0], : shape[1]]
    across = (x - left - (width - 1) / 2) / max(CORE_SHARE * width / 2, 0.5)
    down = (y - top - (height - 1) / 2) / max(CORE_SHARE * height / 2, 0.5)
    return np.asarray(across**2 + down**2 <= 1, np.bool_)


def _window(annotation: Annotation) -> tuple[slice, slice]:
    """Rows and columns in which all pixels of an annotation lie: on a tray a leaf is a thousandth of the picture."""
    left, top, width, height = annotation.box if annotation.mask is None else box_of(annotation.mask)
    return (
        slice(max(0, math.floor(top)), max(0, math.ceil(top + height))),
        slice(max(0, math.floor(left)), max(0, math.ceil(left + width))),
    )


def _rectangle(plane: NDArray[np.uint8], annotation: Annotation) -> NDArray[np.uint8]:
    left, top, width, height = annotation.box
    rows = slice(max(0, round(top)), max(0, round(top + height)))
    return plane[rows, max(0, round(left)) : max(0, round(left + width))]


def _area(annotation: Annotation) -> float:
    return annotation.box[2] * annotation.box[3]


def _centres(numbers: NDArray[np.uint16], drawn: Sequence[tuple[int, float, float]]) -> NDArray[np.float32]:
    """The mean place of each instance; where a box was drawn its middle, whatever lies in front of it."""
    centres = centroids(numbers)
    middles = {number: (y, x) for number, y, x in drawn}
    for row in centres:
        row[1:] = middles.get(int(row[0]), row[1:])
    return centres
