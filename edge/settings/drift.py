"""What is watched of a camera's pictures over weeks."""

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.message import Name
from edge.settings.base import Settings


class CropStage(Settings):
    """A time of the crop's life in which it looks alike; it ends where the next begins."""

    name: Name
    begins: date


class DriftSettings(Settings):
    """How often a picture is looked at for drift, and when a change is told.

    Captures that lie less than ``every_s`` apart are no independent looks. A camera that has not changed raises an
    alarm in a year with a chance of at most ``alpha``. After ``rebase_days`` days without an alarm the camera gets a
    reference of its own beside the model package's. At the beginning of a stage of ``stages`` what the model finds may
    change without being told of.
    """

    every_s: Annotated[float, Field(ge=60, le=86_400)] = 3600.0
    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    rebase_days: Annotated[int, Field(ge=2, le=60)] = 7
    stages: Annotated[tuple[CropStage, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> "DriftSettings":
        if [stage.begins for stage in self.stages] != sorted({stage.begins for stage in self.stages}):
            raise ValueError("stages must begin one after the other, each on a day of its own")
        return self

    def stage_on(self, day: date) -> str | None:
        """The stage of a day; None before the first."""
        return next((stage.name for stage in reversed(self.stages) if stage.begins <= day), None)
