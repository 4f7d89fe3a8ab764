"""Gaps: what devices had to drop. Loss is never silent."""

from datetime import datetime
from operator import eq
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from edge.contract.message import Name
from fleet import schema
from fleet.api.asking import Limit, Page, Reading, Seen, narrowed, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.problems import responses
from fleet.questions import paged

router = APIRouter(tags=["completeness"], route_class=Revalidated)

_CURSOR = Cursor("gaps", tuple[Number, Number, Number])


class Gap(BaseModel):
    """A run of records that a device says it had to drop; some of them may have arrived all the same."""

    site: Name
    device: Name
    epoch: str
    first_seq: int
    last_seq: int
    at: datetime = Field(description="When the device said so.")
    reason: str


@router.get("/gaps", operation_id="listGaps", responses=responses(400, 422))
def list_gaps(
    connection: Reading,
    scope: Seen,
    site: Annotated[Name | None, Query(description="This site only.")] = None,
    device: Annotated[Name | None, Query(description="Devices of this name only.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Gap]:
    """What was dropped, by numbering and number."""
    devices = schema.devices
    wishes = ((devices.c.site, eq, site), (devices.c.device, eq, device))
    conditions = narrowed(scope, devices.c.site, *wishes)
    rows = paged.gaps(connection, conditions, _CURSOR.read(after), limit + 1)
    page = page_of(rows, limit, _CURSOR, lambda row: (row["stream_id"], row["first_seq"], row["last_seq"]))
    return Page(items=[Gap.model_validate(row) for row in page.items], next=page.next)
