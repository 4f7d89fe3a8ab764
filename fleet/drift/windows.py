"""Drift windows as they were filed, and their exact sums over cameras, sites, days and models."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection, select

from edge.contract.drift import DriftWindow, WindowSums, merged
from fleet import schema

MAX_WINDOWS = 20_000

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Where:
    """Which windows; what is ``None`` does not matter."""

    site: str | None = None
    device: str | None = None
    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None


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


def filed(connection: Connection, where: Where, limit: int = MAX_WINDOWS) -> list[Filed]:
    """The windows, the newest ``limit`` of them, in order of time."""
    table, cameras, devices = schema.drift_windows, schema.cameras, schema.devices
    joined = table.join(cameras, table.c.camera_id == cameras.c.id).join(devices, cameras.c.device_id == devices.c.id)
    query = select(devices.c.site, devices.c.device, table.c.payload).select_from(joined)
    for column, wanted in (
        (devices.c.site, where.site),
        (devices.c.device, where.device),
        (cameras.c.name, where.camera),
    ):
        query = query if wanted is None else query.where(column == wanted)
    query = query if where.since is None else query.where(table.c.until >= where.since)
    query = query if where.until is None else query.where(table.c.until < where.until)
    newest = connection.execute(query.order_by(table.c.until.desc(), table.c.seq.desc()).limit(limit)).all()
    return [Filed(row.site, row.device, DriftWindow.model_validate(row.payload)) for row in reversed(newest)]


def summed(windows: Iterable[Filed], by: Callable[[Filed], Group]) -> dict[tuple[Group, str], WindowSums]:
    """The sums of each group of windows, by group and reference: what has not one reference does not add up."""
    groups: dict[tuple[Group, str], list[WindowSums]] = defaultdict(list)
    for each in windows:
        groups[by(each), each.window.reference].append(each.window.sums)
    return {key: merged(parts) for key, parts in groups.items()}
