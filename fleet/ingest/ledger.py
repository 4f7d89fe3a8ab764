"""Files one batch of letters: every row, run, gap and counter of it, inside the caller's transaction.

Whatever the number of letters, each table is read and written once. The streams' rows are held from the first look at
their numbers until the commit, so several processes may file for one device and its numbers are still counted once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from edge.contract.drift import DriftEntry
from edge.contract.message import Entry
from edge.contract.records import EventEntry, EventKind
from fleet import schema, statements
from fleet.ingest.account import Admission, admit, doubtful
from fleet.ingest.intake import Letter, Reject
from fleet.ingest.post import DeviceName, DevicePost, Row, StreamPost, sort_letters, storable
from fleet.ingest.rejects import file_rejects
from fleet.ingest.repair import anchors, latest_anchors, repair
from fleet.ingest.rows import Numbers, drift_row, event_row, hour_of, observation_row, taken_at
from fleet.ingest.spans import Span, Spans
from fleet.ingest.words import Words, kinds_of
from fleet.questions.newest import move_plots

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Watermark:
    """What a device may forget, once the transaction is committed."""

    site: str
    device: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """A stream's row as it was, what came for it, and what of that is new."""

    device_id: int
    row: Any
    post: StreamPost
    admission: Admission | None

    @property
    def watermark(self) -> int:
        return int(self.row.watermark) if self.admission is None else self.admission.watermark


_Streams = dict[tuple[int, str], _Stream]
"""By the device's number and the epoch."""


def file_letters(
    connection: Connection, letters: Iterable[Letter], now: datetime, words: Words, *, careful: bool = False
) -> list[Watermark]:
    """Write everything that the letters say; returns what may be acknowledged after the commit.

    ``careful`` passes over rows that are there already, which the streams' account should have told.
    """
    posts = sort_letters(letters, now)
    if not posts:
        return []
    devices = words.devices(connection, posts, now)
    streams = _admitted(connection, _locked(connection, posts, devices, now, words))
    _file_statuses(connection, posts, devices)
    _file_reported(connection, posts, devices, now)
    _file_streams(connection, streams.values(), now)
    _file_records(connection, [one for one in streams.values() if one.admission], now, words, careful=careful)
    return [
        Watermark(*name, epoch, streams[devices[name], epoch].watermark)
        for name, post in posts.items()
        for epoch, stream_post in post.streams.items()
        if stream_post.acknowledged
    ]


def _locked(
    connection: Connection, posts: Mapping[DeviceName, DevicePost], devices: Mapping[Any, int], now: datetime,
    words: Words,
) -> _Streams:  # fmt: skip
    """The streams' rows, held against other writers until the commit (SQLite has one writer anyway)."""
    came = {(devices[name], epoch): post for name, one in posts.items() for epoch, post in one.streams.items()}
    ids = words.streams(connection, came, now)
    table = schema.streams
    query = select(table).where(table.c.id.in_(sorted(ids.values()))).order_by(table.c.id).with_for_update()
    rows = {(row.device_id, row.epoch): row for row in connection.execute(query)} if ids else {}
    return {key: _Stream(key[0], rows[key], post, None) for key, post in came.items()}


def _admitted(connection: Connection, streams: _Streams) -> _Streams:
    """Decide which records are new."""
    owed = [one for one in streams.values() if one.post.acknowledged]
    above = _runs(connection, schema.spans, {one.row.id: 0 for one in owed})
    gaps = _runs(connection, schema.gaps, {one.row.id: min(one.post.seqs, default=0) for one in owed})
    found = dict(streams)
    for key, one in streams.items():
        if one.post.acknowledged:
            admission = _admission(connection, one, above[one.row.id], gaps[one.row.id])
            found[key] = _Stream(one.device_id, one.row, one.post, admission)
    return found


def _admission(connection: Connection, one: _Stream, above: Spans, gaps: Spans) -> Admission:
    covered: Spans = (((1, one.row.watermark),) if one.row.watermark else ()) + above
    seqs = one.post.seqs
    present = _present(connection, one.row.id, doubtful(seqs, gaps))
    return admit(covered, gaps, seqs, [span for span, _ in one.post.gaps], present)


