"""Pictures that a package is made with: rendered scenes of seeds that training has not seen, or photographs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.message import Digest
from export.package import Evidence
from training.args import DataSettings
from training.datasets import DatasetInvalid, open_dataset
from training.datasets.photographs import Photographs
from training.datasets.split import split
from training.labels import Labels
from training.pool import Examples
from training.reference import LEAST_PICTURES
from training.spec import ModelSpec
from training.synthetic import Scene, renderer_of

CALIBRATION_SEED, HELD_BACK_SEED, GOLDEN_SEED = 2_000_000, 3_000_000, 4_000_000
GOLDEN_COUNT, GOLDEN_SIZE_PX = 2, 256


@dataclass(frozen=True)
class Rendered:
    """So many scenes of the kind that a model knows, of seeds from ``seed`` on; rendered when they are asked for."""

    spec: ModelSpec
    seed: int
    count: int
    size_px: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Labels]:
        scene = self.scene(index)
        return scene.pixels, scene.labels

    def scene(self, index: int) -> Scene:
        """A scene; the same one each time."""
        render = renderer_of(self.spec.classes, self.spec.thing_names).render
        return render(self.seed + index, self.size_px, self.size_px)

    def name(self, index: int) -> str:
        """What renders it again."""
        return f"seed {self.seed + index}"

    @property
    def digest(self) -> Digest:
        """Of what they are rendered from."""
        return f"sha256:{hashlib.sha256(repr(self).encode()).hexdigest()}"


@dataclass(frozen=True)
class Pictures(Sequence[NDArray[np.uint8]]):
    """Some of labelled pictures, read when they are asked for: photographs are large.

    They are spread over all: those that stand side by side are of one camera, and often of one day.
    """

    examples: Examples
    most: int

    def __len__(self) -> int:
        return min(self.most, len(self.examples))

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        """A picture, uint8 [h, w, 3] BGR."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self.examples[range(len(self))[index] * len(self.examples) // len(self)][0]


def rendered_evidence(spec: ModelSpec, size_px: int, calibration: int, held_back: int) -> Evidence:
    """So many pictures to calibrate on and labelled scenes to admit by."""
    golden = Rendered(spec, GOLDEN_SEED, GOLDEN_COUNT, size_px)
    calibrating = Rendered(spec, CALIBRATION_SEED, calibration, size_px)
    return Evidence(
        calibration=list(Pictures(calibrating, calibration)),
        held_back=rendered_scenes(spec, size_px, held_back),
        golden=[_reduced(picture) for picture in Pictures(golden, GOLDEN_COUNT)],
    )


def photographed_evidence(data: Path, spec: ModelSpec, settings: DataSettings, calibration: int) -> Evidence:
    """Labelled photographs: those that training had to calibrate on, those that it held back to admit by.

    Raises:
        DatasetInvalid: it cannot be read, does not show what the model knows, or has too few pictures for a reference.
    """
    train, held_back = photographs(data, spec, settings)
    if len(train) < LEAST_PICTURES:
        raise DatasetInvalid(
            f"{data} has {len(train)} pictures beside those held back, and a drift reference needs {LEAST_PICTURES}; "
            "label some more, or leave --data out: rendered scenes then take their place"
        )
    return Evidence(
        calibration=Pictures(train, calibration),
        held_back=held_back,
        golden=[_reduced(picture) for picture in Pictures(held_back, GOLDEN_COUNT)],
    )


def photographs(data: Path, spec: ModelSpec, settings: DataSettings) -> tuple[Photographs, Photographs]:
    """What training had, and what it held back.

    Raises:
        DatasetInvalid: as above.
    """
    train, held_back = split(open_dataset(data), settings)
    return Photographs(train, spec, settings.things), Photographs(held_back, spec, settings.things)


def rendered_scenes(spec: ModelSpec, size_px: int, count: int) -> Rendered:
    """Labelled scenes that neither training nor calibration saw."""
    return Rendered(spec, HELD_BACK_SEED, count, size_px)


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture, so that a package stays small; it is fitted like any other."""
    return np.asarray(cv2.resize(pixels, (GOLDEN_SIZE_PX, GOLDEN_SIZE_PX), interpolation=cv2.INTER_AREA), np.uint8)
