"""Cameras: where their pictures come from, how often, and what is looked at in them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.contract.message import Name
from edge.settings.base import Fraction, Point, Settings
from edge.settings.calibration import IdentitySettings, MovementSettings
from edge.settings.drift import DriftSettings
from edge.settings.harvest import HarvestSettings
from edge.settings.recovery import RecoverySettings
from edge.settings.schedule import BurstSettings, WindowSettings
from edge.settings.source import FolderSource, SourceSettings, VideoSource


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


class QualitySettings(Settings):
    """Limits of the quality gate, on the grey picture (0 to 255) at the network's input size, without its padding.

    A picture is dark if its brightest half percent lies below ``dark_below``: at night everything is black, while a
    plant before a black background is small but bright. It is overexposed if more than ``overexposed_share`` of it is
    250 or brighter; blurred if the mean square of its Laplacian over what is not dark lies below ``blurred_below`` (the
    8-bit rounding of a wholly smooth picture gives up to 2); frozen from the ``frozen_after``-th identical picture on,
    which only live cameras are asked, because files may repeat a picture. It is lamp-coloured if the weaker of its red
    and its blue is over ``lamp_above`` times its green: sunlight and white lamps give 1.0 on white and less on all that
    is green or brown, purple LEDs more. 801 photographs in white light reach 1.10 (``benchmarks/lamp.py``).
    """

    dark_below: Annotated[float, Field(ge=0, le=255)] = 12.0
    overexposed_share: Fraction = 0.5
    blurred_below: Annotated[float, Field(ge=0)] = 3.0
    frozen_after: Annotated[int, Field(ge=2)] = 5
    lamp_above: Annotated[float, Field(ge=1, le=100)] = 1.15
    dark: Literal["skip", "flag"] = "skip"
    """Dark pictures are not measured, or measured and flagged."""
    lamp: Literal["skip", "flag"] = "flag"
    """Pictures in coloured light: their shapes are right, their colours are not."""


class CameraSettings(Settings):
    """One camera: where its pictures come from, how often, and where its plots are."""

    name: Name
    source: SourceSettings
    interval_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Time-lapse of a live camera: one picture every so many seconds, aligned to the wall clock."""
    max_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Read no faster than this; absent, with no ``interval_s`` either: every picture that the source gives."""
    window: WindowSettings | None = None
    """Absent: a live camera is open day and night."""
    burst: BurstSettings | None = None
    warm_up_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Pictures of so long after each opening are passed over: exposure and white balance have yet to settle."""
    plots: PlotSettings | None = None
    quality: QualitySettings = QualitySettings()
    drift: DriftSettings | None = DriftSettings()
    """Absent (``null``): nobody watches whether the camera's pictures change."""
    harvest: HarvestSettings | None = None
    """Absent: no picture is ever written. Else frames are kept for training the next model."""
    identity: IdentitySettings = IdentitySettings()
    movement: MovementSettings = MovementSettings()
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    reconnect_max_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    recovery: RecoverySettings = RecoverySettings()

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

    @model_validator(mode="after")
    def _live_only(self) -> "CameraSettings":
        given = [name for name in ("window", "burst") if getattr(self, name) is not None]
        if given and isinstance(self.source, (FolderSource, VideoSource)):
            raise ValueError(f"{' and '.join(given)}: for live cameras only; files hold the pictures that are wanted")
        if self.burst and self.burst.lasts_s > self.read_timeout_s / 2:
            raise ValueError(
                f"a burst of {self.burst.lasts_s:g} s does not fit read_timeout_s {self.read_timeout_s:g}: "
                "take fewer pictures, a shorter every_s, or at least twice the timeout"
            )
        return self
