"""The seam to GStreamer: through an OpenCV that was built with it, or through PyGObject.

The published OpenCV wheels have no GStreamer; JetPack's OpenCV may have it, Debian's has. PyGObject (``gi``) belongs to
the distribution, so a virtual environment does not see it; it is looked for where Debian and Ubuntu put it, too.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.clock import monotonic_s
from edge.errors import CaptureError
from edge.settings import SINK_NAME
from edge.sources.quiet import silence_opencv

DISTRIBUTION = "/usr/lib/python3/dist-packages"
NVIDIA_DECODER = "*/gstreamer-1.0/libgstnvvideo4linux2.so"
CHANNELS = {"BGR": 3, "BGRx": 4, "BGRA": 4}
PARSERS = {"h264parse", "h265parse"}
KEY_FRAMES = 2
DECODING = {"output-corrupt": False, "discard-corrupted-frames": True, "max-errors": 10, "max-threads": 1}
"""What decoders are told that have such settings: FFmpeg's, and from GStreamer 1.20 on all. Each thread of a decoder
holds pictures of its own."""
SLICE_S = 0.2
LAST_WORDS_S = 0.05
CLOSE_LIMIT_S = 1.0
MEND = (
    "this Python reaches no GStreamer: neither has its OpenCV been built with it (the wheels from PyPI never are), nor "
    "is there PyGObject; apt install python3-gi gir1.2-gstreamer-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-"
    "good serves the system's Python, and pip install 'PyGObject<3.51' any other"
)

silence_opencv()


class Tap(Protocol):
    """An opened pipeline, whichever library drives it. Foreign errors leave it as ``EOFError``."""

    def next(self) -> float | None:
        """Wait for the next picture: its stamp in the stream in s, None if it has none."""

    def pixels(self) -> NDArray[np.uint8]:
        """The picture waited for, uint8 [H, W, 3], BGR. Raises ``ValueError`` if there is none in it."""

    def close(self) -> None:
        """End the pipeline."""


class OpenCvTap:
    """A pipeline in ``cv2.VideoCapture``. OpenCV 4.8 and older take no timeout here; whoever reads has one."""

    def __init__(self, pipeline: str, _timeout_s: float) -> None:
        with _eof_for(cv2.error):
            self._capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise EOFError("OpenCV did not start the pipeline")

    def next(self) -> float | None:
        """Wait for the next picture; ``Tap.next``."""
        with _eof_for(cv2.error):
            if not self._capture.grab():
                raise EOFError("the pipeline has stopped")
            stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return stamp_s if stamp_s > 0 else None

    def pixels(self) -> NDArray[np.uint8]:
        """Its pixels; ``Tap.pixels``."""
        try:
            decoded, pixels = self._capture.retrieve()
        except cv2.error as error:
            raise ValueError(f"OpenCV cannot decode it ({error.err})") from error
        if not decoded or pixels is None:
            raise ValueError("OpenCV cannot decode it")
        four = pixels.ndim == 3 and pixels.shape[2] == 4
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR) if four else pixels, np.uint8)

    def close(self) -> None:
        """End the pipeline."""
        self._capture.release()


class PyGObjectTap:
    """A pipeline in GStreamer itself. Raises ``ValueError`` if it is none."""

    def __init__(self, pipeline: str, timeout_s: float) -> None:
        gst = _pygobject()
        if gst is None:
            raise EOFError(MEND)
        self._gst = gst
        self._timeout_s = timeout_s
        self._sample: Any = None
        try:
            self._pipeline = gst.parse_launch(pipeline)
        except Exception as error:
            raise ValueError(str(error)) from error
        self._sink = self._pipeline.get_by_name(SINK_NAME)
        self._pipeline.connect("deep-element-added", _OnlyWhole(gst).watch)
        if self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            why = self._trouble(LAST_WORDS_S) or "it does not say why"
            self.close()
            raise EOFError(why)

    def next(self) -> float | None:
        """Wait for the next picture; ``Tap.next``."""
        self._sample = None
        give_up_at_s = monotonic_s() + self._timeout_s
        while self._sample is None:
            self._sample = self._sink.emit("try-pull-sample", int(SLICE_S * 1e9))
            if self._sample is None and (trouble := self._trouble(LAST_WORDS_S)):
                raise EOFError(trouble)
            if self._sample is None and monotonic_s() > give_up_at_s:
                raise EOFError(f"no picture within {self._timeout_s:g} s")
        stamp_ns = self._sample.get_buffer().pts
        return None if stamp_ns == self._gst.CLOCK_TIME_NONE else float(stamp_ns) / 1e9

    def pixels(self) -> NDArray[np.uint8]:
        """Its pixels; ``Tap.pixels``."""
        if self._sample is None:
            raise ValueError("no picture has been waited for")
        form, buffer = self._sample.get_caps().get_structure(0), self._sample.get_buffer()
        mapped, info = buffer.map(self._gst.MapFlags.READ)
        if not mapped:
            raise ValueError("its memory cannot be read; end the pipeline in video/x-raw,format=BGR before the appsink")
        try:
            kind = form.get_string("format") or form.get_name()
            return _picture_of(info.data, form.get_value("width"), form.get_value("height"), kind)
        finally:
            buffer.unmap(info)

    def close(self) -> None:
        """End the pipeline."""
        self._sample = None
        self._pipeline.set_state(self._gst.State.NULL)
        self._pipeline.get_state(int(CLOSE_LIMIT_S * 1e9))

    def _trouble(self, wait_s: float) -> str:
        """What the pipeline says of its end; empty while it runs."""
        kinds = self._gst.MessageType.ERROR | self._gst.MessageType.EOS
        message = self._pipeline.get_bus().timed_pop_filtered(int(wait_s * 1e9), kinds)
        if message is None:
            return ""
        if message.type == self._gst.MessageType.EOS:
            return "the stream has ended"
        error, _ = message.parse_error()
        return f"{message.src.get_name()}: {error.message}"


def taps() -> list[type[PyGObjectTap | OpenCvTap]]:
    """The ways to GStreamer that this Python has, the better one first: PyGObject says why a pipeline fails.

    Raises:
        CaptureError: there is none; says what to install.
    """
    found: list[type[PyGObjectTap | OpenCvTap]] = [PyGObjectTap] if _pygobject() is not None else []
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        found.append(OpenCvTap)
    if not found:
        raise CaptureError(MEND)
    return found


def has_gstreamer() -> bool:
    """Whether this Python reaches GStreamer at all."""
    try:
        return bool(taps())
    except CaptureError:
        return False


def has_hardware_decoder(libraries: Path = Path("/usr/lib")) -> bool:
    """Whether GStreamer has NVIDIA's decoder, and this Python has GStreamer."""
    return any(libraries.glob(NVIDIA_DECODER)) and has_gstreamer()


