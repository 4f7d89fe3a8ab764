"""Golden frames: pictures in a package, and what its first model gave for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, Inference
from edge.contract.manifest import Manifest
from edge.package import ModelPackage
from edge.preprocess import fit

FOLDER = "golden"

LEAST_EQUAL_CLASSES = 0.99
"""Share of cells whose class must be the same; runtimes round differently where two classes are equally likely."""

MAX_SCORE_SUM_CHANGE = 0.05
"""Relative change in the sum of the peaks' scores: a peak lost or gained shows, a rounding does not."""


@dataclass(frozen=True, slots=True)
class Golden:
    """A picture, uint8 [h, w, 3] BGR, and the classes and centers that belong to it."""

    name: str
    picture: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    centers: NDArray[np.float32]

    def agrees(self, found: Inference) -> bool:
        """Whether a model gave the same, up to rounding."""
        equal = float(np.mean(found.classes == self.classes))
        expected, given = float(self.centers[:, 2].sum()), float(found.centers[:, 2].sum())
        return equal >= LEAST_EQUAL_CLASSES and abs(given - expected) <= MAX_SCORE_SUM_CHANGE * max(expected, 1.0)


def write_golden(folder: Path, manifest: Manifest, backend: Backend, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Write pictures and what ``backend`` gives for them into a package's folder."""
    (folder / FOLDER).mkdir()
    for number, picture in enumerate(pictures, start=1):
        inference = backend.infer(fit(picture, manifest.input.height_px, manifest.input.width_px)[0])
        _, encoded = cv2.imencode(".png", picture)
        (folder / FOLDER / f"{number}.png").write_bytes(encoded.tobytes())
        np.savez_compressed(folder / FOLDER / f"{number}.npz", classes=inference.classes, centers=inference.centers)


def read_golden(package: ModelPackage) -> Iterator[Golden]:
    """The golden frames of a package that was opened, hence verified."""
    for name in sorted(package.manifest.files):
        if name.startswith(f"{FOLDER}/") and name.endswith(".png"):
            encoded = np.frombuffer((package.path / name).read_bytes(), np.uint8)
            with np.load((package.path / name).with_suffix(".npz"), allow_pickle=False) as given:
                picture = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
                yield Golden(name, picture, given["classes"], given["centers"])
