"""Events: what happened to devices."""

from datetime import datetime
from operator import eq, ge, lt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from edge.contract.message import Instant, Name
from edge.contract.records import EventKind
from fleet import schema
from fleet.api.asking import Limit, Page, Reading, Seen, Since, Until, in_utc, narrowed, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.problems import responses
from fleet.questions import paged

router = APIRouter(tags=["events"], route_class=Revalidated)

_CURSOR = Cursor("events", tuple[Instant, Number, Number])


class Event(BaseModel):
    """Something that happened to a device."""

    site: Name
    device: Name
    camera: Name | None
    kind: EventKind | None = Field(description="null: a kind that this release does not know; `message` says it.")
    happened_at: datetime = Field(description="By the device's clock.")
    clock_ok: bool = Field(description="Whether that clock was believed.")
    received_at: datetime
    message: str
    detail: dict[str, Any]
    epoch: str
    seq: int


@router.get("/events", operation_id="listEvents", responses=responses(400, 422))
def list_events(
    connection: Reading,
    scope: Seen,
    site: Annotated[Name | None, Query(description="This site only.")] = None,
    device: Annotated[Name | None, Query(description="Devices of this name only.")] = None,
    camera: Annotated[Name | None, Query(description="Cameras of this name only.")] = None,
    kind: Annotated[EventKind | None, Query(description="Events of this kind only.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Event]:
    """What happened, the newest first."""
    events, devices = schema.events, schema.devices
    conditions = narrowed(
        scope,
        devices.c.site,
        (devices.c.site, eq, site),
        (devices.c.device, eq, device),
        (events.c.camera, eq, camera),
        (events.c.kind, eq, kind and kind.value),
        (events.c.happened_at, ge, in_utc(since)),
        (events.c.happened_at, lt, in_utc(until)),
    )
    rows = paged.events(connection, conditions, _CURSOR.read(after), limit + 1)
    page = page_of(rows, limit, _CURSOR, lambda row: (row["happened_at"], row["stream_id"], row["seq"]))
    return Page(items=[Event.model_validate(row) for row in page.items], next=page.next)
