"""Observations: what was seen of a plot at one time, with everything that one must know to trust it."""

from datetime import datetime
from operator import eq, ge, lt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from edge.contract.message import Digest, Instant, Name
from edge.contract.records import Outcome, QualityFlag
from edge.contract.traits import Unit
from fleet import schema
from fleet.api.asking import DeviceOf, Limit, Page, Reading, Seen, Since, SiteOf, Until, in_utc, narrowed, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.devices import known_device
from fleet.api.problems import responses
from fleet.questions import paged
from fleet.questions.readings import Selection

router = APIRouter(tags=["observations"], route_class=Revalidated)

_CURSOR = Cursor("observations", tuple[Instant, Number, Number])
_LATEST = Cursor("latest", tuple[Name, Name])


class Value(BaseModel):
    """One trait of one plot at one time."""

    trait: str
    value: float
    unit: Unit | None = Field(description="null: one that this release does not know.")
    method: str
    uncertainty: float | None = Field(description="One standard deviation; null: not known, which is not zero.")
    histogram: list[float] = Field(default_factory=list, description="Shares of equal bins, for a distribution.")


class Observation(BaseModel):
    """The traits of one plot at one time, or why there are none. Missing is never zero."""

    site: Name
    device: Name
    camera: Name
    plot: Name
    taken_at: datetime = Field(description="The best that is known: repaired where the device's clock was wrong.")
    captured_at: datetime = Field(description="By the device's clock.")
    clock_ok: bool = Field(description="Whether that clock was believed.")
    received_at: datetime
    frame_id: int
    outcome: Outcome | None
    quality: list[QualityFlag | None] = Field(description="Why the picture is not fit to measure.")
    traits: list[Value]
    model: Digest | None
    calibration: Digest | None
    error: str
    epoch: str
    seq: int


SiteFilter = Annotated[Name | None, Query(description="This site only.")]
DeviceFilter = Annotated[Name | None, Query(description="Devices of this name only.")]
CameraFilter = Annotated[Name | None, Query(description="Cameras of this name only.")]
PlotFilter = Annotated[Name | None, Query(description="Plots of this name only.")]


@router.get("/observations", operation_id="listObservations", responses=responses(400, 422))
def list_observations(
    connection: Reading,
    scope: Seen,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    camera: CameraFilter = None,
    plot: PlotFilter = None,
    outcome: Annotated[Outcome | None, Query(description="Observations with this outcome only.")] = None,
    model: Annotated[Digest | None, Query(description="Made by this model only.")] = None,
    trait: Annotated[Name | None, Query(description="Only those that hold this trait, and only it of each.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Observation]:
    """Observations, the newest first by `taken_at`."""
    table = schema.observations
    conditions = narrowed(
        scope,
        schema.devices.c.site,
        (table.c.outcome, eq, outcome and outcome.value),
        (table.c.taken_at, ge, in_utc(since)),
        (table.c.taken_at, lt, in_utc(until)),
    )
    conditions += paged.of_plots(connection, Selection(site, device, camera, plot))
    conditions += paged.made_by(connection, model) + paged.holding(connection, trait)
    rows = paged.observations(connection, conditions, _CURSOR.read(after), limit + 1)
    page = page_of(rows, limit, _CURSOR, lambda row: (row["taken_at"], row["stream_id"], row["seq"]))
    return Page(items=[as_observation(row, trait) for row in page.items], next=page.next)


@router.get("/devices/{site}/{device}/latest", operation_id="listLatest", responses=responses(400, 404, 422))
def list_latest(
    connection: Reading, scope: Seen, site: SiteOf, device: DeviceOf, limit: Limit = 100, after: After = None
) -> Page[Observation]:
    """What a device saw last of each of its plots, by camera and plot."""
    known = known_device(connection, scope, site, device)
    rows = paged.latest(connection, known["id"], _LATEST.read(after), limit + 1)
    page = page_of(rows, limit, _LATEST, lambda row: (row["camera"], row["plot"]))
    return Page(items=[as_observation(row) for row in page.items], next=page.next)


def as_observation(row: dict[str, Any], trait: str | None = None) -> Observation:
    """An observation as the API gives it; with ``trait`` only that one."""
    found = Observation.model_validate(row)
    if trait is not None:
        found.traits = [value for value in found.traits if value.trait == trait]
    return found
