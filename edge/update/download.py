"""One file, from a host that cannot be relied on to a name that can: resumed, verified, flushed, renamed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from tuf.api.exceptions import DownloadError, DownloadLengthMismatchError, LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from edge.disk import flush, free_bytes
from edge.errors import NoRoom
from edge.update.fetch import Body, Fetcher, digest_in_name

SUFFIX = ".partial"


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way to the disk.

    Attributes:
        file: what was signed of it.
        url: where its content is.
        path: the name that it gets once it is whole; its folder belongs to downloads alone.
        fetcher: asks for it.
        bytes_per_s: the speed to keep below; 0 is no limit.
    """

    file: TargetFile
    url: str
    path: Path
    fetcher: Fetcher
    bytes_per_s: float = 0.0

    @property
    def partial(self) -> Path:
        """Where it grows. The name holds the digest, so that a part of another content is never gone on with."""
        return self.path.with_name(f".{quote(digest_in_name(self.file)[:32], safe='')}{SUFFIX}")

    def run(self, spare_bytes: int, report: Callable[[float], None]) -> Path:
        """Have the file whole under its name.

        Args:
            spare_bytes: what must be free beside it.
            report: told how much is there, from 0 to 1.

        Raises:
            NoRoom: the disk cannot hold it.
            tuf.api.exceptions.LengthOrHashMismatchError: what came is not what was signed.
            tuf.api.exceptions.DownloadError: it broke off; the part stays.
        """
        if self._is_good(self.path):
            report(1.0)
            return self.path
        self._drop_others()
        resumed = self._held_bytes() > 0
        self._check_room(spare_bytes)
        try:
            self._fill(report)
            self._verify()
        except LengthOrHashMismatchError:
            if not resumed:
                raise
            self._fill(report)  # the older part may be what a power cut left of it: once more, from nothing
            self._verify()
        flush(self.partial)
        self.partial.replace(self.path)
        flush(self.path.parent)
        return self.path

    def _check_room(self, spare_bytes: int) -> None:
        asked_bytes = self.file.length - self._held_bytes() + spare_bytes
        free = free_bytes(self.path.parent)
        if free < asked_bytes:
            raise NoRoom(
                f"{self.file.path} needs {asked_bytes >> 20} MiB free in {self.path.parent}, with what is made of it "
                f"and a reserve, and {free >> 20} MiB are; make room, or lower the reserve"
            )

    def _fill(self, report: Callable[[float], None]) -> None:
        """Fetch what is missing of the part."""
        held_bytes = self._held_bytes()
        if held_bytes == self.file.length and held_bytes:
            return
        with self.fetcher.open(self.url, held_bytes) as body, self.partial.open("ab") as part:
            part.truncate(body.start_byte)
            self._check_length(body)
            self._copy(body, part, report)
        if self._held_bytes() < self.file.length:
            raise DownloadError(f"{self.url} ends after {self._held_bytes()} of {self.file.length} bytes")

    def _check_length(self, body: Body) -> None:
        if body.length_bytes is not None and body.start_byte + body.length_bytes > self.file.length:
            raise DownloadLengthMismatchError(
                f"{self.url} has {body.start_byte + body.length_bytes} bytes, not {self.file.length}"
            )

    def _copy(self, body: Body, part: BinaryIO, report: Callable[[float], None]) -> None:
        began_s, began_bytes, held_bytes = time.monotonic(), body.start_byte, body.start_byte
        for chunk in body.chunks:
            if held_bytes + len(chunk) > self.file.length:
                raise DownloadLengthMismatchError(f"{self.url} has more than {self.file.length} bytes")
            part.write(chunk)
            held_bytes += len(chunk)
            report(held_bytes / self.file.length)
            if self.bytes_per_s:
                ahead_s = (held_bytes - began_bytes) / self.bytes_per_s - (time.monotonic() - began_s)
                time.sleep(max(0.0, ahead_s))

    def _held_bytes(self) -> int:
        """What is there of it; a part that is too long is none."""
        try:
            held_bytes = self.partial.stat().st_size
        except FileNotFoundError:
            return 0
        if held_bytes > self.file.length:
            self.partial.unlink()
            return 0
        return held_bytes

    def _verify(self) -> None:
        """See that the part is what was signed; otherwise it goes."""
        try:
            with self.partial.open("rb") as content:
                self.file.verify_length_and_hashes(content)
        except LengthOrHashMismatchError:
            self.partial.unlink()
            raise

    def _is_good(self, path: Path) -> bool:
        try:
            with path.open("rb") as content:
                self.file.verify_length_and_hashes(content)
        except (OSError, LengthOrHashMismatchError):
            return False
        return True

    def _drop_others(self) -> None:
        """Parts of other contents: nobody goes on with them, and they take the room."""
        for other in self.path.parent.glob(f".*{SUFFIX}"):
            if other != self.partial:
                other.unlink(missing_ok=True)
