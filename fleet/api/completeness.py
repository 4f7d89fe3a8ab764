"""Completeness: for each hour of a device, what was received, is missing, or was dropped."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.api.asking import DeviceOf, Reading, Seen, SiteOf
from fleet.api.caching import Revalidated
from fleet.api.devices import known_device
from fleet.api.problems import responses
from fleet.questions import views

router = APIRouter(tags=["completeness"], route_class=Revalidated)

MAX_HOURS = 24 * 31


class CompleteHour(BaseModel):
    """The records of one hour."""

    hour: datetime = Field(description="Its beginning, in UTC.")
    received: int
    missing: int = Field(description="Known of and not arrived.")
    dropped: int = Field(description="The device says it had to.")
    epoch_breaks: int = Field(description="How often the device began to number anew: before that, nobody can know.")


@router.get("/devices/{site}/{device}/completeness", operation_id="getCompleteness", responses=responses(404, 422))
def get_completeness(
    connection: Reading,
    scope: Seen,
    site: SiteOf,
    device: DeviceOf,
    hours: Annotated[int, Query(ge=1, le=MAX_HOURS, description="How far back.")] = 24,
) -> list[CompleteHour]:
    """The last hours of a device, oldest first, over all its numberings."""
    known = known_device(connection, scope, site, device)
    return [CompleteHour(**asdict(hour)) for hour in views.completeness(connection, known["id"], hours)]
