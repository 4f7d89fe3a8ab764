"""Network cameras."""

from datetime import datetime

import cv2

from edge.address import public_address
from edge.clock import monotonic_s
from edge.errors import CameraLost, CaptureError
from edge.settings import RtspSource
from edge.sources import FrameSource
from edge.sources.freshness import Freshness
from edge.sources.stream import Stream

OWN_TIMEOUT_SHARE = 0.8
"""The decoder gives up a little before the supervisor would, which spares abandoning a thread."""
KEY_FRAME = ord("I")
UNKNOWN_FRAME = ord("?")
KEY_FRAMES = 2
MEND = (
    "see that it is on and reachable, and that the address, user and password in the configuration work in a player "
    "such as VLC"
)


def open_rtsp(camera_id: str, settings: RtspSource, timeout_s: float, *, variant: int = 0) -> FrameSource:
    """By GStreamer where it is asked for or has a hardware decoder, else by FFmpeg; a ``variant`` takes the other."""
    own_timeout_s = timeout_s * OWN_TIMEOUT_SHARE
    if not _by_gstreamer(settings, variant):
        return Rtsp(camera_id, settings, own_timeout_s)
    from edge.sources.gstreamer import Gstreamer  # noqa: PLC0415
    from edge.sources.pipelines import rtsp_pipeline  # noqa: PLC0415
    from edge.sources.taps import has_hardware_decoder  # noqa: PLC0415

    pipeline = rtsp_pipeline(settings.url, hardware=has_hardware_decoder())
    return Gstreamer(camera_id, public_address(settings.url), pipeline, MEND, own_timeout_s)


def _by_gstreamer(settings: RtspSource, variant: int) -> bool:
    """GStreamer is not even looked for where FFmpeg is what is wanted: it takes 10 MB."""
    from edge.sources.taps import has_gstreamer, has_hardware_decoder  # noqa: PLC0415

    wanted = settings.decoder == "gstreamer" or (settings.decoder == "auto" and has_hardware_decoder())
    if not variant:
        return wanted
    return not wanted and has_gstreamer()


class Rtsp(Stream):
    """A network camera, over TCP: UDP loses packets, which smear the picture and would be measured as plants.

    No picture is given before the second key frame, none that has waited on its way, and none whose time stamp has
    stood still for the timeout.
    """

    finite = False

    def __init__(self, camera_id: str, settings: RtspSource, timeout_s: float) -> None:
        super().__init__(camera_id, public_address(settings.url))
        self._url = settings.url
        self._timeout_s = timeout_s
        self._freshness = Freshness()
        self._key_frames = 0

    def open(self) -> None:
        """Connect. Raises ``CameraLost`` with what to check."""
        self._freshness = Freshness()
        self._key_frames = 0
        super().open()

    def _step(self) -> datetime:
        began_s = monotonic_s()
        while True:
            captured_at = super()._step()
            if self._is_whole(monotonic_s() - began_s) and not self._is_old():
                return captured_at

    def _is_whole(self, waited_s: float) -> bool:
        """Whether the pictures are drawn over something whole: from the second key frame on.

        Whoever joins in the midst of the first one misses its beginning, and all pictures up to the next are smeared.
        """
        if self._key_frames < KEY_FRAMES:
            self._key_frames += int(self._opened().get(cv2.CAP_PROP_FRAME_TYPE)) in {KEY_FRAME, UNKNOWN_FRAME}
            if waited_s > self._timeout_s:
                raise CameraLost(
                    f"{self.label} of camera {self.camera_id} sent {self._key_frames} key frames in {waited_s:.0f} s, "
                    f"and {KEY_FRAMES} are needed; set its I-frame interval (GOP) to 2 s or less, and its smart codec "
                    "(H.264+, H.265+) off"
                )
        return self._key_frames >= KEY_FRAMES

    def _is_old(self) -> bool:
        stamp_s, now_s = float(self._opened().get(cv2.CAP_PROP_POS_MSEC)) / 1000, monotonic_s()
        old = self._freshness.is_old(stamp_s, now_s)
        if self._freshness.stood_still_s(now_s) > self._timeout_s:
            raise CameraLost(
                f"{self.label} of camera {self.camera_id} repeats one picture: its time stamps stand still; it will "
                "be opened again"
            )
        return old

    def _connect(self) -> cv2.VideoCapture:
        timeout_ms = int(self._timeout_s * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
        return cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)

    def _cannot_open(self) -> CaptureError:
        return CameraLost(f"{self.label} of camera {self.camera_id} does not open; {MEND}")
