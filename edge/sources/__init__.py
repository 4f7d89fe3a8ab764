"""Where pictures come from: one interface, and the table of its implementations."""

from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.clock import monotonic_s
from edge.errors import FrameUnreadable
from edge.frame import Frame
from edge.settings import CameraSettings, CsiSource, FolderSource, GstreamerSource, V4l2Source, VideoSource

MAX_SIDE_PX = 8192


class Onlooker(Protocol):
    """Sees a camera's pictures beside the loop, those too that are not due; called in the reader's thread."""

    def wants(self, camera: str) -> bool:
        """Whether the next picture is wanted."""

    def glimpsed(self, frame: Frame) -> None:
        """Take it, and return at once."""


class FrameSource(ABC):
    """One camera's pictures, in order of time.

    Callers use ``open``, ``read``, ``skip`` and ``close``, or the source as a context manager. An implementation says
    how to open, how to step to the next picture, and how to decode it; limits and error types are kept here.

    Attributes:
        finite: the source has an end.
        camera_id: the camera's name in the configuration.
        lossless: no picture of it may be lost, and it may repeat one: files, whether they have an end or not.
        next_frame_id: the number that the next picture read will have.
        total: how many pictures an open source holds, as far as it knows before reading them; None if it has no end.
        complaint: what an open source could not do as configured though it gives pictures; empty if nothing.
        usb_device: the camera's place in sysfs, known since it was first open; None if it hangs on no USB bus.
        onlooker: sees the pictures that it wants.
    """

    finite: ClassVar[bool]

    def __init__(self, camera_id: str) -> None:
        self.camera_id = camera_id
        self.lossless = self.finite
        self.next_frame_id = 0
        self.total: int | None = None
        self.complaint = ""
        self.usb_device: Path | None = None
        self.onlooker: Onlooker | None = None

    def follow(self, former: "FrameSource") -> None:
        """Go on where ``former``, the same camera's last source, left off. To be called before ``open``."""
        self.next_frame_id = former.next_frame_id
        self.usb_device = former.usb_device

    def is_ready(self) -> bool:
        """Whether a lossless source has a picture now; asked so that a wait for one is not taken for a hang."""
        return True

    @abstractmethod
    def open(self) -> None:
        """Make ready to read.

        Raises:
            CaptureError: there is nothing to read from (``CameraLost``: there may be later).
        """

    def close(self) -> None:  # noqa: B027 - nothing to give back is the common case
        """Give back what ``open`` took. Does nothing the second time."""

    def read(self) -> Frame:
        """The next picture.

        Raises:
            FrameUnreadable: this one is broken; read on.
            CameraLost: no more will come until the source is opened again.
            EndOfSource: the last one has been read.
        """
        captured_at = self._step()
        arrived_s = monotonic_s()
        frame_id = self.next_frame_id
        self.next_frame_id += 1
        try:
            pixels = self._decode()
            _check(pixels)
        except ValueError as error:
            raise FrameUnreadable(
                f"picture {frame_id} of {self.camera_id} cannot be read: {error}; the camera goes on with the next",
                camera_id=self.camera_id,
                frame_id=frame_id,
                captured_at=captured_at,
                monotonic_s=arrived_s,
            ) from error
        frame = Frame(pixels, frame_id, self.camera_id, captured_at, arrived_s)
        if self.onlooker and self.onlooker.wants(self.camera_id):
            self.onlooker.glimpsed(frame)
        return frame

    def skip(self) -> None:
        """Pass over one picture without counting it, and without decoding it unless an onlooker wants it.

        Raises as ``read`` does, except that a broken picture is passed over like any other.
        """
        captured_at = self._step()
        if self.onlooker and self.onlooker.wants(self.camera_id):
            self._show(self.onlooker, captured_at)

    def _show(self, onlooker: Onlooker, captured_at: datetime) -> None:
        arrived_s = monotonic_s()
        try:
            pixels = self._decode()
            _check(pixels)
        except ValueError:
            return
        onlooker.glimpsed(Frame(pixels, self.next_frame_id, self.camera_id, captured_at, arrived_s))

    @abstractmethod
    def _step(self) -> datetime:
        """Go to the next picture and return the wall time of its exposure in UTC.

        Raises:
            CameraLost, EndOfSource: as ``read``.
        """

    @abstractmethod
    def _decode(self) -> NDArray[np.uint8]:
        """The pixels of the picture stepped to, uint8 [H, W, 3], BGR.

        Raises:
            ValueError: it is broken; the message says how.
        """

    def __enter__(self) -> "FrameSource":  # noqa: PYI034 - typing has no Self on Python 3.10
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(camera: CameraSettings, variant: int = 0) -> FrameSource:
    """The source that a camera's settings describe, not yet opened. Loads only the libraries that its kind needs.

    ``variant`` 1 takes another way to the same camera where there is one: another library or decoder, another format.
    """
    source = _open_source(camera, variant)
    if camera.burst is None:
        return source
    from edge.sources.burst import Burst  # noqa: PLC0415

    return Burst(source, camera.burst)


def open_look(camera: CameraSettings) -> FrameSource:
    """The source for somebody who looks while no daemon does: of a folder that pictures arrive in, the newest first."""
    if isinstance(camera.source, FolderSource) and camera.source.follow:
        from edge.sources.folder import Newest  # noqa: PLC0415

        return Newest(camera.name, camera.source)
    return open_source(camera)


def _open_source(camera: CameraSettings, variant: int) -> FrameSource:
    source = camera.source
    if isinstance(source, FolderSource):
        from edge.sources.folder import Folder, Inbox  # noqa: PLC0415

        return Inbox(camera.name, source) if source.follow else Folder(camera.name, source)
    if isinstance(source, VideoSource):
        from edge.sources.video import Video  # noqa: PLC0415

        return Video(camera.name, source)
    if isinstance(source, V4l2Source):
        from edge.sources.v4l2 import V4l2  # noqa: PLC0415

        return V4l2(camera.name, source, variant=variant)
    if isinstance(source, (CsiSource, GstreamerSource)):
        from edge.sources.gstreamer import open_pipeline  # noqa: PLC0415

        return open_pipeline(camera.name, source, camera.read_timeout_s, variant=variant)
    from edge.sources.rtsp import open_rtsp  # noqa: PLC0415

    return open_rtsp(camera.name, source, camera.read_timeout_s, variant=variant)


def _check(pixels: NDArray[np.uint8]) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"its pixels are {pixels.dtype} {list(pixels.shape)}, not uint8 [H, W, 3]")
    check_size(width_px=pixels.shape[1], height_px=pixels.shape[0])


def check_size(*, width_px: int, height_px: int) -> None:
    """Refuse, with ``ValueError``, an empty picture and one that would fill the memory."""
    if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
        raise ValueError(f"it has {width_px} x {height_px} px; allowed are 1 to {MAX_SIDE_PX} on each side")
