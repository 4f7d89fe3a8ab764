"""Where an update comes from: a static host over HTTP, or a folder on a stick. Both look the same to what is above.

Whatever comes is bounded: the time to the first byte, the silence between two bytes, the slowness over minutes, and by
the reader the number of bytes. Errors are those of python-tuf, which the seam in ``edge.update.errors`` makes ours.
"""

import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface

from edge.contract.repository import METADATA, TARGETS

NOT_FOUND = 404

METADATA_WITHIN_S = 600.0
"""For one file of metadata as a whole: some kilobytes, half a megabyte at most where it is ours."""


@dataclass(frozen=True, slots=True)
class Body:
    """What an answer holds.

    Attributes:
        start_byte: the place in the whole file at which ``chunks`` begin; 0 if the host knows no ranges.
        length_bytes: how much follows, if the host says so.
        chunks: the content, in pieces as they come.
    """

    start_byte: int
    length_bytes: int | None
    chunks: Iterator[bytes]


class Fetcher(FetcherInterface):
    """What python-tuf fetches metadata with and the client targets; subclasses say how a URL is opened."""

    @abstractmethod
    def open(self, url: str, start_byte: int = 0) -> AbstractContextManager[Body]:
        """Ask for the content of ``url``, from ``start_byte`` on if the host can.

        Raises:
            tuf.api.exceptions.DownloadHTTPError: it is not there; the status says why.
            tuf.api.exceptions.DownloadError: no answer, or one that breaks off or crawls; also raised by the chunks.
        """

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self.open(url) as body:
            yield from body.chunks

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """The whole content of ``url``, in memory. A web page in its place counts as not found.

        Many hosts, and every login page of a guest network, answer 200 with a page for what they do not have, and the
        end of the chain of roots is known by a file that is not there. Metadata is JSON and begins with a brace.
        """
        content, began_s = bytearray(), time.monotonic()
        with self.open(url) as body:
            for chunk in body.chunks:
                content += chunk
                if time.monotonic() - began_s > METADATA_WITHIN_S:
                    raise SlowRetrievalError(f"{url}: {len(content)} bytes in {METADATA_WITHIN_S:.0f} s")
                if content.lstrip()[:1] == b"<":
                    raise DownloadHTTPError(f"{url} gives a web page instead of metadata", NOT_FOUND)
                if len(content) > max_length:
                    raise DownloadLengthMismatchError(f"{url} has more than {max_length} bytes")
        if not content:
            raise DownloadError(f"{url} is empty")
        return bytes(content)


def digest_in_name(file: TargetFile) -> str:
    """The digest under which the content of ``file`` is kept: its SHA-256, or whichever was signed."""
    return file.hashes.get("sha256") or next(iter(file.hashes.values()))


@dataclass(frozen=True, slots=True)
class Source:
    """A repository: where its two folders are, and how they are read. The URLs end with a slash."""

    metadata_url: str
    targets_url: str
    fetcher: Fetcher

    @classmethod
    def at(cls, url: str, fetcher: Fetcher) -> "Source":
        """The repository below ``url``."""
        base = url.rstrip("/")
        return cls(f"{base}/{METADATA}/", f"{base}/{TARGETS}/", fetcher)

    @classmethod
    def in_folder(cls, folder: Path) -> "Source":
        """The repository in a folder: a stick, a share, or the fleet's own."""
        from edge.update.folder import FolderFetcher  # noqa: PLC0415 - it needs what stands here

        return cls.at(folder.resolve().as_uri(), FolderFetcher(folder))
