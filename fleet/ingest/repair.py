"""Puts a record in its right time once the device's clock is known: wall time from the clock that never jumps.

A device without a battery starts with a wrong wall clock and says so (``clock_ok``). Its records count by their arrival
until a record of the same boot has a clock that is believed; the two monotonic times then tell when each was taken.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, tuple_, update

from edge.contract.records import Clock
from fleet import schema, statements
from fleet.ingest.rows import AHEAD, hour_of

_KEY = ("stream_id", "seq", "taken_at")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment that is believed, by both clocks of one boot of a stream's device."""

    at: datetime
    monotonic_s: float

    def moment(self, monotonic_s: float) -> datetime:
        """The wall time at another monotonic time of the same boot."""
        return self.at + timedelta(seconds=monotonic_s - self.monotonic_s)


Anchors = dict[tuple[int, str], Anchor]
"""By stream and boot."""


def anchors(clocks: Iterable[tuple[int, Clock]], now: datetime) -> Anchors:
    """One for each boot of which a believed clock came."""
    return {
        (stream_id, clock.boot_id): Anchor(clock.at, clock.monotonic_s)
        for stream_id, clock in clocks
        if clock.clock_ok and clock.at <= now + AHEAD
    }


def repair(connection: Connection, streams: Sequence[int], known: Anchors, now: datetime) -> set[int]:
    """Repair what can be of streams that hold records of unset clocks; returns the streams that still do."""
    table = schema.observations
    left: set[int] = set()
    moved: list[tuple[Any, datetime]] = []
    query = select(table.c.stream_id, table.c.seq, table.c.taken_at, table.c.boot_id, table.c.monotonic_s)
    unset = and_(table.c.clock_ok.is_(False), table.c.repaired.is_(False))
    for row in connection.execute(query.where(table.c.stream_id.in_(streams), unset)):
        anchor = known.get((row.stream_id, row.boot_id))
        if anchor is None:
            left.add(row.stream_id)
        else:
            moved.append((row, min(anchor.moment(row.monotonic_s), now)))
    _move(connection, moved)
    return left


def latest_anchors(connection: Connection, streams: Sequence[int]) -> Anchors:
    """Of the record with the highest number of each stream, if its clock is believed: for unset ones that come late."""
    table = schema.observations
    found: Anchors = {}
    for stream_id in streams:
        query = select(table.c.boot_id, table.c.captured_at, table.c.monotonic_s, table.c.clock_ok)
        newest = query.where(table.c.stream_id == stream_id).order_by(table.c.seq.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
        if row is not None and row.clock_ok:
            found[stream_id, row.boot_id] = Anchor(row.captured_at, row.monotonic_s)
    return found


def _move(connection: Connection, moved: Sequence[tuple[Any, datetime]]) -> None:
    if not moved:
        return
    table, plots = schema.observations, schema.plots
    here = and_(*(table.c[name] == bindparam(f"old_{name}") for name in _KEY))
    rows = [
        {"old_stream_id": row.stream_id, "old_seq": row.seq, "old_taken_at": row.taken_at, "new": at}
        for row, at in moved
    ]
    connection.execute(update(table).where(here).values(taken_at=bindparam("new"), repaired=True), rows)
    newest = and_(plots.c.stream_id == bindparam("old_stream_id"), plots.c.seq == bindparam("old_seq"))
    pointed = select(plots.c.stream_id, plots.c.seq).where(
        tuple_(plots.c.stream_id, plots.c.seq).in_([(row.stream_id, row.seq) for row, _ in moved])
    )
    shown = {tuple(found) for found in connection.execute(pointed)}
    pointers = [row for row in rows if (row["old_stream_id"], row["old_seq"]) in shown]
    if pointers:
        connection.execute(update(plots).where(newest).values(taken_at=bindparam("new")), pointers)
    _recount(connection, moved)


def _recount(connection: Connection, moved: Sequence[tuple[Any, datetime]]) -> None:
    """The account of hours follows, and both hours are to be rolled up anew, even if their number stays."""
    change: Counter[tuple[int, datetime]] = Counter()
    for row, at in moved:
        change[row.stream_id, hour_of(row.taken_at)] -= 1
        change[row.stream_id, hour_of(at)] += 1
    table, by_stream = schema.hours, defaultdict(list)
    for (stream_id, hour), count in sorted(change.items()):
        by_stream[stream_id].append({"stream_id": stream_id, "hour": hour, "received": count, "rolled": -1})
    statement = statements.insert(connection, table)
    added = {"received": table.c.received + statement.excluded.received, "rolled": -1}
    upsert = statement.on_conflict_do_update(index_elements=["stream_id", "hour"], set_=added)
    connection.execute(upsert, [row for rows in by_stream.values() for row in rows])
