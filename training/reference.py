"""The drift reference of a package, from pictures on which it is known to do well."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend
from edge.contract.manifest import Precision
from edge.contract.reference import Reference
from edge.drift.reference import LEAST_CAPTURES, by_band, distributions
from edge.drift.statistics import answer_statistics, light_band, picture_statistics
from edge.errors import ConfigError, FrameUnreadable
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.segmentation import decode

LEAST_PICTURES = LEAST_CAPTURES


def read_pictures(paths: Iterable[Path]) -> Iterator[NDArray[np.uint8]]:
    """Pictures from files, uint8 [h, w, 3] BGR.

    Raises:
        FrameUnreadable: a file is no picture.
    """
    for path in paths:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise FrameUnreadable(f"{path} is no picture that can be read; give JPEG or PNG files")
        yield np.asarray(pixels, np.uint8)


def make_reference(
    package: ModelPackage, precision: Precision, backend: Backend, pictures: Iterable[NDArray[np.uint8]]
) -> Reference:
    """Look at pictures as a device would; ``backend`` runs the package's model of ``precision``.

    Raises:
        ConfigError: there are too few.
    """
    manifest = package.manifest
    size, rows, features, content = manifest.input, [], [], hashlib.sha256()
    for pixels in pictures:
        image, placement = fit(pixels, size.height_px, size.width_px)
        inference = backend.infer(image)
        found = decode(inference, manifest, placement)
        seen = picture_statistics(image, placement)
        rows.append((light_band(seen), seen | answer_statistics(image, placement, inference, found, manifest)))
        features.append(inference.features)
        content.update(image.tobytes())
    if len(rows) < LEAST_PICTURES:
        raise ConfigError(f"{len(rows)} pictures are too few for a reference; give at least {LEAST_PICTURES}")
    return Reference(
        model=manifest.files[manifest.models[precision]].sha256,
        data=f"sha256:{content.hexdigest()}",
        pictures=len(rows),
        statistics=distributions([row for _, row in rows]),
        bands=by_band(rows),
        features_mean=tuple(np.mean(features, axis=0).astype(float).round(6).tolist()),
        features_deviation=tuple(np.std(features, axis=0).astype(float).round(6).tolist()),
    )
