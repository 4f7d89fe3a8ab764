"""Cameras and plots: where is measured, what grows there, and what was seen there last."""

from datetime import datetime
from operator import eq
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from edge.contract.message import Name
from fleet import schema
from fleet.api.asking import CameraOf, DeviceOf, Limit, Page, PlotOf, Reading, Scope, Seen, SiteOf, narrowed, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor
from fleet.api.observations import CameraFilter, DeviceFilter, Observation, SiteFilter, as_observation
from fleet.api.problems import responses
from fleet.questions import paged
from fleet.questions.readings import CROP

router = APIRouter(route_class=Revalidated)

_CAMERAS = Cursor("cameras", tuple[Name, Name, Name])
_PLOTS = Cursor("plots", tuple[Name, Name, Name, Name])
PLOT = "/plots/{site}/{device}/{camera}/{plot}"

Crop = Annotated[str | None, Field(description="What grows there; null: nobody said.")]


class Camera(BaseModel):
    """A camera that something was measured with."""

    site: Name
    device: Name
    camera: Name
    crop: Crop


class Plot(BaseModel):
    """A place in a camera's picture that holds one plant: a pot, a gutter position."""

    site: Name
    device: Name
    camera: Name
    plot: Name
    crop: Crop
    last_taken_at: datetime | None = Field(description="When it was seen last.")


class PlotDetail(Plot):
    """A plot with what was seen there last."""

    latest: Observation | None


@router.get("/cameras", operation_id="listCameras", tags=["cameras"], responses=responses(400, 422))
def list_cameras(
    connection: Reading,
    scope: Seen,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Camera]:
    """Every camera, by site, device and name."""
    devices = schema.devices
    wishes = ((devices.c.site, eq, site), (devices.c.device, eq, device))
    conditions = narrowed(scope, devices.c.site, *wishes)
    rows = paged.cameras(connection, conditions, _CAMERAS.read(after), limit + 1)
    cameras = [Camera.model_validate(row) for row in rows]
    return page_of(cameras, limit, _CAMERAS, lambda one: (one.site, one.device, one.camera))


@router.get("/plots", operation_id="listPlots", tags=["plots"], responses=responses(400, 422))
def list_plots(
    connection: Reading,
    scope: Seen,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    camera: CameraFilter = None,
    crop: Annotated[str | None, Query(max_length=64, description="Plots on which this grows only.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Plot]:
    """Every plot, by site, device, camera and name."""
    devices = schema.devices
    conditions = narrowed(
        scope,
        devices.c.site,
        (devices.c.site, eq, site),
        (devices.c.device, eq, device),
        (schema.cameras.c.name, eq, camera),
        (CROP, eq, crop),
    )
    rows = paged.plots(connection, conditions, _PLOTS.read(after), limit + 1)
    plots = [Plot.model_validate(row) for row in rows]
    return page_of(plots, limit, _PLOTS, lambda one: (one.site, one.device, one.camera, one.plot))


@router.get(PLOT, operation_id="getPlot", tags=["plots"], responses=responses(404, 422))
def get_plot(
    connection: Reading, scope: Seen, site: SiteOf, device: DeviceOf, camera: CameraOf, plot: PlotOf
) -> PlotDetail:
    """One plot, with the newest observation of it."""
    known = known_plot(connection, scope, (site, device, camera, plot))
    table, plots = schema.observations, schema.plots
    newest = [
        plots.c.id == known["id"],
        table.c.stream_id == plots.c.stream_id,
        table.c.seq == plots.c.seq,
        table.c.taken_at == plots.c.taken_at,
    ]
    found = paged.observations(connection, newest, None, 1)
    return PlotDetail(**{**known, "latest": as_observation(found[0]) if found else None})


def known_plot(connection: Connection, scope: Scope, where: tuple[str, str, str, str]) -> paged.Document:
    """A plot that the asker may see, by site, device, camera and name.

    Raises:
        HTTPException: 404, there is none; also where there is one that the asker may not see.
    """
    site, device, camera, plot = where
    devices = schema.devices
    here = [devices.c.site == site, devices.c.device == device]
    here += [schema.cameras.c.name == camera, schema.plots.c.name == plot]
    found = paged.plots(connection, here, None, 1) if scope.admits(site) else []
    if not found:
        raise HTTPException(404, f"no plot {'/'.join(where)} has been seen; /api/v1/plots lists those that have")
    return found[0]
