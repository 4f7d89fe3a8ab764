"""Rendered pictures that a package is made with; their seeds are apart from each other and from those of training."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from export.package import Evidence
from training.labels import Labels
from training.spec import ModelSpec
from training.synthetic import Scene, renderer_of

CALIBRATION_SEED, HELD_BACK_SEED, GOLDEN_SEED = 2_000_000, 3_000_000, 4_000_000
GOLDEN_COUNT, GOLDEN_SIZE_PX = 2, 256


def rendered_evidence(spec: ModelSpec, size_px: int, calibration: int, held_back: int) -> Evidence:
    """So many pictures to calibrate on and labelled scenes to admit by."""
    return Evidence(
        calibration=[scene.pixels for scene in _scenes(spec, CALIBRATION_SEED, calibration, size_px)],
        held_back=rendered_scenes(spec, size_px, held_back),
        golden=[_reduced(scene.pixels) for scene in _scenes(spec, GOLDEN_SEED, GOLDEN_COUNT, size_px)],
    )


def rendered_scenes(spec: ModelSpec, size_px: int, count: int) -> list[tuple[NDArray[np.uint8], Labels]]:
    """Labelled scenes that neither training nor calibration saw."""
    return [(scene.pixels, scene.labels) for scene in _scenes(spec, HELD_BACK_SEED, count, size_px)]


def _scenes(spec: ModelSpec, seed: int, count: int, size_px: int) -> Iterator[Scene]:
    render = renderer_of(spec.classes, spec.thing_names).render
    return (render(seed + number, size_px, size_px) for number in range(count))


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture, so that a package stays small; it is fitted like any other."""
    return np.asarray(cv2.resize(pixels, (GOLDEN_SIZE_PX, GOLDEN_SIZE_PX), interpolation=cv2.INTER_AREA), np.uint8)
