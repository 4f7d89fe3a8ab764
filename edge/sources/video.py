"""A video file."""

import logging
import math
from datetime import datetime, timedelta, timezone

import cv2

from edge.errors import CaptureError, EndOfSource
from edge.settings import VideoSource
from edge.sources.stream import Stream

log = logging.getLogger(__name__)


class Video(Stream):
    """A video file, each picture with the time that it was taken at.

    Picture n was taken at ``started_at`` (without an offset: the machine's local time; absent: the file's modification
    time) plus n · ``interval_s`` (absent: one over the file's frame rate).
    """

    finite = True

    def __init__(self, camera_id: str, settings: VideoSource) -> None:
        super().__init__(camera_id, f"video {settings.path}")
        self._settings = settings
        self._stepped = 0
        self._announced = 0
        self._started_at = datetime.fromtimestamp(0, timezone.utc)
        self._interval_s = 0.0

    def open(self) -> None:
        """Open the file and find its times."""
        super().open()
        self._stepped = 0
        self._announced = int(self._opened().get(cv2.CAP_PROP_FRAME_COUNT))
        self.total = self._announced if self._announced > 0 else None
        self._started_at = self._find_start()
        self._interval_s = self._settings.interval_s or self._find_interval_s()

    def _connect(self) -> cv2.VideoCapture:
        if not self._settings.path.is_file():
            raise CaptureError(f"{self.label} of camera {self.camera_id} is no file; set source.path to a video")
        return cv2.VideoCapture(str(self._settings.path), cv2.CAP_FFMPEG)

    def _step(self) -> datetime:
        super()._step()
        captured_at = self._started_at + timedelta(seconds=self._stepped * self._interval_s)
        self._stepped += 1
        return captured_at

    def _find_start(self) -> datetime:
        if self._settings.started_at is not None:
            return self._settings.started_at.astimezone(timezone.utc)
        return datetime.fromtimestamp(self._settings.path.stat().st_mtime, timezone.utc)

    def _find_interval_s(self) -> float:
        rate_hz = self._opened().get(cv2.CAP_PROP_FPS)
        if not (math.isfinite(rate_hz) and rate_hz > 0):
            raise CaptureError(f"{self.label} of camera {self.camera_id} has no frame rate; set source.interval_s")
        return 1.0 / rate_hz

    def _cannot_open(self) -> CaptureError:
        return CaptureError(
            f"{self.label} of camera {self.camera_id} is damaged or of an unknown kind; see whether "
            "ffprobe can read it, or convert it to MP4"
        )

    def _ended(self) -> CaptureError:
        if self._stepped == 0:
            return CaptureError(f"{self.label} of camera {self.camera_id} holds no picture that can be decoded")
        if self._stepped < self._announced:
            log.warning(
                "%s of camera %s ended after %d pictures, its header announces about %d; it may be cut off",
                self.label,
                self.camera_id,
                self._stepped,
                self._announced,
            )
        return EndOfSource(f"{self.label} of camera {self.camera_id} ended after {self._stepped} pictures")
