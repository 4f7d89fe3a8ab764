"""Pictures that come one after the other through OpenCV: what USB cameras, network cameras and videos share."""

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

from edge.clock import utc_now
from edge.errors import CameraLost, CaptureError
from edge.sources import FrameSource
from edge.sources.quiet import silence_opencv

silence_opencv()


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
