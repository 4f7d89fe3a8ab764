"""Every camera at a glance: there or not, what it counts and sees now against yesterday, how complete; newest events.

A page of cameras costs a handful of queries, whatever the number of observations.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal_column, select, tuple_

from edge.contract.traits import FRUIT_COUNT, LEAF_COUNT, PLANT_COUNT, PROJECTED_LEAF_AREA
from fleet import schema
from fleet.ingest.rows import hour_of
from fleet.questions.observed import Document
from fleet.questions.values import at_position
from fleet.statements import is_one_of

HEADLINES = (PLANT_COUNT.name, LEAF_COUNT.name, FRUIT_COUNT.name, PROJECTED_LEAF_AREA.name)
"""The traits that are shown of a camera: what it counts, and the area."""

MAX_CAMERAS = 500
MAX_EVENTS = 20
_DAY = timedelta(days=1)

CameraName = tuple[str, str, str]
"""Site, device and camera."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One trait summed over a camera's plots: the newest reading of each, and the mean of the same hour yesterday."""

    trait: str
    unit: str | None
    now: float
    yesterday: float | None


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera. ``received``, ``missing`` and ``dropped`` are its device's: of a day, now, and of a day."""

    site: str
    device: str
    camera: str
    crop: str | None
    online: bool
    last_seen: datetime
    taken_at: datetime | None
    plots: int
    headlines: tuple[Headline, ...]
    received: int
    missing: int
    dropped: int

    @property
    def name(self) -> CameraName:
        """Behind which the next page begins."""
        return self.site, self.device, self.camera


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of cameras by site, device and name; the whole fleet's totals; the newest events of all devices."""

    cameras: tuple[CameraState, ...]
    more: bool
    devices: int
    online: int
    events: tuple[Document, ...]


def overview(
    connection: Connection, now: datetime, *, site: str | None = None, after: CameraName | None = None, limit: int = 100
) -> Overview:
    """What the overview page shows, from the camera behind ``after`` on; of one site, if it is given."""
    rows = _cameras(connection, site, after, min(max(limit, 1), MAX_CAMERAS) + 1)
    page = rows[: min(limit, MAX_CAMERAS)]
    camera_ids, device_ids = [row.id for row in page], sorted({row.device_id for row in page})
    plots = _plots(connection, camera_ids)
    current, before = _newest(connection, camera_ids), _yesterday(connection, plots, hour_of(now - _DAY))
    accounts = _accounts(connection, device_ids, now - _DAY)
    states = tuple(_state(row, plots[row.id], current[row.id], before, accounts[row.device_id]) for row in page)
    devices, online = _totals(connection, site)
    return Overview(states, len(rows) > len(page), devices, online, _events(connection, site))


def _state(
    row: Any, plots: Sequence[Any], current: Mapping[tuple[str, str | None], float],
    before: Mapping[tuple[int, str, str | None], float], account: tuple[int, int, int],
) -> CameraState:  # fmt: skip
    headlines = tuple(
        Headline(trait, unit, value, before.get((row.id, trait, unit)))
        for (trait, unit), value in sorted(current.items(), key=lambda one: HEADLINES.index(one[0][0]))
    )
    taken_at = max((plot.taken_at for plot in plots if plot.taken_at is not None), default=None)
    return CameraState(
        row.site, row.device, row.name, row.crop, row.online, row.last_seen, taken_at, len(plots), headlines, *account
    )


def _cameras(connection: Connection, site: str | None, after: CameraName | None, limit: int) -> Sequence[Any]:
    devices, cameras = schema.devices.c, schema.cameras.c
    name = (devices.site, devices.device, cameras.name)
    query = select(*name, cameras.id, cameras.device_id, cameras.crop, devices.online, devices.last_seen)
    query = query.join_from(schema.cameras, schema.devices)
    if site is not None:
        query = query.where(devices.site == site)
    if after is not None:
        query = query.where(devices.site >= after[0], tuple_(*name) > after)
    return connection.execute(query.order_by(*name).limit(limit)).all()


def _plots(connection: Connection, camera_ids: Sequence[int]) -> dict[int, list[Any]]:
    plots = schema.plots.c
    query = select(plots.id, plots.camera_id, plots.taken_at).where(is_one_of(connection, plots.camera_id, camera_ids))
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.camera_id].append(row)
    return found


