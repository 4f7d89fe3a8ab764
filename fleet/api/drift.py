"""Drift: which cameras have changed, what it was most likely, and what people say it was."""

from datetime import date, datetime, timezone
from operator import eq, ge, lt
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from edge.contract.drift import DriftWindow
from edge.contract.message import Instant, Name
from fleet import schema
from fleet.access import Principal, Role, requires
from fleet.api.asking import (
    EARLIEST,
    LATEST,
    Asked,
    Limit,
    Moment,
    Page,
    Reading,
    Scope,
    Seen,
    Since,
    Until,
    WholeFleet,
    in_utc,
    narrowed,
    page_of,
    store_of,
)
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.problems import responses
from fleet.drift.cause import Cause
from fleet.drift.day import of_days, read_day, told
from fleet.drift.heat import Cell, heat_map
from fleet.drift.labels import MAX_NOTE_CHARS, Label, Said, labels_since, say
from fleet.drift.windows import Where, glimpses
from fleet.questions import paged

router = APIRouter(tags=["drift"], route_class=Revalidated)

_WINDOWS = Cursor("drift", tuple[Instant, Number, Number])
_LABELS = Cursor("drift labels", Number)

Site = Annotated[Name | None, Query(description="This site only.")]
Day = Annotated[date, Field(ge=EARLIEST.date(), lt=LATEST.date())]
Operator = Annotated[Principal, requires(Role.OPERATOR)]


class FiledWindow(BaseModel):
    """A camera's captures of one light over a day, as its device sent them."""

    site: Name
    device: Name
    epoch: str
    seq: int
    received_at: datetime
    window: DriftWindow


class HeatCell(BaseModel):
    """One camera on one day."""

    site: Name
    device: Name
    camera: str
    day: date = Field(description="In UTC.")
    state: str = Field(description="alarm, labelled (a person explained it), watch or quiet.")
    evidence: float = Field(description="Mean e-value of its statistics: 1/evidence bounds the chance of so much.")
    statistic: str | None = Field(description="The one that changed most.")
    alarms: list[str] = Field(description="Statistics that passed the device's limit.")
    discovered: bool = Field(description="Whether e-BH found it among all cameras of the day.")
    label: Said | None
    open: bool = Field(description="The device told of it, and the day's window is still to come.")


class HeatMap(BaseModel):
    """Cameras by day."""

    since: datetime
    until: datetime
    cells: list[HeatCell]


class CauseOf(BaseModel):
    """What changed several cameras, or one, on a day."""

    cause: Cause
    cameras: list[str] = Field(description="SITE/DEVICE/CAMERA.")
    evidence: str = Field(description="The numbers that say so.")
    mend: str = Field(description="What to do.")


class SaidLabel(BaseModel):
    """A person's word on a change."""

    site: Name
    device: Name | None
    camera: Name | None = Field(description="null: every camera of the site.")
    said: Said
    since: datetime
    until: datetime | None = Field(description="null: from then on.")
    note: str
    who: str
    said_at: datetime


class Saying(BaseModel):
    """What a change was."""

    model_config = ConfigDict(extra="forbid")

    site: Name = Field(examples=["north"])
    camera: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None
    ) = Field(default=None, description="DEVICE/CAMERA; null: every camera of the site.", examples=["bench-1/top"])
    said: Said
    since: Moment = Field(examples=["2026-06-01T00:00:00Z"])
    until: Moment | None = Field(default=None, description="null: from then on.", examples=["2026-06-15T00:00:00Z"])
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS, pattern=r"^[^\x00]*$")] = ""


