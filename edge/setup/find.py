"""What a machine has that a setup can use: cameras, model packages, a name."""

import re
import socket
import sys
from pathlib import Path
from typing import Any

from edge.contract.manifest import MANIFEST_FILE
from edge.errors import CaptureError, ConfigError
from edge.frame import Frame
from edge.settings import CameraSettings, checked
from edge.snapshot import first_frame

BY_ID = Path("/dev/v4l/by-id")
PACKAGES = (Path("/etc/canopy/packages"), Path("/usr/share/canopy/packages"), Path("/opt/canopy/packages"))
VIDEO = {".mp4", ".mkv", ".avi", ".mov", ".webm"}


def cameras(by_id: Path = BY_ID) -> list[str]:
    """USB cameras by names that survive re-plugging; of each its first node, which is the one with pictures."""
    return sorted(str(path) for path in by_id.glob("*-video-index0")) if by_id.is_dir() else []


def packages(*more: Path) -> list[Path]:
    """Model packages in the usual places, and below ``more``."""
    places = (*PACKAGES, Path(sys.prefix) / "packages", *more)
    return sorted({found.parent.resolve() for place in places for found in place.glob(f"*/{MANIFEST_FILE}")})


def source_of(words: str) -> dict[str, Any]:
    """The source that an address means: an RTSP URL, a folder, a video, a device or its index.

    Raises:
        ConfigError: it is none.
    """
    if words.startswith(("rtsp://", "rtsps://")):
        return {"kind": "rtsp", "url": words}
    path = Path(words).expanduser()
    if words.isdecimal():
        return {"kind": "v4l2", "device": int(words)}
    if words.startswith("/dev/"):
        return {"kind": "v4l2", "device": words}
    if words and path.is_dir():
        return {"kind": "folder", "path": str(path.resolve())}
    if path.is_file() and path.suffix.lower() in VIDEO:
        return {"kind": "video", "path": str(path.resolve())}
    raise ConfigError(f"{words} is no camera: name /dev/v4l/by-id/…, rtsp://…, a folder with pictures, or a video")


def probe(name: str, words: str) -> tuple[dict[str, Any], Frame]:
    """The source, and a picture that it gives now.

    Raises:
        ConfigError: it is no source.
        CaptureError: it gives no picture.
    """
    source = source_of(words)
    camera = checked(CameraSettings, {"name": name, "source": source}, "the camera")
    try:
        return source, first_frame(camera)
    except CaptureError as error:
        raise CaptureError(f"no picture: {error}") from error


def name_of_machine() -> str:
    """The machine's name as a device's."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:64].lstrip("_.-") or "camera-1"
