"""Rendered pictures that a package is made with; their seeds are apart from each other and from those of training."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.message import Digest
from export.package import Evidence
from training.labels import Labels
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


def rendered_evidence(spec: ModelSpec, size_px: int, calibration: int, held_back: int) -> Evidence:
    """So many pictures to calibrate on and labelled scenes to admit by."""
    golden = Rendered(spec, GOLDEN_SEED, GOLDEN_COUNT, size_px)
    calibrating = Rendered(spec, CALIBRATION_SEED, calibration, size_px)
    return Evidence(
        calibration=[calibrating[index][0] for index in range(calibration)],
        held_back=rendered_scenes(spec, size_px, held_back),
        golden=[_reduced(golden[index][0]) for index in range(GOLDEN_COUNT)],
    )


def rendered_scenes(spec: ModelSpec, size_px: int, count: int) -> Rendered:
    """Labelled scenes that neither training nor calibration saw."""
    return Rendered(spec, HELD_BACK_SEED, count, size_px)


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture, so that a package stays small; it is fitted like any other."""
    return np.asarray(cv2.resize(pixels, (GOLDEN_SIZE_PX, GOLDEN_SIZE_PX), interpolation=cv2.INTER_AREA), np.uint8)