def _newest(connection: Connection, camera_ids: Sequence[int]) -> dict[int, dict[tuple[str, str | None], float]]:
    """Summed by camera and trait set in the database, place by place; what stands at a place is looked up here."""
    table, plots, places = schema.observations.c, schema.plots.c, _places(connection)
    positions = sorted({position for _, position in places})
    newest = and_(table.stream_id == plots.stream_id, table.seq == plots.seq, table.taken_at == plots.taken_at)
    sums = [func.sum(at_position(table.readings, literal_column(str(position)))) for position in positions]
    query = select(plots.camera_id, table.trait_set_id, *sums).join_from(schema.plots, schema.observations, newest)
    query = query.where(is_one_of(connection, plots.camera_id, camera_ids)).group_by(
        plots.camera_id, table.trait_set_id
    )
    found: dict[int, dict[tuple[str, str | None], float]] = defaultdict(dict)
    for camera_id, trait_set_id, *totals in connection.execute(query.group_by(plots.camera_id, table.trait_set_id)):
        for position, total in zip(positions, totals, strict=True):
            kind = places.get((trait_set_id, position))
            if kind is not None:
                found[camera_id][kind] = found[camera_id].get(kind, 0.0) + total
    return found


def _places(connection: Connection) -> dict[tuple[int, int], tuple[str, str | None]]:
    """Trait and unit at those places of trait sets that hold what is shown."""
    members, kinds = schema.trait_set_members.c, schema.kinds.c
    query = select(members.trait_set_id, members.position, kinds.trait, kinds.unit)
    query = query.join_from(schema.trait_set_members, schema.kinds).where(kinds.trait.in_(HEADLINES))
    return {(row.trait_set_id, row.position): (row.trait, row.unit) for row in connection.execute(query)}


def _yesterday(
    connection: Connection, plots: Mapping[int, Sequence[Any]], hour: datetime
) -> dict[tuple[int, str, str | None], float]:
    """By numbers and not by a join: so the database goes straight to these few rows of many."""
    table = schema.hourly.c
    kinds = {row.id: row for row in connection.execute(select(schema.kinds).where(schema.kinds.c.trait.in_(HEADLINES)))}
    cameras = {plot.id: camera_id for camera_id, rows in plots.items() for plot in rows}
    mean = (func.sum(table.count * table.mean) / func.sum(table.count)).label("mean")
    query = select(table.plot_id, table.kind_id, mean).where(
        is_one_of(connection, table.plot_id, cameras), is_one_of(connection, table.kind_id, kinds), table.start == hour
    )
    found: dict[tuple[int, str, str | None], float] = defaultdict(float)
    for plot_id, kind_id, value in connection.execute(query.group_by(table.plot_id, table.kind_id)):
        found[cameras[plot_id], kinds[kind_id].trait, kinds[kind_id].unit] += value
    return found


def _accounts(connection: Connection, device_ids: Sequence[int], since: datetime) -> dict[int, tuple[int, int, int]]:
    streams, hours, gaps, spans = schema.streams.c, schema.hours.c, schema.gaps.c, schema.spans.c
    own = is_one_of(connection, streams.device_id, device_ids)
    received = _sums(
        connection,
        select(streams.device_id, func.sum(hours.received))
        .join_from(schema.hours, schema.streams)
        .where(own, hours.hour >= hour_of(since)),
    )
    dropped = _sums(
        connection,
        select(streams.device_id, func.sum(gaps.last_seq - gaps.first_seq + 1))
        .join_from(schema.gaps, schema.streams)
        .where(own, gaps.at >= since),
    )
    above = _sums(
        connection,
        select(streams.device_id, func.sum(spans.last_seq - spans.first_seq + 1))
        .join_from(schema.spans, schema.streams)
        .where(own),
    )
    highest = case((streams.announced_seq > streams.max_seq, streams.announced_seq), else_=streams.max_seq)
    behind = _sums(connection, select(streams.device_id, func.sum(highest - streams.watermark)).where(own))
    return {
        one: (received.get(one, 0), behind.get(one, 0) - above.get(one, 0), dropped.get(one, 0)) for one in device_ids
    }


def _sums(connection: Connection, query: Any) -> dict[int, int]:
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(schema.streams.c.device_id))}


def _totals(connection: Connection, site: str | None) -> tuple[int, int]:
    devices = schema.devices.c
    query = select(func.count(), func.sum(case((devices.online, 1), else_=0)))
    row = connection.execute(query if site is None else query.where(devices.site == site)).one()
    return row[0], int(row[1] or 0)


def _events(connection: Connection, site: str | None) -> tuple[Document, ...]:
    events, streams, devices = schema.events, schema.streams, schema.devices
    columns = (events.c.received_at, events.c.happened_at, events.c.kind, events.c.camera, events.c.message)
    query = select(devices.c.site, devices.c.device, *columns).join_from(events, streams).join(devices)
    if site is not None:
        query = query.where(devices.c.site == site)
    rows = connection.execute(query.order_by(events.c.received_at.desc(), events.c.seq.desc()).limit(MAX_EVENTS))
    return tuple(dict(row) for row in rows.mappings())
