"""Readings: one value of one trait a row, for who wants numbers and no documents."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from edge.contract.message import Digest, Name
from edge.contract.records import Outcome
from edge.contract.traits import Unit
from fleet.api.asking import Limit, Page, Reading, Scope, Seen, Since, Until, in_utc
from fleet.api.caching import Revalidated
from fleet.api.cursors import After
from fleet.api.observations import CameraFilter, DeviceFilter, PlotFilter, SiteFilter
from fleet.api.problems import responses
from fleet.questions.readings import Cursor, Selection, page_of_readings

router = APIRouter(tags=["observations"], route_class=Revalidated)


class OneReading(BaseModel):
    """One value."""

    site: Name
    device: Name
    camera: Name
    plot: Name
    crop: str | None
    taken_at: datetime
    clock_ok: bool
    outcome: Outcome | None
    trait: str
    value: float
    unit: Unit | None
    uncertainty: float | None = Field(description="One standard deviation; null: not known, which is not zero.")
    method: str
    model: Digest | None


@router.get("/readings", operation_id="listReadings", responses=responses(400, 422))
def list_readings(
    connection: Reading,
    scope: Seen,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    camera: CameraFilter = None,
    plot: PlotFilter = None,
    crop: Annotated[str | None, Query(max_length=64, description="Of plots on which this grows only.")] = None,
    trait: Annotated[Name | None, Query(description="Of this trait only.")] = None,
    model: Annotated[Digest | None, Query(description="Made by this model only.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[OneReading]:
    """Values, the oldest first. Who may see some sites only names one of them in `site`."""
    selection = Selection(
        _one_site(scope, site), device, camera, plot, crop, trait, model, in_utc(since), in_utc(until)
    )
    rows, cursor = page_of_readings(connection, selection, Cursor.parse(after) if after is not None else None, limit)
    return Page(items=[OneReading.model_validate(row) for row in rows], next=str(cursor) if cursor else None)


def _one_site(scope: Scope, site: str | None) -> str | None:
    if scope.sites is None or site in scope.sites:
        return site
    if site is None and len(scope.sites) == 1:
        return next(iter(scope.sites))
    raise HTTPException(422, f"name one of your sites as site: {', '.join(sorted(scope.sites))}")
