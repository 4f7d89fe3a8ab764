"""Which frames are kept for training, and when they go to the fleet."""

from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.frames import MAX_DESCRIPTION_BYTES
from edge.settings.base import Fraction, Settings

Argument = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]


class Rectangle(Settings):
    """A part of the picture, as fractions of its width and height."""

    left: Fraction
    top: Fraction
    right: Fraction
    bottom: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> "Rectangle":
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be less than right, and top less than bottom")
        return self


class PrivacySettings(Settings):
    """What is made black before anything is written: rectangles, and with ``plots_only`` all but the plots' area.

    ``command`` is a program with its arguments, run without a shell, that then filters the picture: binary PPM on its
    standard input and output. A frame of which it gives no picture of the same size ``within_s`` is not kept.
    """

    blank: Annotated[tuple[Rectangle, ...], Field(max_length=100)] = ()
    plots_only: bool = False
    command: Annotated[tuple[Argument, ...], Field(max_length=64)] = ()
    within_s: Annotated[float, Field(gt=0, le=60)] = 5.0

    @model_validator(mode="after")
    def _names_a_program(self) -> "PrivacySettings":
        if self.command and not self.command[0].startswith("/"):
            raise ValueError(f"command {self.command[0]!r} is no whole path; write it from / on")
        return self


class HarvestSettings(Settings):
    """What is kept of one camera.

    In a day (UTC) at most ``day_bytes`` are kept: ``random_share`` of them by chance, the rest for a reason: the
    ``uncertain_share`` of pictures that the model is least sure of, those of a camera that drift has told of, and those
    on which a model in a shadow run disagrees. Frames kept for a reason lie ``apart_s`` apart. A JPEG has at most
    ``frame_bytes``. What is older than ``keep_days``, or the oldest beyond ``max_bytes``, goes, sent or not.
    """

    day_bytes: Annotated[int, Field(ge=100_000, le=10**12)] = 20_000_000
    random_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    uncertain_share: Fraction = 0.05
    apart_s: Annotated[float, Field(ge=0, le=86_400)] = 600.0
    frame_bytes: Annotated[int, Field(ge=20_000, le=4_000_000)] = 1_000_000
    quality: Annotated[int, Field(ge=50, le=100)] = 92
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    max_bytes: Annotated[int, Field(ge=100_000)] = 500_000_000
    privacy: PrivacySettings = PrivacySettings()

    @property
    def most_bytes(self) -> int:
        """What a frame and its description can take."""
        return self.frame_bytes + MAX_DESCRIPTION_BYTES

    @model_validator(mode="after")
    def _room_for_two(self) -> "HarvestSettings":
        shares = [self.random_share] + [1 - self.random_share] * (self.random_share < 1)
        if min(shares) * self.day_bytes < 2 * self.most_bytes:
            raise ValueError(
                f"a share of day_bytes {self.day_bytes} does not hold two frames of {self.most_bytes} bytes; "
                "raise day_bytes, or lower frame_bytes"
            )
        return self


class FrameUploadSettings(Settings):
    """When kept frames go to the fleet service where the device enrolled: by local time, and how fast."""

    from_hour: Annotated[int, Field(ge=0, le=23)] = 22
    to_hour: Annotated[int, Field(ge=0, le=23)] = 5
    """The same as ``from_hour``: at any time."""
    bytes_per_s: Annotated[float, Field(ge=0)] = 125_000.0
    """0: as fast as it goes."""
    look_every_s: Annotated[float, Field(ge=0.05, le=86_400)] = 300.0
