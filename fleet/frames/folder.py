"""Where frames lie: whole ones under their digests, and those that are on their way.

::

    frames/ab/abcd….jpg                    a frame
    frames/parts/DEVICE-abcd….part         what has come of one
    frames/parts/DEVICE-abcd….json         its description, as it was announced

No name in it is one that a device has chosen: DEVICE is a digest, too.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from edge.contract.message import Digest

DEVICE_CHARS = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A frame on its way."""

    path: Path

    @property
    def description(self) -> Path:
        """What was announced."""
        return self.path.with_suffix(".json")

    @property
    def size_bytes(self) -> int:
        """How much of it is there."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def announce(self, description: bytes) -> None:
        """Keep what was announced, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.description.with_suffix(".fresh")
        fresh.write_bytes(description)
        fresh.replace(self.description)

    def append(self, piece: bytes) -> None:
        """Take a piece."""
        with self.path.open("ab") as file:
            file.write(piece)

    def drop(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
        self.description.unlink(missing_ok=True)


class FrameFolder:
    """All of them, below ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def whole(self, digest: Digest) -> Path:
        """The place of a frame."""
        name = digest.removeprefix("sha256:")
        return self.path / name[:2] / f"{name}.jpg"

    def part(self, device: str, digest: Digest) -> Part:
        """The place of a frame of ``SITE/DEVICE`` that is on its way."""
        return Part(self.path / "parts" / f"{_short(device)}-{digest.removeprefix('sha256:')}.part")

    def parts(self, device: str) -> list[Part]:
        """What of a device is on its way, the oldest first."""
        announced = (self.path / "parts").glob(f"{_short(device)}-*.json")
        return [Part(path.with_suffix(".part")) for path in sorted(announced, key=lambda path: path.stat().st_mtime)]

    def accept(self, part: Part, digest: Digest) -> None:
        """Give a part that is whole its name, on the disk before anybody is told."""
        place = self.whole(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _flush(part.path)
        part.path.replace(place)
        _flush(place.parent)


def _short(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()[:DEVICE_CHARS]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
