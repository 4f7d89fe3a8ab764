"""Series: one trait over time, drawn to size, so that a chart of a year costs no more than one of a day."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from edge.contract.message import Digest, Name
from edge.contract.records import EventKind
from edge.contract.traits import Unit
from fleet.api.asking import Asked, CameraOf, DeviceOf, PlotOf, Reading, Seen, SiteOf
from fleet.api.caching import Revalidated
from fleet.api.plots import PLOT, known_plot
from fleet.api.problems import responses
from fleet.questions.series import MAX_POINTS, MIN_POINTS, Place, series

router = APIRouter(tags=["series"], route_class=Revalidated)


class SeriesPoint(BaseModel):
    """The readings of one bucket."""

    at: datetime = Field(description="Its first reading's moment, or the start of its first hour or day.")
    value: float = Field(description="Their mean.")
    low: float
    high: float
    count: int
    model: Digest | None


class SeriesLine(BaseModel):
    """Values of one unit and method, which alone may be joined by a line."""

    unit: Unit | None
    method: str
    points: list[SeriesPoint]


class SeriesGap(BaseModel):
    """A period without readings; nothing may be drawn across it."""

    since: datetime
    until: datetime


class ModelChange(BaseModel):
    """From when on another model made the readings."""

    at: datetime
    model: Digest | None


class SeriesEvent(BaseModel):
    """An event that concerns the camera."""

    happened_at: datetime
    kind: EventKind | None
    message: str


class TraitSeries(BaseModel):
    """A trait of a plot from `since` to `until`, in buckets of `step_s` seconds."""

    trait: str
    since: datetime
    until: datetime
    step_s: float
    lines: list[SeriesLine]
    gaps: list[SeriesGap]
    model_changes: list[ModelChange]
    events: list[SeriesEvent]


@router.get(PLOT + "/series", operation_id="getSeries", responses=responses(404, 422))
def get_series(
    connection: Reading,
    scope: Seen,
    period: Asked,
    site: SiteOf,
    device: DeviceOf,
    camera: CameraOf,
    plot: PlotOf,
    trait: Annotated[Name, Query(description="Which one.", examples=["projected_leaf_area"])],
    points: Annotated[int, Query(ge=MIN_POINTS, le=MAX_POINTS, description="About so many for each line.")] = 500,
) -> TraitSeries:
    """One trait of a plot over time, with its gaps, changes of model, and events."""
    known_plot(connection, scope, (site, device, camera, plot))
    found = series(connection, Place(site, device, camera, plot), trait, period.since, period.until, points)
    pairs = {
        "gaps": [{"since": begin, "until": end} for begin, end in found.gaps],
        "model_changes": [{"at": at, "model": model} for at, model in found.model_changes],
    }
    return TraitSeries.model_validate({**asdict(found), **pairs})
