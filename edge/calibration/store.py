"""Calibrations on the disk: ``state_dir/calibration/CAMERA/``, one file for each that ever was, and which is in force.

``current.json`` is replaced as a whole, so after a power cut it is the old one or the new one. What it replaced stays
beside it under its digest: an observation from last month names it.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from edge.calibration.record import Calibration
from edge.contract.message import Digest
from edge.disk import write_whole
from edge.errors import StoreError

FOLDER = "calibration"
CURRENT = "current.json"
TOLD = "told"
MAX_BYTES = 1_000_000
MAX_PICTURE_BYTES = 20_000_000


class CalibrationStore:
    """Reads and replaces the calibration of one camera."""

    def __init__(self, state_dir: Path, camera: str) -> None:
        self.camera = camera
        self.folder = state_dir / FOLDER / camera

    @property
    def current(self) -> Path:
        """The file that is in force."""
        return self.folder / CURRENT

    def read(self) -> Calibration:
        """The calibration in force; one that knows nothing where none is.

        Raises:
            StoreError: it is there and cannot be used.
        """
        try:
            content = self.current.read_bytes()[: MAX_BYTES + 1]
        except FileNotFoundError:
            return Calibration(camera=self.camera)
        except OSError as error:
            raise StoreError(f"cannot read {self.current}: {error}; see to the rights and to the disk") from error
        return self._checked(content)

    def kept(self, digest: Digest) -> Calibration:
        """One that is or was in force.

        Raises:
            StoreError: it is not here.
        """
        path = self._path(digest)
        try:
            return self._checked(path.read_bytes())
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error}; canopy calibrate show lists what is kept") from error

    def all(self) -> list[Digest]:
        """Digests of everything kept, oldest first."""
        paths = sorted(self.folder.glob("????????????????*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [f"sha256:{path.stem}" for path in paths]

    def write(self, calibration: Calibration) -> None:
        """Put ``calibration`` in force, and keep it; an empty one puts none in force. On return it is on the disk.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if calibration.empty:
                self.current.unlink(missing_ok=True)
                return
            content = calibration.encode()
            write_whole(self._path(calibration.digest), content)
            write_whole(self.current, content)
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder}: {error}; see to the rights and to the disk") from error

    def keep_picture(self, png: bytes) -> Digest:
        """Keep a reference picture under its digest.

        Raises:
            StoreError: it cannot be written.
        """
        name = hashlib.sha256(png).hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / f"{name}.png", png)
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder}: {error}; see to the rights and to the disk") from error
        return f"sha256:{name}"

    def picture(self, digest: Digest) -> bytes:
        """A kept reference picture.

        Raises:
            StoreError: it is not here, or not the one of that name.
        """
        path = self.folder / f"{digest.removeprefix('sha256:')}.png"
        try:
            png = path.read_bytes()[:MAX_PICTURE_BYTES]
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error}; take a new one: canopy calibrate reference") from error
        if f"sha256:{hashlib.sha256(png).hexdigest()}" != digest:
            raise StoreError(f"{path} was altered; take a new one: canopy calibrate reference {self.camera}")
        return png

    def told(self) -> str:
        """Digest of the calibration that the fleet was told of; empty for none."""
        try:
            return (self.folder / TOLD).read_text(encoding="utf-8")[:100]
        except OSError:
            return ""

    def note_told(self, digest: str) -> None:
        """Remember what the fleet was told; where that cannot be written it is told again after the next start."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / TOLD, digest.encode())
        except OSError:
            return

    def _path(self, digest: Digest) -> Path:
        return self.folder / f"{digest.removeprefix('sha256:')}.json"

    def _checked(self, content: bytes) -> Calibration:
        try:
            if len(content) > MAX_BYTES:
                raise StoreError(f"a calibration of more than {MAX_BYTES} bytes is none; remove {self.current}")
            calibration = Calibration.model_validate_json(content)
        except ValidationError as error:
            raise StoreError(
                f"{self.current} is damaged; calibrate camera {self.camera} again, or take an older one back with "
                f"canopy calibrate use: {error}"
            ) from error
        if calibration.camera != self.camera:
            raise StoreError(f"{self.current} is that of camera {calibration.camera}; calibrate {self.camera} itself")
        return calibration
