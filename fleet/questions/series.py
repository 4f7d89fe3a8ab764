"""One trait over time, drawn to size in the database: buckets of the wanted width, never more than can be looked at.

Narrow buckets come from the readings, wider ones from the roll-ups of hours and days; where a roll-up does not hold all
readings yet, these hours come from the readings. A bucket's low and high are kept, so a peak is never smoothed away.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import Connection, and_, func, literal, not_, or_, select

from fleet import schema
from fleet.errors import NotFound
from fleet.questions.observed import Document
from fleet.questions.values import VALUE, epoch_s, trait_values, whole
from fleet.upkeep.rollups import unrolled

MIN_POINTS, MAX_POINTS = 10, 5_000
MAX_EVENTS = 200
_MAX_PERIODS = 50
_HOUR_S, _DAY_S = 3_600, 86_400
_GAP = 3.0
"""A hole of so many usual distances is a gap."""


@dataclass(frozen=True, slots=True)
class Place:
    """A plot, or, without one, all plots of a camera together."""

    site: str
    device: str
    camera: str
    plot: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """The readings of one bucket; ``at`` is its first reading's moment, or the start of its first hour or day."""

    at: datetime
    value: float
    low: float
    high: float
    count: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """Values of one unit and method, which alone may be joined by a line; in order of time."""

    unit: str | None
    method: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A trait of a place from ``since`` to ``until``, in buckets of ``step_s`` seconds.

    ``gaps`` are periods without readings. ``model_changes`` tell from when on another model made them.
    """

    trait: str
    since: datetime
    until: datetime
    step_s: float
    lines: tuple[Line, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    model_changes: tuple[tuple[datetime, str | None], ...] = ()
    events: tuple[Document, ...] = ()


@dataclass(slots=True)
class _Bucket:
    at: datetime
    count: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, row: Any) -> None:
        """Another source's part of the same bucket."""
        self.at = min(self.at, row.at)
        self.count += int(row.count)
        self.total += row.total
        self.low, self.high = min(self.low, row.low), max(self.high, row.high)

    def point(self, model: str | None) -> Point:
        """As it is drawn."""
        return Point(self.at, self.total / self.count, self.low, self.high, self.count, model)


@dataclass(slots=True)
class _Buckets:
    """By kind, number of the bucket, and model."""

    found: dict[tuple[int, int, int], _Bucket] = field(default_factory=dict)

    def add(self, rows: Any) -> None:
        for row in rows:
            self.found.setdefault((row.kind_id, row.bucket, row.model_id), _Bucket(row.at)).add(row)


def series(connection: Connection, place: Place, trait: str, since: datetime, until: datetime, points: int) -> Series:
    """What there is of a trait, in about ``points`` points for each unit and method.

    Raises:
        NotFound: nothing has been heard of the camera or the plot.
    """
    device_id, plot_ids = _find(connection, place)
    step_s = _step_s(since, until, min(max(points, MIN_POINTS), MAX_POINTS))
    kinds = {row.id: row for row in connection.execute(select(schema.kinds).where(schema.kinds.c.trait == trait))}
    buckets = _buckets(connection, device_id, plot_ids, list(kinds), (since, until), step_s)
    digests = _digests(connection, {key[2] for key in buckets})
    points_of: dict[int, list[Point]] = defaultdict(list)
    for (kind_id, _, model_id), bucket in sorted(buckets.items(), key=lambda one: one[1].at):
        points_of[kind_id].append(bucket.point(digests.get(model_id)))
    lines = (Line(kinds[kind_id].unit, kinds[kind_id].method, tuple(found)) for kind_id, found in points_of.items())
    every = sorted((point for found in points_of.values() for point in found), key=lambda point: point.at)
    return Series(
        trait, since, until, step_s, tuple(lines),
        gaps=_gaps([point.at for point in every], step_s),
        model_changes=_changes(every),
        events=_events(connection, device_id, place.camera, since, until),
    )  # fmt: skip


def _find(connection: Connection, place: Place) -> tuple[int, list[int]]:
    devices, cameras, plots = schema.devices, schema.cameras, schema.plots
    query = (
        select(devices.c.id, plots.c.id.label("plot_id"))
        .select_from(devices.join(cameras).join(plots, plots.c.camera_id == cameras.c.id))
        .where(devices.c.site == place.site, devices.c.device == place.device, cameras.c.name == place.camera)
    )
    if place.plot is not None:
        query = query.where(plots.c.name == place.plot)
    rows = connection.execute(query).all()
    if not rows:
        name = "/".join(part for part in (place.site, place.device, place.camera, place.plot) if part is not None)
        raise NotFound(f"nothing has been heard of {name}; canopy-fleet devices lists what there is")
    return rows[0].id, [row.plot_id for row in rows]


def _step_s(since: datetime, until: datetime, points: int) -> float:
    """From an hour on, whole hours; from a day on, whole days: only then do the roll-ups fit."""
    step_s = max((until - since).total_seconds() / points, 1e-3)
    for unit_s in (_DAY_S, _HOUR_S):
        if step_s >= unit_s:
            return float(math.ceil(step_s / unit_s) * unit_s)
    return step_s


