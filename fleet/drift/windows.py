"""Drift windows as they were filed, and their exact sums over cameras, sites, days and models."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Join, Select, select, tuple_

from edge.contract.drift import DriftWindow, WindowSums, merged
from fleet import schema

MAX_WINDOWS = 20_000
MAX_GLIMPSED = 100_000
PART = 400
"""So many rows are named in one question."""

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Where:
    """Which windows; what is ``None`` does not matter."""

    site: str | None = None
    device: str | None = None
    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cameras: Sequence[tuple[str, str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    """A window, where it is from, and on which day it began."""

    site: str
    device: str
    window: DriftWindow

    @property
    def camera(self) -> tuple[str, str, str]:
        """Site, device and camera."""
        return self.site, self.device, self.window.camera

    @property
    def day(self) -> date:
        """Of its last capture, in UTC."""
        return self.window.until.at.date()

    @property
    def evidence(self) -> Mapping[str, float]:
        """Of each statistic, at the window's end."""
        return self.window.evidence

    @property
    def alarms(self) -> tuple[str, ...]:
        """The statistics that had passed the limit then."""
        return self.window.alarms


@dataclass(frozen=True, slots=True)
class Glimpse:
    """How a camera's day ended, without its sums."""

    camera: tuple[str, str, str]
    day: date
    evidence: Mapping[str, float]
    alarms: tuple[str, ...]


def filed(connection: Connection, where: Where, limit: int = MAX_WINDOWS) -> list[Filed]:
    """The windows, the newest ``limit`` of them, in order of time."""
    devices, table = schema.devices, schema.drift_windows
    newest = connection.execute(_newest(where, limit, devices.c.site, devices.c.device, table.c.payload)).all()
    return [Filed(row.site, row.device, DriftWindow.model_validate(row.payload)) for row in reversed(newest)]


def glimpses(connection: Connection, where: Where, limit: int = MAX_GLIMPSED) -> list[Glimpse]:
    """The last window of each camera and day, of the newest ``limit``: they close together, so it says all."""
    table = schema.drift_windows
    last: dict[tuple[int, date], tuple[int, int]] = {}
    keys = connection.execute(_newest(where, limit, table.c.camera_id, table.c.until, table.c.stream_id, table.c.seq))
    for row in keys:
        last.setdefault((row.camera_id, row.until.date()), (row.stream_id, row.seq))
    wanted = list(last.values())
    found = [one for part in range(0, len(wanted), PART) for one in _glimpsed(connection, wanted[part : part + PART])]
    return sorted(found, key=lambda one: (one.day, one.camera))


def _glimpsed(connection: Connection, wanted: Sequence[tuple[int, int]]) -> list[Glimpse]:
    table, cameras, devices = schema.drift_windows, schema.cameras, schema.devices
    evidence, alarms = table.c.payload["evidence"].label("evidence"), table.c.payload["alarms"].label("alarms")
    query = select(devices.c.site, devices.c.device, cameras.c.name, table.c.until, evidence, alarms)
    query = query.select_from(_joined()).where(tuple_(table.c.stream_id, table.c.seq).in_(wanted))
    return [
        Glimpse((row.site, row.device, row.name), row.until.date(), row.evidence or {}, tuple(row.alarms or ()))
        for row in connection.execute(query)
    ]


def _newest(where: Where, limit: int, *columns: Column[Any]) -> Select[Any]:
    table, cameras, devices = schema.drift_windows, schema.cameras, schema.devices
    query = select(*columns).select_from(_joined())
    for column, wanted in (
        (devices.c.site, where.site),
        (devices.c.device, where.device),
        (cameras.c.name, where.camera),
    ):
        query = query if wanted is None else query.where(column == wanted)
    if where.cameras is not None:
        query = query.where(tuple_(devices.c.site, devices.c.device, cameras.c.name).in_(where.cameras))
    query = query if where.since is None else query.where(table.c.until >= where.since)
    query = query if where.until is None else query.where(table.c.until < where.until)
    return query.order_by(table.c.until.desc(), table.c.seq.desc()).limit(limit)


def _joined() -> Join:
    table, cameras, devices = schema.drift_windows, schema.cameras, schema.devices
    return table.join(cameras, table.c.camera_id == cameras.c.id).join(devices, cameras.c.device_id == devices.c.id)


def summed(windows: Iterable[Filed], by: Callable[[Filed], Group]) -> dict[tuple[Group, str], WindowSums]:
    """The sums of each group of windows, by group and reference: what has not one reference does not add up."""
    groups: dict[tuple[Group, str], list[WindowSums]] = defaultdict(list)
    for each in windows:
        groups[by(each), each.window.reference].append(each.window.sums)
    return {key: merged(parts) for key, parts in groups.items()}