def _runs(connection: Connection, table: Any, lowest: Mapping[int, int]) -> defaultdict[int, Spans]:
    """The stored runs of streams that reach a stream's lowest number or lie above it."""
    query = select(table).where(table.c.stream_id.in_(sorted(lowest)))
    if low := min(lowest.values(), default=0):
        query = query.where(table.c.last_seq >= low)
    found: defaultdict[int, Spans] = defaultdict(tuple)
    for row in connection.execute(query.order_by(table.c.stream_id, table.c.first_seq)):
        if row.last_seq >= lowest[row.stream_id]:
            found[row.stream_id] += ((row.first_seq, row.last_seq),)
    return found


def _present(connection: Connection, stream_id: int, seqs: Sequence[int]) -> set[int]:
    """Which of the numbers have a record. A gap's own event is none."""
    if not seqs:
        return set()
    found: set[int] = set()
    for table in (schema.observations, schema.events, schema.drift_windows):
        query = select(table.c.seq).where(table.c.stream_id == stream_id, table.c.seq.between(seqs[0], seqs[-1]))
        if table is schema.events:
            query = query.where(or_(table.c.kind.is_(None), table.c.kind != EventKind.GAP.value))
        found.update(connection.execute(query).scalars())
    return found.intersection(seqs)


def _file_statuses(connection: Connection, posts: Mapping[DeviceName, DevicePost], devices: Mapping[Any, int]) -> None:
    """Most devices are just heard of: one statement for all that say the same."""
    table = schema.devices
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for name, post in posts.items():
        if post.status:
            alike[tuple(sorted(post.status.items()))].append(devices[name])
    for status, ids in alike.items():
        connection.execute(update(table).where(table.c.id.in_(sorted(ids))).values(**dict(status)))


def _file_reported(
    connection: Connection, posts: Mapping[DeviceName, DevicePost], devices: Mapping[Any, int], now: datetime
) -> None:
    rows = [
        {
            "device_id": devices[name],
            "revision": post.reported.revision,
            "payload": storable(post.reported.model_dump_json(by_alias=True)),
            "received_at": now,
        }
        for name, post in posts.items()
        if post.reported is not None
    ]
    statements.replace_rows(connection, schema.reported, rows)


def _file_streams(connection: Connection, streams: Iterable[_Stream], now: datetime) -> None:
    """The streams' counters and the runs above their watermarks."""
    table, streams = schema.streams, list(streams)
    changed = [_stream_row(one, now) for one in streams]
    if changed:
        values: Row = {name: bindparam(name) for name in changed[0] if name != "stream"}
        connection.execute(update(table).where(table.c.id == bindparam("stream")).values(**values), changed)
    admitted = [(one.row, one.admission) for one in streams if one.admission is not None]
    spans = schema.spans
    connection.execute(delete(spans).where(spans.c.stream_id.in_([row.id for row, _ in admitted])))
    above = [
        {"stream_id": row.id, "first_seq": first, "last_seq": last}
        for row, admission in admitted
        for first, last in admission.covered
        if first > admission.watermark
    ]
    if above:
        connection.execute(insert(spans), above)
    reason = "numbers too scattered: sent again later"
    left_out = [Reject("", reason, row.epoch.encode()) for row, one in admitted for _ in range(one.left_out)]
    file_rejects(connection, left_out, now)


def _stream_row(one: _Stream, now: datetime) -> Row:
    row, admission = one.row, one.admission
    return {
        "stream": row.id,
        "last_seen": now,
        "announced_seq": max(row.announced_seq, one.post.announced_seq),
        "watermark": one.watermark,
        "max_seq": row.max_seq if admission is None or not admission.covered else admission.covered[-1][1],
        "received": row.received + (len(admission.fresh) if admission else 0),
        "repeated": row.repeated + (admission.repeated if admission else 0),
    }


def _file_records(
    connection: Connection, streams: Sequence[_Stream], now: datetime, words: Words, *, careful: bool
) -> None:
    observations = _observation_rows(connection, streams, now, words)
    events = [(one.row.id, entry) for one in streams for entry in _once(one.post.events, one.admission)]
    gaps = [(one.row.id, span, entry) for one in streams for span, entry in _told(one)]
    gap_events = [event_row(stream_id, entry, now) | {"kind": EventKind.GAP.value} for stream_id, _, entry in gaps]
    (statements.add_rows if careful else statements.append_rows)(connection, schema.observations, observations)
    happened = [event_row(stream_id, entry, now) for stream_id, entry in events]
    statements.add_rows(connection, schema.events, happened + gap_events)
    statements.add_rows(connection, schema.gaps, [_gap_row(*told) for told in gaps])
    windows = [(one, entry) for one in streams for entry in _once(one.post.drift, one.admission)]
    statements.add_rows(connection, schema.drift_windows, _drift_rows(connection, windows, now, words))
    taken = [(row["stream_id"], row["taken_at"]) for row in observations]
    taken += [(stream_id, taken_at(entry.record.clock, now)) for stream_id, entry in events]
    taken += [(one.row.id, taken_at(entry.record.until, now)) for one, entry in windows]
    _count_hours(connection, taken)
    move_plots(connection, observations)
    _repair_clocks(connection, streams, now)


