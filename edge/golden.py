"""Golden frames: pictures in a package, and what the model that was packed gave for them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.errors import PackageInvalid
from edge.package import MEND, ModelPackage

FOLDER: Final = "golden"

LEAST_EQUAL_CLASSES: Final = 0.99
"""Share of cells whose class must be the same; runtimes round differently where two classes are equally likely."""

MAX_SCORE_SUM_CHANGE: Final = 0.05
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
        if found.classes.shape != self.classes.shape:
            return False
        equal = float(np.mean(found.classes == self.classes))
        expected, given = float(self.centers[:, 2].sum()), float(found.centers[:, 2].sum())
        return equal >= LEAST_EQUAL_CLASSES and abs(given - expected) <= MAX_SCORE_SUM_CHANGE * max(expected, 1.0)


def read_golden(package: ModelPackage) -> Iterator[Golden]:
    """The golden frames of a package that was opened, hence verified.

    Raises:
        PackageInvalid: one of them is no picture, or lacks its answer.
    """
    for name in sorted(package.manifest.files):
        if name.startswith(f"{FOLDER}/") and name.endswith(".png"):
            yield _read(name, package.path / name)


def _read(name: str, path: Path) -> Golden:
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as given:
            classes, centers = np.asarray(given["classes"], np.uint8), np.asarray(given["centers"], np.float32)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, cv2.error) as error:
        raise PackageInvalid(f"the golden frame {path} cannot be read: {error}; {MEND}") from error
    if picture is None or classes.ndim != 2 or centers.ndim != 2 or centers.shape[1] != 4:
        raise PackageInvalid(f"the golden frame {path} is no picture with classes and centers; {MEND}")
    return Golden(name, np.asarray(picture, np.uint8), classes, centers)
