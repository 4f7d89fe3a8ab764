"""Cameras: where their pictures come from, how often, and what is looked at in them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, model_validator

from edge.address import public_address
from edge.contract.message import Name
from edge.settings.base import Fraction, Point, Settings
from edge.settings.calibration import IdentitySettings, MovementSettings


class GridPlots(Settings):
    """Plots in rows and columns between two corners, named R1C1, R1C2 and so on.

    Corners are (x, y) as fractions of the picture's width and height.
    """

    kind: Literal["grid"] = "grid"
    rows: Annotated[int, Field(ge=1, le=100)]
    columns: Annotated[int, Field(ge=1, le=100)]
    top_left: Point = (0.0, 0.0)
    bottom_right: Point = (1.0, 1.0)

    @model_validator(mode="after")
    def _ordered(self) -> "GridPlots":
        if self.top_left[0] >= self.bottom_right[0] or self.top_left[1] >= self.bottom_right[1]:
            raise ValueError(f"top_left {self.top_left} must lie left of and above bottom_right {self.bottom_right}")
        return self


class PolygonPlots(Settings):
    """Plots by their outlines: name → corners (x, y) as fractions of the picture's width and height."""

    kind: Literal["polygons"] = "polygons"
    outlines: Annotated[dict[Name, Annotated[list[Point], Field(min_length=3)]], Field(min_length=1, max_length=1000)]


PlotSettings = Annotated[GridPlots | PolygonPlots, Field(discriminator="kind")]


class FolderSource(Settings):
    """Pictures in a folder, in order of time: by their names, else their EXIF, else their modification time."""

    kind: Literal["folder"] = "folder"
    path: Path


class VideoSource(Settings):
    """A video file. Picture n was taken at ``started_at`` (the file's time if absent) + n · ``interval_s``."""

    kind: Literal["video"] = "video"
    path: Path
    started_at: datetime | None = None
    interval_s: Annotated[float, Field(gt=0)] | None = None


class V4l2Source(Settings):
    """A USB or CSI camera behind V4L2: an index or a device path; /dev/v4l/by-id paths survive re-plugging."""

    kind: Literal["v4l2"] = "v4l2"
    device: int | str
    width_px: Annotated[int, Field(ge=64, le=8192)] | None = None
    height_px: Annotated[int, Field(ge=64, le=8192)] | None = None


class RtspSource(Settings):
    """A network camera."""

    kind: Literal["rtsp"] = "rtsp"
    url: Annotated[str, Field(pattern=r"^rtsps?://"), PlainSerializer(public_address)]
    """May hold a user and a password; they are used, and never written out again."""


SourceSettings = Annotated[FolderSource | VideoSource | V4l2Source | RtspSource, Field(discriminator="kind")]


class QualitySettings(Settings):
    """Limits of the quality gate, on the grey picture (0 to 255) at the network's input size, without its padding.

    A picture is dark if its brightest half percent lies below ``dark_below``: at night everything is black, while a
    plant before a black background is small but bright. It is overexposed if more than ``overexposed_share`` of it is
    250 or brighter; blurred if the mean square of its Laplacian over what is not dark lies below ``blurred_below`` (the
    8-bit rounding of a wholly smooth picture gives up to 2); frozen from the ``frozen_after``-th identical picture on,
    which only live cameras are asked, because files may repeat a picture.
    """

    dark_below: Annotated[float, Field(ge=0, le=255)] = 12.0
    overexposed_share: Fraction = 0.5
    blurred_below: Annotated[float, Field(ge=0)] = 3.0
    frozen_after: Annotated[int, Field(ge=2)] = 5


class CameraSettings(Settings):
    """One camera: where its pictures come from, how often, and where its plots are."""

    name: Name
    source: SourceSettings
    interval_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Time-lapse of a live camera: one picture every so many seconds, aligned to the wall clock."""
    max_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Read no faster than this; absent, with no ``interval_s`` either: every picture that the source gives."""
    plots: PlotSettings | None = None
    quality: QualitySettings = QualitySettings()
    identity: IdentitySettings = IdentitySettings()
    movement: MovementSettings = MovementSettings()
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    reconnect_max_s: Annotated[float, Field(gt=0, le=3600)] = 60.0

    @model_validator(mode="after")
    def _plots_stand_still(self) -> "CameraSettings":
        if self.identity.kind == "moving" and self.plots is not None:
            raise ValueError("plots are places in the picture of a camera that stands still; leave them out on a rail")
        return self

    @model_validator(mode="after")
    def _one_pace(self) -> "CameraSettings":
        if self.interval_s is not None and self.max_fps is not None:
            raise ValueError("interval_s and max_fps exclude each other: a time-lapse, or every picture up to a rate")
        return self