def _buckets(
    connection: Connection, device_id: int, plot_ids: list[int], kinds: list[int], span: tuple[datetime, datetime],
    step_s: float,
) -> dict[tuple[int, int, int], _Bucket]:  # fmt: skip
    since, until = span
    buckets = _Buckets()
    if not kinds or since >= until:
        return {}
    if step_s < _HOUR_S:
        buckets.add(connection.execute(_of_readings(plot_ids, kinds, [span], since, step_s)))
        return buckets.found
    first_hour = since.replace(minute=0, second=0, microsecond=0)
    raw = _few(unrolled(connection, device_id, first_hour, until))
    days = _days(raw) if step_s >= _DAY_S else [(first_hour, until)]
    if step_s >= _DAY_S:
        buckets.add(connection.execute(_of_rollups(schema.daily, plot_ids, kinds, (_day(since), until), days, step_s)))
    within = [(max(begin, first_hour), min(end, until)) for begin, end in days]
    for begin, end in within:
        rolled = _of_rollups(schema.hourly, plot_ids, kinds, (begin, end), raw, step_s, _day(since))
        buckets.add(connection.execute(rolled))
    if raw:
        clipped = [(max(begin, since), min(end, until)) for begin, end in raw]
        buckets.add(connection.execute(_of_readings(plot_ids, kinds, clipped, _day(since), step_s)))
    return buckets.found


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _days(periods: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The full days that the periods touch."""
    days = sorted({_day(begin) + timedelta(days=n) for begin, end in periods for n in range((end - begin).days + 2)
                   if _day(begin) + timedelta(days=n) < end})  # fmt: skip
    return [(day, day + timedelta(days=1)) for day in days]


def _few(periods: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Bounded: beyond some, the rest is one period."""
    if len(periods) <= _MAX_PERIODS:
        return periods
    return [*periods[: _MAX_PERIODS - 1], (periods[_MAX_PERIODS - 1][0], periods[-1][1])]


def _of_readings(
    plot_ids: list[int], kinds: list[int], spans: Sequence[tuple[datetime, datetime]], origin: datetime, step_s: float
) -> Any:
    table, members = schema.observations, schema.trait_set_members
    bucket = _bucket(table.c.taken_at, origin, step_s)
    model = func.coalesce(table.c.model_id, 0).label("model_id")
    columns = (
        func.count().label("count"), func.sum(VALUE).label("total"), func.min(VALUE).label("low"),
        func.max(VALUE).label("high"), func.min(table.c.taken_at).label("at"),
    )  # fmt: skip
    when = or_(*(and_(table.c.taken_at >= begin, table.c.taken_at < end) for begin, end in spans))
    query = trait_values(members.c.kind_id, bucket, model, *columns)
    query = query.where(table.c.plot_id.in_(plot_ids), members.c.kind_id.in_(kinds), when)
    return query.group_by(members.c.kind_id, bucket, model)


def _of_rollups(
    table: Any, plot_ids: list[int], kinds: list[int], span: tuple[datetime, datetime],
    without: Sequence[tuple[datetime, datetime]], step_s: float, origin: datetime | None = None,
) -> Any:  # fmt: skip
    bucket = _bucket(table.c.start, origin or span[0], step_s)
    columns = (
        func.sum(table.c.count).label("count"), func.sum(table.c.count * table.c.mean).label("total"),
        func.min(table.c.low).label("low"), func.max(table.c.high).label("high"), func.min(table.c.start).label("at"),
    )  # fmt: skip
    query = select(table.c.kind_id, bucket, table.c.model_id, *columns).where(
        table.c.plot_id.in_(plot_ids), table.c.kind_id.in_(kinds), table.c.start >= span[0], table.c.start < span[1],
        *(not_(and_(table.c.start >= begin, table.c.start < end)) for begin, end in without),
    )  # fmt: skip
    return query.group_by(table.c.kind_id, bucket, table.c.model_id)


def _bucket(moment: Any, origin: datetime, step_s: float) -> Any:
    """The number of the bucket; no moment lies before the origin."""
    return whole((epoch_s(moment) - literal(origin.timestamp())) / literal(step_s)).label("bucket")


def _digests(connection: Connection, ids: set[int]) -> dict[int, str]:
    table = schema.digests
    rows = connection.execute(select(table.c.id, table.c.digest).where(table.c.id.in_(ids)))
    return {row.id: row.digest for row in rows}


def _gaps(moments: Sequence[datetime], step_s: float) -> tuple[tuple[datetime, datetime], ...]:
    distances = [(after - before).total_seconds() for before, after in pairwise(moments) if after > before]
    if not distances:
        return ()
    longest_s = max(_GAP * median(distances), 1.5 * step_s)
    return tuple((before, after) for before, after in pairwise(moments) if (after - before).total_seconds() > longest_s)


def _changes(points: Sequence[Point]) -> tuple[tuple[datetime, str | None], ...]:
    return tuple((after.at, after.model) for before, after in pairwise(points) if after.model != before.model)


def _events(
    connection: Connection, device_id: int, camera: str, since: datetime, until: datetime
) -> tuple[Document, ...]:
    """The newest of the device's events that concern the camera."""
    table, streams = schema.events, schema.streams
    own = select(streams.c.id).where(streams.c.device_id == device_id)
    query = (
        select(table.c.happened_at, table.c.kind, table.c.message, table.c.camera, table.c.detail)
        .where(table.c.stream_id.in_(own), table.c.happened_at >= since, table.c.happened_at < until)
        .where(or_(table.c.camera.is_(None), table.c.camera == camera))
        .order_by(table.c.happened_at.desc())
        .limit(MAX_EVENTS)
    )
    return tuple(dict(row) for row in reversed(connection.execute(query).mappings().all()))