def _observation_rows(connection: Connection, streams: Sequence[_Stream], now: datetime, words: Words) -> list[Row]:
    fresh = [
        (one, entry, kinds_of(entry.record.traits))
        for one in streams
        for entry in _once(one.post.observations, one.admission)
    ]
    seen = {(one.device_id, entry.record.camera, entry.record.plot) for one, entry, _ in fresh}
    cameras = words.cameras(connection, {place[:2] for place in seen})
    plots = words.plots(connection, {(cameras[place[:2]], place[2]) for place in seen})
    made_with = {digest for _, entry, _ in fresh for digest in (entry.record.model, entry.record.calibration)}
    numbers = Numbers(
        plots={place: plots[cameras[place[:2]], place[2]] for place in seen},
        trait_sets=words.trait_sets(connection, {kinds for _, _, kinds in fresh}),
        digests=words.digests(connection, {digest for digest in made_with if digest}),
    )
    return [observation_row(one.device_id, one.row.id, entry, kinds, now, numbers) for one, entry, kinds in fresh]


def _drift_rows(
    connection: Connection, windows: Sequence[tuple[_Stream, DriftEntry]], now: datetime, words: Words
) -> list[Row]:
    cameras = words.cameras(connection, {(one.device_id, entry.record.camera) for one, entry in windows})
    models = words.digests(connection, {entry.record.model for _, entry in windows})
    return [
        drift_row(one.row.id, entry, now, cameras[one.device_id, entry.record.camera], models[entry.record.model,])
        for one, entry in windows
    ]


def _once(entries: Iterable[E], admission: Admission | None) -> list[E]:
    """The entries that are new; of a number that came twice, the first."""
    first: dict[int, E] = {}
    for entry in entries:
        if admission is not None and entry.seq in admission.fresh:
            first.setdefault(entry.seq, entry)
    return list(first.values())


def _told(one: _Stream) -> list[tuple[Span, EventEntry]]:
    """The dropped ranges that are taken down."""
    return [] if one.admission is None else [told for told in one.post.gaps if told[0] in one.admission.gaps]


def _gap_row(stream_id: int, span: Span, entry: EventEntry) -> Row:
    at, reason = entry.record.clock.at, storable(entry.record.message)
    return {"stream_id": stream_id, "first_seq": span[0], "last_seq": span[1], "at": at, "reason": reason}


def _count_hours(connection: Connection, taken: Iterable[tuple[int, datetime]]) -> None:
    """A record counts in the hour in which it was taken."""
    counted = Counter((stream_id, hour_of(at)) for stream_id, at in taken)
    rows = [
        {"stream_id": stream_id, "hour": hour, "received": count, "rolled": 0}
        for (stream_id, hour), count in sorted(counted.items())
    ]
    if rows:
        statement = statements.insert(connection, schema.hours)
        total = {"received": schema.hours.c.received + statement.excluded.received}
        connection.execute(statement.on_conflict_do_update(index_elements=["stream_id", "hour"], set_=total), rows)


def _repair_clocks(connection: Connection, streams: Sequence[_Stream], now: datetime) -> None:
    """Few streams ever hold a record whose clock was not set; only those are looked at."""
    clocks = [(one.row.id, entry.record.clock) for one in streams for entry in one.post.observations]
    doubted = {stream_id for stream_id, clock in clocks if not clock.clock_ok}
    before = {one.row.id for one in streams if one.row.unset}
    known = anchors(clocks, now)
    if not doubted | (before & {stream_id for stream_id, _ in known}):
        return
    known = latest_anchors(connection, sorted(doubted)) | known
    looked_at = sorted((doubted | before) & {stream_id for stream_id, _ in known})
    left = repair(connection, looked_at, known, now) if looked_at else set()
    unset = (before | doubted) - (set(looked_at) - left)
    table = schema.streams
    for value, ids in ((True, unset - before), (False, before - unset)):
        if ids:
            connection.execute(update(table).where(table.c.id.in_(sorted(ids))).values(unset=value))