@router.get("/drift/windows", operation_id="listDriftWindows", responses=responses(400, 422))
def list_windows(
    connection: Reading,
    scope: Seen,
    site: Site = None,
    device: Annotated[Name | None, Query(description="Devices of this name only.")] = None,
    camera: Annotated[Name | None, Query(description="Cameras of this name only.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[FiledWindow]:
    """Windows, those that ended last first. Windows of one reference add up exactly."""
    table, devices = schema.drift_windows, schema.devices
    conditions = narrowed(
        scope,
        devices.c.site,
        (devices.c.site, eq, site),
        (devices.c.device, eq, device),
        (schema.cameras.c.name, eq, camera),
        (table.c.until, ge, in_utc(since)),
        (table.c.until, lt, in_utc(until)),
    )
    rows = paged.drift_windows(connection, conditions, _WINDOWS.read(after), limit + 1)
    page = page_of(rows, limit, _WINDOWS, lambda row: (row["until"], row["stream_id"], row["seq"]))
    return Page(items=[FiledWindow(**_known(row), window=row["payload"]) for row in page.items], next=page.next)


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("site", "device", "epoch", "seq", "received_at")}


@router.get("/drift/heatmap", operation_id="getDriftHeatMap", responses=responses(422))
def heat(connection: Reading, scope: Seen, period: Asked, site: Site = None) -> HeatMap:
    """Every camera on every day of the period that it was seen on."""
    windows = glimpses(connection, Where(site=site, since=period.since, until=period.until))
    labels = labels_since(connection, period.since, site)
    changes = [one for one in told(connection, period.since, site) if period.since <= one.at < period.until]
    cells = heat_map(
        (each for each in windows if scope.admits(each.camera[0])),
        labels,
        told=of_days(one for one in changes if scope.admits(one.camera[0])),
    )
    return HeatMap(since=period.since, until=period.until, cells=[_cell(cell) for cell in cells])


def _cell(cell: Cell) -> HeatCell:
    site, device, camera = cell.camera
    return HeatCell(
        site=site, device=device, camera=camera, day=cell.day, state=cell.state, evidence=cell.evidence,
        statistic=cell.statistic, alarms=list(cell.alarms), discovered=cell.discovered, label=cell.label,
        open=cell.open,
    )  # fmt: skip


@router.get("/drift/causes", operation_id="listDriftCauses", dependencies=[WholeFleet], responses=responses(403, 422))
def causes(connection: Reading, day: Annotated[Day, Query(description="In UTC.")]) -> list[CauseOf]:
    """What changed the cameras that need somebody on a day, by rule; one cause may stand for many of them."""
    found = read_day(connection, day).attributions()
    return [
        CauseOf(
            cause=one.cause, cameras=["/".join(camera) for camera in one.cameras], evidence=one.evidence, mend=one.mend
        )
        for one in found
    ]


@router.get("/drift/labels", operation_id="listDriftLabels", responses=responses(400, 422))
def list_labels(
    connection: Reading, scope: Seen, site: Site = None, limit: Limit = 100, after: After = None
) -> Page[SaidLabel]:
    """What people said, the newest first."""
    table = schema.drift_labels
    conditions = narrowed(scope, table.c.site, (table.c.site, eq, site))
    rows = paged.drift_labels(connection, conditions, _LABELS.read(after), limit + 1)
    page = page_of(rows, limit, _LABELS, lambda row: row["id"])
    return Page(items=[SaidLabel(**{**row, "said": row["label"]}) for row in page.items], next=page.next)


@router.post(
    "/drift/labels",
    operation_id="labelDrift",
    status_code=201,
    responses=responses(400, 403, 404, 413, 415, 422),
)
def add_label(request: Request, saying: Saying, scope: Seen, principal: Operator) -> SaidLabel:
    """Say what a change was. What a person explained raises no alarm; pests and faults still do."""
    _within(scope, saying.site)
    device, camera = saying.camera.split("/") if saying.camera else (None, None)
    label = Label(
        site=saying.site, device=device, camera=camera, said=saying.said, since=saying.since, until=saying.until,
        note=saying.note, who=principal.name, said_at=datetime.now(timezone.utc),
    )  # fmt: skip
    with store_of(request).writing() as connection:
        say(connection, label)
    return SaidLabel.model_validate(label, from_attributes=True)


def _within(scope: Scope, site: str) -> None:
    if not scope.admits(site):
        raise HTTPException(404, f"there is no site {site}")
