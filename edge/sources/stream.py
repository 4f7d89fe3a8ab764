"""Pictures that come one after the other through OpenCV: the common part, USB and CSI cameras, network cameras."""

import os
from abc import abstractmethod
from datetime import datetime

# All are read by OpenCV when it first opens a stream. Its own messages would show addresses with their passwords, and
# each thread of the decoder would hold a picture of its own.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_FFMPEG_THREADS", "1")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.address import public_address
from edge.clock import utc_now
from edge.errors import CameraLost, CaptureError
from edge.settings import RtspSource, V4l2Source
from edge.sources import FrameSource

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

OWN_TIMEOUT_SHARE = 0.8
"""OpenCV gives up a little before the supervisor would, which spares abandoning a thread."""


class Stream(FrameSource):
    """A ``cv2.VideoCapture`` behind the common interface; ``label`` names it in messages and holds no secret."""

    def __init__(self, camera_id: str, label: str) -> None:
        super().__init__(camera_id)
        self.label = label
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Connect. Raises ``CaptureError`` with what to check."""
        try:
            capture = self._connect()
        except cv2.error as error:
            raise self._cannot_open() from error
        if not capture.isOpened():
            capture.release()
            raise self._cannot_open()
        self._capture = capture

    def close(self) -> None:
        """Disconnect."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _step(self) -> datetime:
        try:
            grabbed = self._opened().grab()
        except cv2.error as error:
            raise self._ended() from error
        if not grabbed:
            raise self._ended()
        return utc_now()

    def _decode(self) -> NDArray[np.uint8]:
        try:
            decoded, pixels = self._opened().retrieve()
        except cv2.error as error:
            raise ValueError(f"OpenCV cannot decode it ({error.err})") from error
        if not decoded or pixels is None:
            raise ValueError("OpenCV cannot decode it")
        return np.asarray(pixels, dtype=np.uint8)

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None:
            raise CameraLost(f"{self.label} of camera {self.camera_id} is not open; call open() before read()")
        return self._capture

    @abstractmethod
    def _connect(self) -> cv2.VideoCapture:
        """Try to open the stream."""

    @abstractmethod
    def _cannot_open(self) -> CaptureError:
        """What to say when it did not open."""

    def _ended(self) -> CaptureError:
        return CameraLost(f"{self.label} of camera {self.camera_id} gives no more pictures; it will be opened again")


class V4l2(Stream):
    """A USB or CSI camera. The driver is asked to queue one picture only, so that what is read is fresh."""

    finite = False

    def __init__(self, camera_id: str, settings: V4l2Source) -> None:
        super().__init__(camera_id, f"device {settings.device!r}")
        self._settings = settings

    def _connect(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(self._settings.device, cv2.CAP_V4L2)
        wanted = {
            cv2.CAP_PROP_FRAME_WIDTH: self._settings.width_px,
            cv2.CAP_PROP_FRAME_HEIGHT: self._settings.height_px,
            cv2.CAP_PROP_BUFFERSIZE: 1,
        }
        for setting, value in wanted.items():
            if value is not None:
                capture.set(setting, value)
        return capture

    def _cannot_open(self) -> CaptureError:
        return CameraLost(
            f"{self.label} of camera {self.camera_id} does not open; see that it is plugged in (v4l2-ctl "
            "--list-devices), that no other program uses it, and that this user is in the group video"
        )


class Rtsp(Stream):
    """A network camera, over TCP: UDP loses packets, which smear the picture and would be measured as plants."""

    finite = False

    def __init__(self, camera_id: str, settings: RtspSource, timeout_s: float) -> None:
        super().__init__(camera_id, public_address(settings.url))
        self._url = settings.url
        self._timeout_ms = int(timeout_s * 1000 * OWN_TIMEOUT_SHARE)

    def _connect(self) -> cv2.VideoCapture:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, self._timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, self._timeout_ms]
        return cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)

    def _cannot_open(self) -> CaptureError:
        return CameraLost(
            f"{self.label} of camera {self.camera_id} does not open; see that it is on and reachable, and that "
            "the address, user and password in the configuration work in a player such as VLC"
        )
