"""Devices: what they are, how they do, and the account of their numbers."""

from datetime import datetime
from operator import eq
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from edge.contract.message import Name
from edge.contract.messages import Health, Info
from fleet import schema
from fleet.api.asking import DeviceOf, Limit, Page, Reading, Scope, Seen, SiteOf, narrowed, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor
from fleet.api.problems import responses
from fleet.questions import paged, views
from fleet.questions.observed import Document

router = APIRouter(tags=["devices"], route_class=Revalidated)

_CURSOR = Cursor("devices", tuple[Name, Name])
_TABLE = schema.devices


class Device(BaseModel):
    """A device, as it last spoke of itself."""

    site: Name
    device: Name
    online: bool = Field(description="Whether its connection to the broker stands.")
    first_seen: datetime
    last_seen: datetime
    info: Info | None = Field(description="What it is; null: it has not said yet.")
    health: Health | None = Field(description="How it did when it last told; null: it has not told yet.")


class Stream(BaseModel):
    """One numbering of a device: `received` + `missing` + `dropped` is `max_seq`, the highest number known of."""

    epoch: str = Field(description="Born with the device's database file.")
    first_seen: datetime
    last_seen: datetime
    watermark: int = Field(description="Everything up to this number is stored, or told dropped.")
    max_seq: int
    received: int
    repeated: int = Field(description="How often a record came again; it was stored once.")
    missing: int = Field(description="Not here, and not told dropped: still to come, or lost.")
    dropped: int = Field(description="What the device says it had to drop.")


@router.get("/devices", operation_id="listDevices", responses=responses(400, 422))
def list_devices(
    connection: Reading,
    scope: Seen,
    site: Annotated[Name | None, Query(description="This site only.")] = None,
    online: Annotated[bool | None, Query(description="Those that are, or are not, connected.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Device]:
    """Every device that has been heard of, by site and name."""
    wishes = ((_TABLE.c.site, eq, site), (_TABLE.c.online, eq, online))
    conditions = narrowed(scope, _TABLE.c.site, *wishes)
    rows = paged.devices(connection, conditions, _CURSOR.read(after), limit + 1)
    return page_of([_device(row) for row in rows], limit, _CURSOR, lambda one: (one.site, one.device))


@router.get("/devices/{site}/{device}", operation_id="getDevice", responses=responses(404, 422))
def get_device(connection: Reading, scope: Seen, site: SiteOf, device: DeviceOf) -> Device:
    """One device."""
    return _device(known_device(connection, scope, site, device))


@router.get("/devices/{site}/{device}/streams", operation_id="listStreams", responses=responses(404, 422))
def list_streams(connection: Reading, scope: Seen, site: SiteOf, device: DeviceOf) -> list[Stream]:
    """The numberings of a device's records, oldest first: what is here, what is missing, what was dropped."""
    known = known_device(connection, scope, site, device)
    return [Stream.model_validate(one, from_attributes=True) for one in views.stream_accounts(connection, known["id"])]


def known_device(connection: Connection, scope: Scope, site: str, device: str) -> Document:
    """A device that the asker may see.

    Raises:
        HTTPException: 404, there is none; also where there is one that the asker may not see.
    """
    found = views.find_device(connection, site, device) if scope.admits(site) else None
    if found is None:
        raise HTTPException(404, f"no device {site}/{device} has been heard of; /api/v1/devices lists those that have")
    return found


def _device(row: Document) -> Device:
    return Device.model_validate(row)
