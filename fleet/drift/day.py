"""One day of the fleet: what changed on it, and what the store knows besides that tells the cause."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from sqlalchemy import Connection, String, cast, func, select, tuple_

from edge.contract.drift import DriftWindow
from edge.contract.records import EventKind, QualityFlag
from fleet import schema
from fleet.drift.cause import Attribution, CameraName, attribute
from fleet.drift.heat import ToldOfDays, heat_map
from fleet.drift.windows import Filed, Where, filed, glimpses

MAX_EVENTS = 5_000
MAX_ALARMING = 2_000
MAX_CAMERAS_LOOKED_AT = 400
"""Whose readings are asked whether the camera moved."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a day.

    ``seen`` are the cameras that have a window of it. ``alarming`` has of those that need somebody the window with most
    captures. ``moved`` are cameras whose movement check has spoken, ``new_model`` those that measure with another model
    than the day before.
    """

    seen: frozenset[CameraName]
    alarming: Mapping[CameraName, DriftWindow]
    moved: frozenset[CameraName]
    new_model: frozenset[CameraName]

    @property
    def cameras_of_site(self) -> Mapping[str, int]:
        """How many cameras of each site were seen."""
        return Counter(site for site, _, _ in self.seen)

    def attributions(self) -> list[Attribution]:
        """The alarming cameras with their causes."""
        return attribute(self.alarming, self.cameras_of_site, self.moved, self.new_model)


@dataclass(frozen=True, slots=True)
class Told:
    """A change that a device told of before its day was over. ``evidence`` is that of the statistics it named."""

    camera: CameraName
    at: datetime
    message: str
    evidence: Mapping[str, float]


def read_day(connection: Connection, day: date) -> Day:
    """Look a day up, over all sites: whether a change is one camera's is seen by the others."""
    begin, end = bounds(day)
    cells = heat_map(glimpses(connection, Where(since=begin, until=end)), [])
    needy = sorted(cell.camera for cell in cells if cell.state == "alarm")[:MAX_ALARMING]
    windows = by_camera(filed(connection, Where(since=begin, until=end, cameras=needy)) if needy else [])
    return Day(
        seen=frozenset(cell.camera for cell in cells),
        alarming={camera: largest(own).window for camera, own in windows.items()},
        moved=_moved(connection, needy, begin, end),
        new_model=_with_new_model(connection, begin, end),
    )


def told(connection: Connection, since: datetime, site: str | None = None) -> list[Told]:
    """What devices told of drift from a moment on, oldest first."""
    events, streams, devices = schema.events, schema.streams, schema.devices
    query = (
        select(devices.c.site, devices.c.device, events.c.camera, events.c.happened_at, events.c.message)
        .add_columns(events.c.detail)
        .select_from(events.join(streams, events.c.stream_id == streams.c.id).join(devices))
        .where(events.c.kind == EventKind.DRIFT.value, events.c.received_at >= since)
        .order_by(events.c.received_at.desc(), events.c.seq.desc())
    )
    query = query if site is None else query.where(devices.c.site == site)
    rows = connection.execute(query.limit(MAX_EVENTS)).all()
    return [
        Told((row.site, row.device, row.camera or ""), row.happened_at, row.message, _numbers(row.detail))
        for row in reversed(rows)
    ]


def of_days(changes: Iterable[Told]) -> ToldOfDays:
    """What was told of each camera on each day, all of it together."""
    found: dict[tuple[CameraName, date], dict[str, float]] = {}
    for each in changes:
        found.setdefault((each.camera, each.at.date()), {}).update(each.evidence)
    return found


def by_camera(windows: Iterable[Filed]) -> dict[CameraName, list[Filed]]:
    """The windows of each camera, in their order."""
    found: dict[CameraName, list[Filed]] = {}
    for each in windows:
        found.setdefault(each.camera, []).append(each)
    return found


def largest(windows: Sequence[Filed]) -> Filed:
    """Of a day's windows of several bands the one that says most; of its two references the package's own."""
    return max(windows, key=lambda each: (each.window.sums.captures, not each.window.rebased))


def bounds(day: date) -> tuple[datetime, datetime]:
    """Its first moment and that of the next, in UTC."""
    begin = datetime.combine(day, time(), timezone.utc)
    return begin, begin + _DAY


def _with_new_model(connection: Connection, begin: datetime, end: datetime) -> frozenset[CameraName]:
    """Whose windows since the day before are of several models."""
    table, cameras, devices = schema.drift_windows, schema.cameras, schema.devices
    query = (
        select(devices.c.site, devices.c.device, cameras.c.name)
        .select_from(table.join(cameras, table.c.camera_id == cameras.c.id).join(devices))
        .where(table.c.until >= begin - _DAY, table.c.until < end)
        .group_by(devices.c.site, devices.c.device, cameras.c.name)
        .having(func.count(table.c.model_id.distinct()) > 1)
    )
    return frozenset((row.site, row.device, row.name) for row in connection.execute(query))


def _moved(
    connection: Connection, cameras: Sequence[CameraName], begin: datetime, end: datetime
) -> frozenset[CameraName]:
    """Of these, whose device told so since the day before, or whose newest reading of the day says so."""
    some = cameras[:MAX_CAMERAS_LOOKED_AT]
    if not some:
        return frozenset()
    return frozenset(some) & (_told_moved(connection, begin - _DAY, end) | _read_moved(connection, some, begin, end))


def _told_moved(connection: Connection, begin: datetime, end: datetime) -> set[CameraName]:
    events, streams, devices = schema.events, schema.streams, schema.devices
    query = (
        select(devices.c.site, devices.c.device, events.c.camera)
        .select_from(events.join(streams, events.c.stream_id == streams.c.id).join(devices))
        .where(events.c.kind == EventKind.CAMERA_MOVED.value, events.c.camera.is_not(None))
        .where(events.c.happened_at >= begin, events.c.happened_at < end)
        .distinct()
    )
    return {(row.site, row.device, row.camera) for row in connection.execute(query.limit(MAX_EVENTS))}


def _read_moved(connection: Connection, some: Sequence[CameraName], begin: datetime, end: datetime) -> set[CameraName]:
    table, plots, cameras, devices = schema.observations, schema.plots, schema.cameras, schema.devices
    owned = plots.join(cameras, plots.c.camera_id == cameras.c.id).join(devices, cameras.c.device_id == devices.c.id)
    here = tuple_(devices.c.site, devices.c.device, cameras.c.name).in_(some)
    newest = (
        select(table.c.plot_id, func.max(table.c.taken_at).label("taken_at"))
        .select_from(table.join(owned, table.c.plot_id == plots.c.id))
        .where(here, table.c.taken_at >= begin, table.c.taken_at < end)
        .group_by(table.c.plot_id)
        .subquery()
    )
    same = (table.c.plot_id == newest.c.plot_id) & (table.c.taken_at == newest.c.taken_at)
    query = (
        select(devices.c.site, devices.c.device, cameras.c.name)
        .select_from(newest.join(table, same).join(owned, table.c.plot_id == plots.c.id))
        .where(cast(table.c.quality, String).like(f'%"{QualityFlag.MOVED.value}"%'))
        .distinct()
    )
    return {(row.site, row.device, row.name) for row in connection.execute(query)}


def _numbers(detail: Mapping[str, object]) -> dict[str, float]:
    """What is a number of it."""
    found = {}
    for name, value in detail.items():
        try:
            found[name] = float(str(value))
        except ValueError:
            continue
    return found
