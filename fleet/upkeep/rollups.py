"""Brings the roll-ups of hours and days up to date, from the readings that they sum up.

An hour is rolled up once it is over, and anew whenever its account of records has changed since: a record that came
late, or one whose clock was repaired. ``hours.rolled`` says up to which account an hour is rolled up, so what is still
to be done stands in the store and several processes share it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, select, update

from fleet import schema, statements
from fleet.ingest.rows import hour_of
from fleet.questions.values import VALUE, trait_values
from fleet.upkeep.retention import kept_since

SETTLES_AFTER = timedelta(minutes=5)
"""An hour is rolled up first when most of what belongs to it has arrived."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_KEY = ("plot_id", "kind_id", "start", "model_id")
_FIGURES = ("count", "mean", "m2", "low", "high")


def roll_up(connection: Connection, now: datetime, limit: int = 500) -> int:
    """Roll up at most ``limit`` accounts of hours; returns how many there were. Nothing is left to do at 0."""
    table, streams = schema.hours, schema.streams
    query = (
        select(table.c.stream_id, table.c.hour, table.c.received, streams.c.device_id)
        .join_from(table, streams)
        .where(table.c.rolled != table.c.received, table.c.hour < hour_of(now - SETTLES_AFTER))
        .order_by(table.c.hour, table.c.stream_id)
        .limit(limit)
        .with_for_update(of=table, skip_locked=True)
    )
    due = connection.execute(query).all()
    by_hour: dict[datetime, set[int]] = defaultdict(set)
    for row in due:
        by_hour[row.hour].add(row.device_id)
    kept = kept_since(connection)
    for hour, device_ids in by_hour.items():
        if kept is not None and hour < kept:
            _add_to_hour(connection, hour, device_ids)
        else:
            _roll_hour(connection, hour, device_ids)
    for day, device_ids in _by_day(by_hour).items():
        _roll_day(connection, day, device_ids)
    _mark(connection, due)
    return len(due)


def _mark(connection: Connection, due: Sequence[Any]) -> None:
    table = schema.hours
    here = and_(table.c.stream_id == bindparam("stream"), table.c.hour == bindparam("at"))
    rows = [{"stream": row.stream_id, "at": row.hour, "counted": row.received} for row in due]
    if rows:
        connection.execute(update(table).where(here).values(rolled=bindparam("counted")), rows)


def _by_day(by_hour: Mapping[datetime, set[int]]) -> dict[datetime, set[int]]:
    found: dict[datetime, set[int]] = defaultdict(set)
    for hour, device_ids in by_hour.items():
        found[hour.replace(hour=0)].update(device_ids)
    return found


def _roll_hour(connection: Connection, hour: datetime, device_ids: Iterable[int]) -> None:
    plots = _plots_of(device_ids)
    _replace(connection, schema.hourly, hour, plots, _of_hour(hour, plots))


def _add_to_hour(connection: Connection, hour: datetime, device_ids: Iterable[int]) -> None:
    """The hour's readings have been let go of: what came late is added to what they came to, and goes too."""
    plots, table, readings = _plots_of(device_ids), schema.hourly, schema.observations
    statement = statements.insert(connection, table).from_select([*_KEY, *_FIGURES], _of_hour(hour, plots))
    old, new = table.c, statement.excluded
    count = old.count + new.count
    off = new.mean - old.mean
    merged = {
        "count": count,
        "mean": old.mean + off * new.count / count,
        "m2": old.m2 + new.m2 + off * off * old.count * new.count / count,
        "low": case((new.low < old.low, new.low), else_=old.low),
        "high": case((new.high > old.high, new.high), else_=old.high),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=merged))
    in_hour = and_(readings.c.taken_at >= hour, readings.c.taken_at < hour + _HOUR)
    connection.execute(delete(readings).where(readings.c.plot_id.in_(plots), in_hour))


def _of_hour(hour: datetime, plots: Any) -> Any:
    table, kind = schema.observations, schema.kinds.c.id
    model = func.coalesce(table.c.model_id, 0)
    start = bindparam("hour", hour, type_=schema.Moment())
    figures = (func.count(), func.avg(VALUE), func.var_pop(VALUE) * func.count(), func.min(VALUE), func.max(VALUE))
    query = trait_values(table.c.plot_id, kind, start, model, *figures)
    query = query.where(table.c.plot_id.in_(plots), table.c.taken_at >= hour, table.c.taken_at < hour + _HOUR)
    return query.group_by(table.c.plot_id, kind, model)


def _roll_day(connection: Connection, day: datetime, device_ids: Iterable[int]) -> None:
    """The day's mean is that of its readings, not of its hours; Chan, Golub and LeVeque's sum of squares (1979)."""
    table, plots = schema.hourly, _plots_of(device_ids)
    same = (table.c.plot_id, table.c.kind_id, table.c.model_id)
    total = func.sum(table.c.count * table.c.mean).over(partition_by=same)
    count = func.sum(table.c.count).over(partition_by=same)
    of_day = and_(table.c.plot_id.in_(plots), table.c.start >= day, table.c.start < day + _DAY)
    hours = select(table, (total / count).label("middle")).where(of_day).subquery()
    off = hours.c.mean - hours.c.middle
    query = select(
        hours.c.plot_id,
        hours.c.kind_id,
        bindparam("day", day, type_=schema.Moment()),
        hours.c.model_id,
        func.sum(hours.c.count),
        func.max(hours.c.middle),
        func.sum(hours.c.m2 + hours.c.count * off * off),
        func.min(hours.c.low),
        func.max(hours.c.high),
    ).group_by(hours.c.plot_id, hours.c.kind_id, hours.c.model_id)
    _replace(connection, schema.daily, day, plots, query)


def _replace(connection: Connection, table: Any, start: datetime, plots: Any, query: Any) -> None:
    connection.execute(delete(table).where(table.c.plot_id.in_(plots), table.c.start == start))
    connection.execute(insert(table).from_select([*_KEY, *_FIGURES], query))


def _plots_of(device_ids: Iterable[int]) -> Any:
    plots, cameras = schema.plots, schema.cameras
    return select(plots.c.id).join_from(plots, cameras).where(cameras.c.device_id.in_(sorted(device_ids)))


def unrolled(
    connection: Connection, device_id: int, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Where a device's roll-ups do not hold all of its readings: periods of full hours, in order, apart."""
    table, streams = schema.hours, schema.streams
    query = select(table.c.hour).distinct().join_from(table, streams).where(streams.c.device_id == device_id)
    query = query.where(table.c.rolled != table.c.received, table.c.hour > since - _HOUR, table.c.hour < until)
    periods: list[tuple[datetime, datetime]] = []
    for hour in connection.execute(query.order_by(table.c.hour)).scalars():
        if periods and periods[-1][1] == hour:
            periods[-1] = (periods[-1][0], hour + _HOUR)
        else:
            periods.append((hour, hour + _HOUR))
    return periods
