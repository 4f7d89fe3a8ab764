"""Pictures through GStreamer: CSI cameras of a Jetson, hardware decoders, and pipelines of one's own."""

import re
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from edge.address import public_address
from edge.clock import monotonic_s, utc_now
from edge.errors import CameraLost, CaptureError
from edge.settings import CsiSource, GstreamerSource
from edge.sources import FrameSource
from edge.sources.freshness import Freshness
from edge.sources.pipelines import csi_pipeline
from edge.sources.taps import Tap, taps

CSI_MEND = (
    "see that the ribbon sits, that gst-inspect-1.0 nvarguscamerasrc finds the element (only on a Jetson), and restart "
    "nvargus-daemon, which recovery.service does by itself"
)
OWN_MEND = "try it with gst-launch-1.0, its appsink replaced by fakesink"
_ADDRESS = re.compile(r"[\w+.-]+://\S+")


class Gstreamer(FrameSource):
    """A pipeline that ends in an appsink, behind the common interface.

    Args:
        camera_id: the camera's name in the configuration.
        label: names the source in messages; holds no secret.
        pipeline: what GStreamer is given.
        mend: what to look at when it does not start.
        timeout_s: a picture that takes longer is a loss.
        variant: 1 takes the other library where this Python reaches GStreamer by two.
    """

    finite = False

    def __init__(
        self, camera_id: str, label: str, pipeline: str, mend: str, timeout_s: float, *, variant: int = 0
    ) -> None:
        super().__init__(camera_id)
        self.label = f"{label} of camera {camera_id}"
        self._pipeline = pipeline
        self._mend = mend
        self._timeout_s = timeout_s
        self._variant = variant
        self._freshness = Freshness()
        self._tap: Tap | None = None

    def open(self) -> None:
        """Start the pipeline. Raises ``CaptureError``: there is no GStreamer, or (``CameraLost``) it does not start."""
        ways = taps()
        self._freshness = Freshness()
        try:
            self._tap = ways[self._variant % len(ways)](self._pipeline, self._timeout_s)
        except (EOFError, ValueError) as error:
            kind = CaptureError if isinstance(error, ValueError) else CameraLost
            raise kind(f"{self.label} does not start: {_without_addresses(error)}; {self._mend}") from None

    def close(self) -> None:
        """End the pipeline."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def _step(self) -> datetime:
        while True:
            stamp_s, now_s = self._next(), monotonic_s()
            if stamp_s is None or not self._freshness.is_old(stamp_s, now_s):
                break
        if self._freshness.stood_still_s(now_s) > self._timeout_s:
            raise CameraLost(f"{self.label} repeats one picture: its time stamps stand still; it will be opened again")
        return utc_now()

    def _next(self) -> float | None:
        try:
            return self._opened().next()
        except EOFError as error:
            raise CameraLost(
                f"{self.label} gives no more pictures: {_without_addresses(error)}; it will be opened again"
            ) from None

    def _decode(self) -> NDArray[np.uint8]:
        return self._opened().pixels()

    def _opened(self) -> Tap:
        if self._tap is None:
            raise CameraLost(f"{self.label} is not open; call open() before read()")
        return self._tap


def _without_addresses(error: Exception) -> str:
    return _ADDRESS.sub(lambda found: public_address(found.group()), str(error))


def open_pipeline(
    camera_id: str, settings: CsiSource | GstreamerSource, timeout_s: float, *, variant: int = 0
) -> Gstreamer:
    """A CSI camera of a Jetson, or the pipeline of the configuration."""
    if isinstance(settings, CsiSource):
        label, pipeline, mend = f"CSI sensor {settings.sensor}", csi_pipeline(settings), CSI_MEND
    else:
        label, pipeline, mend = "the pipeline", settings.pipeline, OWN_MEND
    return Gstreamer(camera_id, label, pipeline, mend, timeout_s, variant=variant)
