"""Golden frames: pictures in a package, and what the model that was packed gave for them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.manifest import Tolerances
from edge.errors import PackageInvalid
from edge.package import MEND, ModelPackage

FOLDER = "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """A picture, uint8 [h, w, 3] BGR, the classes and centers that belong to it, and how far others may lie off."""

    name: str
    picture: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    centers: NDArray[np.float32]
    tolerances: Tolerances

    def agrees(self, found: Inference) -> bool:
        """Whether a model gave the same, up to rounding."""
        if found.classes.shape != self.classes.shape:
            return False
        equal = float(np.mean(found.classes == self.classes))
        expected, given = float(self.centers[:, 2].sum()), float(found.centers[:, 2].sum())
        close = abs(given - expected) <= self.tolerances.most_score_change * max(expected, 1.0)
        return equal >= self.tolerances.least_equal_classes and close


def read_golden(package: ModelPackage) -> Iterator[Golden]:
    """The golden frames of a package that was opened, hence verified.

    Raises:
        PackageInvalid: one of them is no picture, or lacks its answer.
    """
    for name in sorted(package.manifest.files):
        if name.startswith(f"{FOLDER}/") and name.endswith(".png"):
            yield _read(name, package.path / name, package.manifest.tolerances)


def _read(name: str, path: Path, tolerances: Tolerances) -> Golden:
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as given:
            classes, centers = np.asarray(given["classes"], np.uint8), np.asarray(given["centers"], np.float32)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, cv2.error) as error:
        raise PackageInvalid(f"the golden frame {path} cannot be read: {error}; {MEND}") from error
    if picture is None or classes.ndim != 2 or centers.ndim != 2 or centers.shape[1] != 4:
        raise PackageInvalid(f"the golden frame {path} is no picture with classes and centers; {MEND}")
    return Golden(name, np.asarray(picture, np.uint8), classes, centers, tolerances)
