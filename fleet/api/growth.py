"""Growth: how fast a plot's plants have grown."""

from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from edge.contract.traits import Unit
from fleet.api.asking import CameraOf, DeviceOf, PlotOf, Reading, Seen, SiteOf
from fleet.api.caching import Revalidated
from fleet.api.devices import known_device
from fleet.api.plots import PLOT, known_plot
from fleet.api.problems import responses
from fleet.questions.growth import rates

router = APIRouter(tags=["growth"], route_class=Revalidated)


class GrowthRate(BaseModel):
    """Growth rate or phyllochron, from one reading of each day."""

    trait: str
    value: float
    unit: Unit
    method: str
    uncertainty: float | None
    interval_95: list[float] = Field(min_length=2, max_length=2)
    days: int = Field(description="How many days it is from.")


@router.get(PLOT + "/growth", operation_id="getGrowth", responses=responses(404, 422))
def get_growth(
    connection: Reading,
    scope: Seen,
    site: SiteOf,
    device: DeviceOf,
    camera: CameraOf,
    plot: PlotOf,
    days: Annotated[float, Query(ge=1, le=366, description="How far back.")] = 14,
    from_hour: Annotated[float, Query(ge=0, le=24, description="Only readings from this hour of the day on.")] = 10,
    to_hour: Annotated[float, Query(ge=0, le=24, description="Only readings before this hour.")] = 14,
    utc_offset_h: Annotated[float, Query(ge=-12, le=14, description="Of the clock that these hours are of.")] = 0,
) -> list[GrowthRate]:
    """How fast a plot's plants have grown over the last days, by what was seen at the same hours of each."""
    if from_hour >= to_hour:
        raise HTTPException(422, f"from_hour {from_hour:g} is not before to_hour {to_hour:g}; both are of one day")
    known_plot(connection, scope, (site, device, camera, plot))
    zone = timezone(timedelta(hours=utc_offset_h))
    since = datetime.now(timezone.utc) - timedelta(days=days)
    device_id = known_device(connection, scope, site, device)["id"]
    found = rates(connection, device_id, camera, plot, since, (from_hour, to_hour), zone)
    return [GrowthRate.model_validate(one) for one in found]
