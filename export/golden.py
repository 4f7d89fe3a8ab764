"""Writes golden frames, which ``edge.golden`` reads."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend
from edge.contract.manifest import Manifest
from edge.golden import FOLDER
from edge.preprocess import fit


def write_golden(folder: Path, manifest: Manifest, backend: Backend, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Write pictures and what ``backend`` gives for them into a package's folder."""
    (folder / FOLDER).mkdir()
    for number, picture in enumerate(pictures, start=1):
        inference = backend.infer(fit(picture, manifest.input.height_px, manifest.input.width_px)[0])
        _, encoded = cv2.imencode(".png", picture)
        (folder / FOLDER / f"{number}.png").write_bytes(encoded.tobytes())
        np.savez_compressed(folder / FOLDER / f"{number}.npz", classes=inference.classes, centers=inference.centers)
