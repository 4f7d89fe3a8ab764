"""Where a camera's pictures come from: files, USB and CSI cameras, network cameras, GStreamer pipelines.

All of it is this machine's own business: a pipeline runs what it names, so no source is ever taken from the network.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer

from edge.address import public_address
from edge.contract.message import Name
from edge.settings.base import Settings

SIDE = Field(ge=64, le=8192)
FPS = Field(gt=0, le=240)

SINK_NAME = "canopy_appsink"
"""OpenCV finds the sink by an "appsink" in its name."""
_SINK = re.compile(rf"!\s*appsink(?=\s)(?=.*\sname={SINK_NAME}(\s|$))[^!]*$", re.DOTALL)


def _ends_in_sink(pipeline: str) -> str:
    if not _SINK.search(pipeline):
        raise ValueError(f"the pipeline must end in '! appsink name={SINK_NAME}', which is where pictures are taken")
    return pipeline


class FolderSource(Settings):
    """Pictures in a folder, in order of time: by their names, else their EXIF, else their modification time."""

    kind: Literal["folder"] = "folder"
    path: Path
    follow: bool = False
    """Live: take the pictures that arrive from now on, each once, and never end. What lies there already is left."""


class VideoSource(Settings):
    """A video file. Picture n was taken at ``started_at`` (the file's time if absent) + n · ``interval_s``."""

    kind: Literal["video"] = "video"
    path: Path
    started_at: datetime | None = None
    interval_s: Annotated[float, Field(gt=0)] | None = None


class ControlSettings(Settings):
    """What of a V4L2 camera is locked; absent: as the camera has it, most often automatic.

    A value switches the automatic off that would overwrite it. All are set after each opening, read back, and held
    against what was asked; what a camera refuses is told with the range that it allows.
    """

    exposure_ms: Annotated[float, Field(gt=0, le=10_000)] | None = None
    gain: int | None = None
    white_balance_k: Annotated[int, Field(ge=1_000, le=20_000)] | None = None
    focus: int | None = None
    power_line_hz: Literal[0, 50, 60] | None = None
    """Against the flicker of lamps: the mains' frequency, 0 for none."""
    other: Annotated[dict[Name, int], Field(max_length=32)] = Field(default_factory=dict)
    """Any further control by the name that ``v4l2-ctl --list-ctrls`` gives it."""


class V4l2Source(Settings):
    """A USB or CSI camera behind V4L2: an index or a device path; /dev/v4l/by-id paths survive re-plugging."""

    kind: Literal["v4l2"] = "v4l2"
    device: int | str
    width_px: Annotated[int, SIDE] | None = None
    height_px: Annotated[int, SIDE] | None = None
    pixel_format: Literal["MJPG", "YUYV"] | None = None
    """MJPG takes a tenth of YUYV's share of the bus; YUYV has not been compressed. Absent: the driver's choice."""
    fps: Annotated[float, FPS] | None = None
    controls: ControlSettings = ControlSettings()


class CsiSource(Settings):
    """A CSI camera of a Jetson, through its image processor: nvarguscamerasrc."""

    kind: Literal["csi"] = "csi"
    sensor: Annotated[int, Field(ge=0, le=15)] = 0
    width_px: Annotated[int, SIDE] = 1920
    height_px: Annotated[int, SIDE] = 1080
    fps: Annotated[int, Field(ge=1, le=240)] = 30
    rotate_deg: Literal[0, 90, 180, 270] = 0
    """Counter-clockwise."""
    exposure_ms: Annotated[float, Field(gt=0, le=1_000)] | None = None
    """Locks the exposure; absent: automatic."""
    gain: Annotated[float, Field(ge=1, le=1_000)] | None = None
    """Locks the analogue gain; absent: automatic."""
    white_balance: Literal["auto", "incandescent", "fluorescent", "daylight", "cloudy", "shade"] = "auto"


class GstreamerSource(Settings):
    """A GStreamer pipeline of one's own, which ends in ``! appsink name=canopy_appsink``."""

    kind: Literal["gstreamer"] = "gstreamer"
    pipeline: Annotated[
        str, Field(max_length=4_000), AfterValidator(_ends_in_sink), PlainSerializer(lambda _: "(not shown)")
    ]
    """May hold addresses with passwords, and is never written out again."""


class RtspSource(Settings):
    """A network camera."""

    kind: Literal["rtsp"] = "rtsp"
    url: Annotated[str, Field(pattern=r"^rtsps?://\S+$", max_length=2_000), PlainSerializer(public_address)]
    """May hold a user and a password; they are used, and never written out again."""
    decoder: Literal["auto", "ffmpeg", "gstreamer"] = "auto"
    """Auto: GStreamer where it has NVIDIA's hardware decoder, else FFmpeg inside OpenCV."""


SourceSettings = Annotated[
    FolderSource | VideoSource | V4l2Source | CsiSource | RtspSource | GstreamerSource, Field(discriminator="kind")
]
