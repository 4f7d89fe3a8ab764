"""What an export has not yet: which numbers are settled and not done, and the rows under them."""

from collections.abc import Iterator, Mapping
from operator import ge, lt

from sqlalchemy import ColumnElement, Connection, select

from fleet import schema
from fleet.ingest.spans import Spans, holes, union
from fleet.questions import paged
from fleet.questions.observed import documents
from fleet.store import Store
from fleet.warehouse.position import Choice, Numbers
from fleet.warehouse.rows import Row, flat

_OBSERVATIONS_AT_ONCE = 2_000


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
    """The rows under these numbers, a page at a time, stream by stream.

    The same numbers give the same rows in the same order, whenever it is asked.
    """
    with store.reading() as connection:
        streams = _streams(connection, choice)
    for stream_id, name, _ in streams:
        for first, last in numbers.get(name, ()):
            yield from _pages(store, choice, stream_id, first, last)


def _pages(store: Store, choice: Choice, stream_id: int, first: int, last: int) -> Iterator[list[Row]]:
    """Along the key, so that a page costs the same wherever it lies; each is a look at the store of its own."""
    table, begin = schema.observations.c, first
    while True:
        here = (table.stream_id == stream_id, table.seq.between(begin, last), *_chosen(choice))
        query = paged.fleet_wide().where(*here).order_by(table.seq).limit(_OBSERVATIONS_AT_ONCE)
        with store.reading() as connection:
            found = documents(connection, query)
        if found:
            yield [row for one in found for row in flat(one)]
        if len(found) < _OBSERVATIONS_AT_ONCE:
            return
        begin = found[-1]["seq"] + 1


def _chosen(choice: Choice) -> list[ColumnElement[bool]]:
    taken_at = schema.observations.c.taken_at
    bounds = ((ge, choice.since), (lt, choice.until))
    return [compare(taken_at, bound) for compare, bound in bounds if bound is not None]


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
