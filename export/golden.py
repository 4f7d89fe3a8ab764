"""Writes golden frames, which ``edge.golden`` reads."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend
from edge.contract.manifest import Manifest
from edge.golden import FOLDER, read_golden
from edge.package import ModelPackage
from edge.preprocess import fit
from export.parity import ParityRefused


def write_golden(folder: Path, manifest: Manifest, backend: Backend, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Write pictures and what ``backend`` gives for them into a package's folder."""
    (folder / FOLDER).mkdir()
    for number, picture in enumerate(pictures, start=1):
        inference = backend.infer(fit(picture, manifest.input.height_px, manifest.input.width_px)[0])
        _, encoded = cv2.imencode(".png", picture)
        (folder / FOLDER / f"{number}.png").write_bytes(encoded.tobytes())
        np.savez_compressed(folder / FOLDER / f"{number}.npz", classes=inference.classes, centers=inference.centers)


def check_golden(package: ModelPackage, backend: Backend) -> None:
    """See that a backend gives for each golden frame what the package recorded, and for no other one.

    The second part catches a model that gives the same for every picture.

    Raises:
        ParityRefused: it does not.
    """
    size, frames = package.manifest.input, list(read_golden(package))
    found = [backend.infer(fit(golden.picture, size.height_px, size.width_px)[0]) for golden in frames]
    for number, golden in enumerate(frames):
        if not golden.agrees(found[number]):
            raise ParityRefused(
                f"{package.path}: {backend.name} gives other results for {golden.name} than the package recorded; "
                "build the package again, or report the machine it happens on"
            )
        other = found[(number + 1) % len(frames)]
        if len(frames) > 1 and golden.agrees(other):
            raise ParityRefused(
                f"{package.path}: {backend.name} gives for another picture what belongs to {golden.name}; "
                "it does not look at its input: build the package again"
            )
