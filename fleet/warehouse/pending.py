"""What an export has not yet: which numbers are settled and not done, and the rows under them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from fleet import paged, schema
from fleet.spans import Spans, holes, union
from fleet.store import Store
from fleet.warehouse.position import Choice, Numbers
from fleet.warehouse.rows import Row, flat

_STREAMS_AT_ONCE = 200
_RUNS_AT_ONCE = 500
_OBSERVATIONS_AT_ONCE = 2_000

_Runs = list[tuple[int, int, int]]
"""Stream, first number, last number."""


def pending(connection: Connection, choice: Choice, done: Mapping[str, Spans]) -> Numbers:
    """The numbers of each stream that are stored, or told dropped, and not in the export."""
    found: Numbers = {}
    for stream_id, name, watermark in _streams(connection, choice):
        table = schema.spans
        above = select(table.c.first_seq, table.c.last_seq).where(table.c.stream_id == stream_id)
        runs = [(row.first_seq, row.last_seq) for row in connection.execute(above)]
        settled = union([(1, watermark)] if watermark else [], runs)
        new = _without(settled, done.get(name, ()))
        if new:
            found[name] = new
    return found


def rows(store: Store, choice: Choice, numbers: Mapping[str, Spans]) -> Iterator[list[Row]]:
    """The rows under these numbers, a page at a time, in the order of ``taken_at`` within some streams.

    The same numbers give the same rows in the same order, whenever it is asked.
    """
    with store.reading() as connection:
        runs = [
            (stream_id, first, last)
            for stream_id, name, _ in _streams(connection, choice)
            for first, last in numbers.get(name, ())
        ]
    some = iter(runs)
    while chunk := list(islice(some, _RUNS_AT_ONCE)):
        for begin in range(0, len(chunk), _STREAMS_AT_ONCE):
            yield from _pages(store, choice, chunk[begin : begin + _STREAMS_AT_ONCE])


def _pages(store: Store, choice: Choice, runs: _Runs) -> Iterator[list[Row]]:
    after: tuple[datetime, int, int] | None = None
    while True:
        with store.reading() as connection:
            found = paged.observations(
                connection, _chosen(choice, runs), after, _OBSERVATIONS_AT_ONCE, newest_first=False
            )
        if found:
            yield [row for one in found for row in flat(one)]
        if len(found) < _OBSERVATIONS_AT_ONCE:
            return
        after = (found[-1]["taken_at"], found[-1]["stream_id"], found[-1]["seq"])


def _chosen(choice: Choice, runs: _Runs) -> list[ColumnElement[bool]]:
    table = schema.observations
    parts = [and_(table.c.stream_id == stream, table.c.seq.between(first, last)) for stream, first, last in runs]
    conditions: list[Any] = [or_(*parts)]
    conditions += [table.c.taken_at >= choice.since] if choice.since is not None else []
    conditions += [table.c.taken_at < choice.until] if choice.until is not None else []
    return conditions


def _streams(connection: Connection, choice: Choice) -> list[tuple[int, str, int]]:
    """Number, name and watermark of each stream, in an order that stays."""
    table, owners = schema.streams, schema.devices
    query = select(table.c.id, owners.c.site, owners.c.device, table.c.epoch, table.c.watermark)
    query = query.join_from(table, owners).order_by(table.c.id)
    if choice.sites:
        query = query.where(owners.c.site.in_(choice.sites))
    return [(row.id, f"{row.site}/{row.device}/{row.epoch}", row.watermark) for row in connection.execute(query)]


def _without(spans: Spans, done: Spans) -> Spans:
    """What of ``spans`` is not in ``done``."""
    top = spans[-1][1] if spans else 0
    left = union(holes(spans, top), done)
    return holes(left, top)
