"""A repository in a folder: on a USB stick for a greenhouse without internet."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError

from edge.update.fetch import NOT_FOUND, Body, Fetcher

_CHUNK_BYTES = 64 * 2**10
_FORBIDDEN = 403


class FolderFetcher(Fetcher):
    """Reads ``file:`` URLs below one folder, and nothing beside it, however the stick was prepared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    @contextmanager
    def open(self, url: str, start_byte: int = 0) -> Iterator[Body]:
        """Open a regular file of the folder."""
        path = Path(unquote(urlsplit(url).path))
        with self._opened(path) as file:
            length_bytes = os.fstat(file.fileno()).st_size
            start_byte = min(start_byte, length_bytes)
            file.seek(start_byte)
            yield Body(start_byte, length_bytes - start_byte, _chunks(path, file))

    def _opened(self, path: Path) -> BinaryIO:
        try:
            if not path.resolve().is_relative_to(self._folder):
                raise DownloadHTTPError(f"{path} lies outside of {self._folder}", _FORBIDDEN)
            return _regular_file(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise DownloadHTTPError(f"{path} is not there", NOT_FOUND) from error
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a ring; ValueError: a null byte
            raise DownloadError(f"cannot read {path}: {error}") from error


def _chunks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise DownloadError(f"cannot read {path}: {error}; is the stick still there?") from error


def _regular_file(path: Path) -> BinaryIO:
    """A pipe would hold the reader for ever, a device give what it likes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")
