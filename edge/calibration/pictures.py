"""The picture that a calibration is made of: a file, or what the camera shows now."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import CalibrationFailed, CaptureError
from edge.settings import CameraSettings
from edge.sources import open_look

SETTLE_PICTURES = 10
"""A camera that was just opened finds its exposure first."""

MAX_BYTES = 100_000_000
REFERENCE_SIDE_PX = 1024


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture file, uint8 [h, w, 3] BGR.

    Raises:
        CalibrationFailed: it is none.
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        raise CalibrationFailed(f"cannot read {path}: {error}; name a picture file") from error
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if picture is None:
        raise CalibrationFailed(f"{path} is no picture that can be read; take it again as PNG or JPEG")
    return np.asarray(picture, np.uint8)


def take_picture(camera: CameraSettings) -> NDArray[np.uint8]:
    """What ``camera`` shows now; of files, the first picture.

    Raises:
        CaptureError: it shows nothing; a daemon that runs holds most cameras.
    """
    source = open_look(camera)
    try:
        with source:
            for _ in range(0 if source.finite else SETTLE_PICTURES):
                source.skip()
            return source.read().pixels
    except CaptureError as error:
        raise CaptureError(
            f"camera {camera.name} shows nothing: {error}; while the daemon holds it, take a picture with canopy "
            "snapshot, and name that with --picture"
        ) from error


def as_reference(picture: NDArray[np.uint8]) -> bytes:
    """The picture as it is kept to be held against later ones: PNG, its longer side 1024 px at the most."""
    scale = min(1.0, REFERENCE_SIDE_PX / max(picture.shape[:2]))
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", small)[1])


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, as the name's ending says.

    Raises:
        CalibrationFailed: it cannot be written.
    """
    try:
        encoded = cv2.imencode(path.suffix or ".png", picture)[1]
        path.write_bytes(bytes(encoded))
    except (OSError, cv2.error) as error:
        raise CalibrationFailed(f"cannot write {path}: {error}; name a .png that can be written") from error
