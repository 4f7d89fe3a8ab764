"""A folder of pictures."""

import os
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge.clock import monotonic_s
from edge.errors import CameraLost, CaptureError, EndOfSource
from edge.settings import FolderSource
from edge.sources import FrameSource, check_size
from edge.sources.phototime import day_in_name, time_in_exif, time_in_name

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_ENTRIES = 1_000_000
WIDE_MODES = ("I", "F")
MAX_FILE_BYTES = 256 * 2**20
STRIP_PX = 64
LOOK_EVERY_S = 1.0
SETTLED_S = 2.0

Image.MAX_IMAGE_PIXELS = None  # check_size refuses large pictures by their headers, and says what is allowed


class Photo(NamedTuple):
    """A file and when it was taken; sorts by time, then by name."""

    taken_at: datetime
    path: Path


class Folder(FrameSource):
    """The pictures of a folder in order of time; the list is made when it is opened, subfolders are left out.

    A picture's time is the date and time in its name, else its EXIF ``DateTimeOriginal``, else the day in its name,
    else the file's modification time. Whatever gives no offset is the machine's local time.
    """

    finite = True

    def __init__(self, camera_id: str, settings: FolderSource) -> None:
        super().__init__(camera_id)
        self._path = settings.path
        self._rest: Iterator[Photo] = iter(())
        self._current: Path | None = None

    def open(self) -> None:
        """List the folder. Raises ``CaptureError`` if that cannot be done, or finds nothing."""
        try:
            with os.scandir(self._path) as entries:
                files = [Path(entry.path) for entry in islice(entries, MAX_ENTRIES + 1) if _is_picture(entry)]
        except OSError as error:
            raise CaptureError(
                f"cannot list {self._path} of camera {self.camera_id}: {error.strerror}; "
                "set source.path to a folder of pictures that this user may read"
            ) from error
        if not files:
            raise CaptureError(
                f"{self._path} of camera {self.camera_id} holds no picture; put files in it that end "
                f"in {', '.join(sorted(SUFFIXES))}"
            )
        if len(files) > MAX_ENTRIES:
            raise CaptureError(f"{self._path} of camera {self.camera_id} holds over {MAX_ENTRIES} files; split it")
        self.total = len(files)
        self._rest = iter(sorted(Photo(_taken_at(file), file) for file in files))

    def _step(self) -> datetime:
        photo = next(self._rest, None)
        if photo is None:
            raise EndOfSource(f"all pictures in {self._path} of camera {self.camera_id} have been read")
        self._current = photo.path
        return photo.taken_at

    def _decode(self) -> NDArray[np.uint8]:
        if self._current is None:
            raise ValueError("no picture has been stepped to")
        try:
            with _bounded(self._current) as file:
                return _pixels(file)
        except OSError as error:
            raise ValueError(f"{self._current}: {error}") from error
        except Exception as error:  # decoders fail on hostile bytes in every way; none may end the camera
            raise ValueError(f"{self._current}: {type(error).__name__}: {error}") from error


class Newest(Folder):
    """The same pictures from the newest back."""

    def open(self) -> None:
        """As a folder."""
        super().open()
        self._rest = iter(sorted(self._rest, reverse=True))


class Inbox(Folder):
    """A folder that pictures arrive in: each is taken once, when it has not changed for ``SETTLED_S``.

    What lies there when it is first opened is left to ``canopy run --until-end``; what arrives while the folder is
    away, as a share of the network may be, is taken when it is back.
    """

    finite = False

    def __init__(self, camera_id: str, settings: FolderSource) -> None:
        super().__init__(camera_id, settings)
        self.lossless = True
        self._known: set[str] | None = None
        self._look_at_s = 0.0
        self._new: deque[Photo] = deque()

    def follow(self, former: FrameSource) -> None:
        """Go on where ``former`` left off: what it has seen is not taken again."""
        super().follow(former)
        if isinstance(former, Inbox):
            self._known, self._new = former._known, former._new  # noqa: SLF001 - of the same class

    def open(self) -> None:
        """Note what is there. Raises ``CameraLost`` if the folder cannot be listed: there may be one later."""
        if self._known is None:
            self._known = set(self._listed())

    def is_ready(self) -> bool:
        """Whether a whole picture waits; looks into the folder at most once in ``LOOK_EVERY_S``."""
        if not self._new and monotonic_s() >= self._look_at_s:
            self._look_at_s = monotonic_s() + LOOK_EVERY_S
            self._look()
        return bool(self._new)

    def _look(self) -> None:
        listed = self._listed()
        known = self._known or set()
        whole = [name for name, settled in listed.items() if settled and name not in known]
        self._known = (known & listed.keys()) | set(whole)  # a name that is gone may come again
        self._new.extend(sorted(Photo(_taken_at(self._path / name), self._path / name) for name in whole))

    def _listed(self) -> dict[str, bool]:
        """The pictures' names, and whether each has settled: one that is still being written would be cut off."""
        now_s = time.time()
        try:
            with os.scandir(self._path) as entries:
                files = [entry for entry in islice(entries, MAX_ENTRIES) if _is_picture(entry)]
                return {file.name: abs(now_s - file.stat().st_mtime) >= SETTLED_S for file in files}
        except OSError as error:
            raise CameraLost(
                f"cannot list {self._path} of camera {self.camera_id}: {error.strerror}; see that it is mounted and "
                "that this user may read it"
            ) from error

    def _step(self) -> datetime:
        photo = self._new.popleft()
        self._current = photo.path
        return photo.taken_at


def _is_picture(entry: "os.DirEntry[str]") -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file()


def _taken_at(path: Path) -> datetime:
    return time_in_name(path.name) or _time_in_file(path) or day_in_name(path.name) or _modified_at(path)


def _time_in_file(path: Path) -> datetime | None:
    """The EXIF time of a file, whose pixels are not decoded."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return time_in_exif(image)
    except Exception:  # noqa: BLE001 - a broken picture keeps its place by its other times; reading it tells why
        return None


def _modified_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    except OSError:  # gone since it was listed: reading it tells
        return datetime.fromtimestamp(0, timezone.utc)


def _bounded(path: Path) -> BinaryIO:
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise ValueError("the file is empty (0 bytes)")
    if size_bytes > MAX_FILE_BYTES:
        raise ValueError(f"the file has {size_bytes} bytes; allowed are {MAX_FILE_BYTES}")
    return path.open("rb")


def _pixels(file: BinaryIO) -> NDArray[np.uint8]:
    """Decode to uint8 [H, W, 3] BGR, turned as its EXIF says; raises ``OSError`` on a truncated file."""
    with Image.open(file, formats=FORMATS) as image:
        check_size(width_px=image.width, height_px=image.height)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I;16"):
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        if image.mode in WIDE_MODES:
            raise ValueError("its pixels have 32 bits, and nothing says which value is white; save it with 8 or 16")
        pixels = np.empty((image.height, image.width, 3), np.uint8)
        for top in range(0, image.height, STRIP_PX):  # a camera's picture is large: no copy of the whole is made
            strip = image.crop((0, top, image.width, min(top + STRIP_PX, image.height)))
            pixels[top : top + STRIP_PX] = np.asarray(strip.convert("RGB"))[..., ::-1]
        return pixels
