"""How the service itself does."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from fleet import schema
from fleet.api.asking import Reading, Seen
from fleet.api.caching import Revalidated

router = APIRouter(tags=["health"], route_class=Revalidated)


class ServiceHealth(BaseModel):
    """Whether messages arrive and are stored. ``/healthz`` says the same to probes, with 503 where it is not well."""

    ok: bool
    broker: bool = Field(description="Whether the connection to the broker stands.")
    store: bool = Field(description="Whether what arrives is being written.")
    devices: int = Field(description="Devices that you may see.")


@router.get("/health", operation_id="getHealth")
def get_health(request: Request, connection: Reading, scope: Seen) -> ServiceHealth:
    """Whether the service receives and stores."""
    ingest, table = request.app.state.ingest, schema.devices
    devices = connection.execute(
        select(func.count()).select_from(table).where(*scope.within(table.c.site))
    ).scalar_one()
    well = ingest.connected and ingest.writing
    return ServiceHealth(ok=well, broker=ingest.connected, store=ingest.writing, devices=devices)