@lru_cache(maxsize=1)
def _pygobject() -> ModuleType | None:
    """GStreamer's namespace, initialized; None where PyGObject or GStreamer's description of itself is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # of the importer that older PyGObject has
            gi = _import_gi()
            gi.require_version("Gst", "1.0")
            from gi.repository import Gst  # noqa: PLC0415
        Gst.init(None)
    except (ImportError, ValueError):
        return None
    return Gst  # type: ignore[no-any-return]


def _import_gi() -> Any:
    try:
        import gi  # noqa: PLC0415
    except ImportError:
        sys.path.append(DISTRIBUTION)  # last, and for this one import: nothing else may come from there
        try:
            import gi  # noqa: PLC0415
        finally:
            sys.path.remove(DISTRIBUTION)
    return gi


class _OnlyWhole:
    """Keeps smeared pictures back: those before the second key frame, and those that the decoder knows to be broken.

    Whoever joins in the midst of the first key frame misses its beginning, and all pictures up to the next are smeared.
    """

    def __init__(self, gst: ModuleType) -> None:
        self._gst = gst
        self._seen = 0

    def watch(self, _pipeline: Any, _bin: Any, element: Any) -> None:
        """Look at what leaves ``element`` if it is the parser of a video codec; tell it what to do if a decoder."""
        for setting, value in DECODING.items():
            if element.find_property(setting) is not None:
                element.set_property(setting, value)
        if element.get_factory().get_name() in PARSERS:
            element.get_static_pad("src").add_probe(self._gst.PadProbeType.BUFFER, self._hold_back)

    def _hold_back(self, _pad: Any, probe: Any) -> Any:
        self._seen += not probe.get_buffer().has_flags(self._gst.BufferFlags.DELTA_UNIT)
        returns = self._gst.PadProbeReturn
        return returns.REMOVE if self._seen >= KEY_FRAMES else returns.DROP


def _picture_of(data: Any, width_px: int, height_px: int, form: str) -> NDArray[np.uint8]:
    """A copy without the padding of the rows and without a fourth channel."""
    channels = CHANNELS.get(form)
    if channels is None:
        raise ValueError(f"its format is {form}; end the pipeline in video/x-raw,format=BGR before the appsink")
    stride_bytes = len(data) // height_px
    if stride_bytes < width_px * channels:
        raise ValueError(f"{len(data)} bytes are too few for {width_px} x {height_px} px in {form}")
    rows = np.frombuffer(data, np.uint8, stride_bytes * height_px).reshape(height_px, stride_bytes)
    pixels = rows[:, : width_px * channels].reshape(height_px, width_px, channels)
    return pixels.copy() if channels == len("BGR") else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


@contextmanager
def _eof_for(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        raise EOFError(str(error)) from error
