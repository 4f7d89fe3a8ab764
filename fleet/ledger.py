"""Files one batch of letters: every row, run, gap and counter of it, inside the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Integer, and_, bindparam, delete, insert, or_, select, update

from edge.contract.control import Reported
from edge.contract.drift import DriftEntry
from edge.contract.message import Entry, Message
from edge.contract.messages import DriftBatch, EventBatch, Health, Info, ObservationBatch, State
from edge.contract.records import Clock, EventEntry, EventKind, ObservationEntry
from fleet import schema, statements
from fleet.account import Admission, admit, doubtful
from fleet.intake import HEAD_BYTES, Letter, Reject
from fleet.rows import Numbers, Row, drift_row, event_row, hour_of, observation_row, taken_at
from fleet.spans import Span, Spans
from fleet.words import Words, kind_of

E = TypeVar("E", bound=Entry)

MAX_REJECTS = 1_000
"""Different rejects kept; further ones are counted together."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """What a device may forget, once the transaction is committed."""

    site: str
    device: str
    epoch: str
    seq: int


@dataclass(slots=True)
class _Post:
    """What came for one stream, in order of arrival."""

    observations: list[ObservationEntry] = field(default_factory=list)
    events: list[EventEntry] = field(default_factory=list)
    drift: list[DriftEntry] = field(default_factory=list)
    gaps: list[tuple[Span, EventEntry]] = field(default_factory=list)
    announced_seq: int = 0

    @property
    def seqs(self) -> list[int]:
        return [entry.seq for entry in (*self.observations, *self.events, *self.drift)]

    @property
    def acknowledged(self) -> bool:
        """Whether records came; health alone is owed no answer."""
        return bool(self.observations or self.events or self.drift or self.gaps)


@dataclass(slots=True)
class _Sheet:
    """The records of a batch that are new, each once: of which device, of which stream."""

    observations: list[tuple[int, int, ObservationEntry]] = field(default_factory=list)
    events: list[tuple[int, EventEntry]] = field(default_factory=list)
    drift: list[tuple[int, int, DriftEntry]] = field(default_factory=list)
    gaps: list[tuple[int, Span, EventEntry]] = field(default_factory=list)

    def add(self, device_id: int, stream_id: int, post: "_Post", admission: Admission) -> None:
        """What was admitted of a stream's post."""
        for entry in _once(post.observations, admission):
            self.observations.append((device_id, stream_id, entry))
        self.events.extend((stream_id, entry) for entry in _once(post.events, admission))
        self.drift.extend((device_id, stream_id, entry) for entry in _once(post.drift, admission))
        self.gaps.extend((stream_id, span, entry) for span, entry in post.gaps if span in admission.gaps)


@dataclass(slots=True)
class _Device:
    """What came for one device."""

    status: Row = field(default_factory=dict)
    reported: Reported | None = None
    streams: dict[str, _Post] = field(default_factory=lambda: defaultdict(_Post))


def file_letters(connection: Connection, letters: Iterable[Letter], now: datetime, words: Words) -> list[Watermark]:
    """Write everything that the letters say; returns what may be acknowledged after the commit."""
    watermarks = []
    sheet = _Sheet()
    for (site, device), post in sorted(_sorted(letters, now).items(), key=itemgetter(0)):  # one order: no deadlock
        device_id = _device_id(connection, site, device, post.status, now)
        if post.reported is not None:
            _file_reported(connection, device_id, post.reported, now)
        for epoch, stream_post in post.streams.items():
            watermark = _file_stream(connection, device_id, epoch, stream_post, now, sheet)
            if stream_post.acknowledged:
                watermarks.append(Watermark(site, device, epoch, watermark))
    _file_records(connection, sheet, now, words)
    return watermarks


def file_rejects(connection: Connection, rejects: Iterable[Reject], now: datetime) -> None:
    """Count each reject under its topic and reason."""
    table = schema.rejects
    known = {(row.topic, row.reason) for row in connection.execute(select(table.c.topic, table.c.reason))}
    counted: Counter[tuple[str, str]] = Counter()
    heads: dict[tuple[str, str], bytes] = {}
    for reject in rejects:
        key = (reject.topic, reject.reason)
        if key not in known and len(known) >= MAX_REJECTS:
            key = ("", f"others, after {MAX_REJECTS} different ones")
        known.add(key)
        counted[key] += 1
        heads[key] = reject.head[:HEAD_BYTES]
    rows = [
        {"topic": key[0], "reason": key[1], "head": heads[key], "count": count, "last_at": now}
        for key, count in counted.items()
    ]
    statement = statements.insert(connection, table)
    added = {
        "count": table.c.count + statement.excluded.count,
        "head": statement.excluded.head,
        "last_at": statement.excluded.last_at,
    }
    _write(connection, statement.on_conflict_do_update(index_elements=["topic", "reason"], set_=added), rows)


def _sorted(letters: Iterable[Letter], now: datetime) -> dict[tuple[str, str], _Device]:
    devices: dict[tuple[str, str], _Device] = defaultdict(_Device)
    for letter in letters:
        device = devices[letter.site, letter.device]
        device.status.update(_status(letter.message, now, live=letter.live))
        _sort_records(device, letter.message)
    return devices


def _status(message: Message, now: datetime, *, live: bool) -> Row:
    """What a message says of its device. A last will is no sign of life; anything else that is live is."""
    if isinstance(message, State):
        return {"online": message.online} | ({"last_seen": now} if live and message.online else {})
    heard: Row = {"online": True, "last_seen": now} if live else {}
    if isinstance(message, Info):
        return heard | {"info": message.model_dump_json(by_alias=True)}
    if isinstance(message, Health):
        return heard | {"health": message.model_dump_json(by_alias=True)}
    return heard


def _sort_records(device: _Device, message: Message) -> None:
    if isinstance(message, Reported):
        device.reported = message
    elif isinstance(message, Health):
        post = device.streams[message.epoch]
        post.announced_seq = max(post.announced_seq, message.last_seq)
    elif isinstance(message, ObservationBatch):
        device.streams[message.epoch].observations.extend(message.items)
    elif isinstance(message, DriftBatch):
        device.streams[message.epoch].drift.extend(message.items)
    elif isinstance(message, EventBatch):
        post = device.streams[message.epoch]
        for entry in message.items:
            if entry.record.kind is EventKind.GAP or entry.first_seq is not None:
                post.gaps.append((entry.span, entry))
            else:
                post.events.append(entry)


def _device_id(connection: Connection, site: str, device: str, status: Row, now: datetime) -> int:
    table = schema.devices
    new = {"site": site, "device": device, "first_seen": now, "last_seen": now, "online": False}
    _write(connection, statements.insert(connection, table).on_conflict_do_nothing(), [new])
    here = and_(table.c.site == site, table.c.device == device)
    if status:
        connection.execute(update(table).where(here).values(**status))
    return int(connection.execute(select(table.c.id).where(here)).scalar_one())


def _file_reported(connection: Connection, device_id: int, reported: Reported, now: datetime) -> None:
    payload = reported.model_dump_json(by_alias=True)
    row = {"device_id": device_id, "revision": reported.revision, "payload": payload, "received_at": now}
    statements.replace_rows(connection, schema.reported, [row])


def _file_stream(connection: Connection, device_id: int, epoch: str, post: _Post, now: datetime, sheet: _Sheet) -> int:
    """Write what came for one stream; returns its new watermark."""
    stream = _stream(connection, device_id, epoch, now)
    changes: Row = {"last_seen": now, "announced_seq": max(stream.announced_seq, post.announced_seq)}
    watermark = int(stream.watermark)
    if post.acknowledged:
        admission = _admission(connection, stream, post)
        sheet.add(device_id, stream.id, post, admission)
        _replace_spans(connection, stream.id, admission)
        if admission.left_out:
            notice = Reject("", "numbers too scattered: sent again later", epoch.encode())
            file_rejects(connection, [notice] * admission.left_out, now)
        watermark = admission.watermark
        changes |= {
            "watermark": watermark,
            "max_seq": admission.covered[-1][1] if admission.covered else 0,
            "received": stream.received + len(admission.fresh),
            "repeated": stream.repeated + admission.repeated,
        }
    connection.execute(update(schema.streams).where(schema.streams.c.id == stream.id).values(**changes))
    return watermark


def _stream(connection: Connection, device_id: int, epoch: str, now: datetime) -> Any:
    """The stream's row, held against other writers until the commit (SQLite has one writer anyway)."""
    table = schema.streams
    new = {"device_id": device_id, "epoch": epoch, "first_seen": now, "last_seen": now}
    _write(connection, statements.insert(connection, table).on_conflict_do_nothing(), [new])
    here = and_(table.c.device_id == device_id, table.c.epoch == epoch)
    return connection.execute(select(table).where(here).with_for_update()).one()


def _admission(connection: Connection, stream: Any, post: _Post) -> Admission:
    above = _spans(connection, schema.spans, stream.id, 0)
    covered: Spans = (((1, stream.watermark),) if stream.watermark else ()) + above
    seqs = post.seqs
    gaps = _spans(connection, schema.gaps, stream.id, min(seqs, default=0))
    suspects = doubtful(seqs, gaps)
    present = _present(connection, stream.id, suspects)
    return admit(covered, gaps, seqs, [span for span, _ in post.gaps], present)


def _spans(connection: Connection, table: Any, stream_id: int, lowest: int) -> Spans:
    """The stored runs of a stream that reach ``lowest`` or lie above it."""
    found = select(table.c.first_seq, table.c.last_seq).where(table.c.stream_id == stream_id)
    rows = connection.execute(found.where(table.c.last_seq >= lowest).order_by(table.c.first_seq))
    return tuple((row.first_seq, row.last_seq) for row in rows)


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


def _file_records(connection: Connection, sheet: _Sheet, now: datetime, words: Words) -> None:
    observations = _observation_rows(connection, sheet, now, words)
    happened = [event_row(stream_id, entry, now) for stream_id, entry in sheet.events]
    gap_events = [
        event_row(stream_id, entry, now) | {"kind": EventKind.GAP.value} for stream_id, _, entry in sheet.gaps
    ]
    statements.add_rows(connection, schema.observations, observations)
    statements.add_rows(connection, schema.events, happened + gap_events)
    statements.add_rows(connection, schema.drift_windows, _drift_rows(connection, sheet, now, words))
    statements.add_rows(connection, schema.gaps, [_gap_row(*told) for told in sheet.gaps])
    _count_hours(connection, sheet, now)
    _move_plots(connection, observations)


def _observation_rows(connection: Connection, sheet: _Sheet, now: datetime, words: Words) -> list[Row]:
    found = [(device_id, entry.record) for device_id, _, entry in sheet.observations]
    cameras = words.cameras(connection, {(device_id, record.camera) for device_id, record in found})
    seen = {(device_id, record.camera, record.plot) for device_id, record in found}
    plots = words.plots(connection, {(cameras[place[:2]], place[2]) for place in seen})
    numbers = Numbers(
        plots={place: plots[cameras[place[:2]], place[2]] for place in seen},
        trait_sets=words.trait_sets(connection, {tuple(map(kind_of, record.traits)) for _, record in found}),
        digests=words.digests(
            connection, {digest for _, record in found for digest in (record.model, record.calibration) if digest}
        ),
    )
    return [
        observation_row(device_id, stream_id, entry, now, numbers) for device_id, stream_id, entry in sheet.observations
    ]


def _drift_rows(connection: Connection, sheet: _Sheet, now: datetime, words: Words) -> list[Row]:
    windows = [(device_id, entry.record) for device_id, _, entry in sheet.drift]
    cameras = words.cameras(connection, {(device_id, window.camera) for device_id, window in windows})
    models = words.digests(connection, {window.model for _, window in windows})
    return [
        drift_row(stream_id, entry, now, cameras[device_id, entry.record.camera], models[entry.record.model,])
        for device_id, stream_id, entry in sheet.drift
    ]


def _once(entries: Iterable[E], admission: Admission) -> list[E]:
    """The entries that are new; of a number that came twice, the first."""
    first: dict[int, E] = {}
    for entry in entries:
        if entry.seq in admission.fresh:
            first.setdefault(entry.seq, entry)
    return list(first.values())


def _gap_row(stream_id: int, span: Span, entry: EventEntry) -> Row:
    at, reason = entry.record.clock.at, entry.record.message
    return {"stream_id": stream_id, "first_seq": span[0], "last_seq": span[1], "at": at, "reason": reason}


def _replace_spans(connection: Connection, stream_id: int, admission: Admission) -> None:
    table = schema.spans
    connection.execute(delete(table).where(table.c.stream_id == stream_id))
    above = [span for span in admission.covered if span[0] > admission.watermark]
    rows = [{"stream_id": stream_id, "first_seq": first, "last_seq": last} for first, last in above]
    _write(connection, insert(table), rows)


def _count_hours(connection: Connection, sheet: _Sheet, now: datetime) -> None:
    """A record counts in the hour in which it was taken."""
    records: list[tuple[int, Clock]] = [(stream_id, entry.record.clock) for _, stream_id, entry in sheet.observations]
    records += [(stream_id, entry.record.clock) for stream_id, entry in sheet.events]
    records += [(stream_id, entry.record.until) for _, stream_id, entry in sheet.drift]
    counted = Counter((stream_id, hour_of(taken_at(clock, now))) for stream_id, clock in records)
    rows = [
        {"stream_id": stream_id, "hour": hour, "received": count}
        for (stream_id, hour), count in sorted(counted.items())
    ]
    statement = statements.insert(connection, schema.hours)
    total = schema.hours.c.received + statement.excluded.received
    _write(
        connection,
        statement.on_conflict_do_update(index_elements=["stream_id", "hour"], set_={"received": total}),
        rows,
    )


def _move_plots(connection: Connection, observations: Sequence[Row]) -> None:
    """Point each plot to its newest observation: newest by number, because clocks lie."""
    newest: dict[int, Row] = {}
    for row in observations:
        known = newest.setdefault(row["plot_id"], row)
        if (row["stream_id"], row["seq"]) > (known["stream_id"], known["seq"]):
            newest[row["plot_id"]] = row
    table = schema.plots
    stream, seq = bindparam("new_stream", type_=Integer), bindparam("new_seq", type_=BigInteger)
    later = or_(
        table.c.stream_id.is_(None), stream > table.c.stream_id, and_(stream == table.c.stream_id, seq > table.c.seq)
    )
    statement = update(table).where(table.c.id == bindparam("plot"), later)
    rows = [
        {"plot": plot, "new_stream": row["stream_id"], "new_seq": row["seq"], "at": row["taken_at"]}
        for plot, row in sorted(newest.items())
    ]
    _write(connection, statement.values(stream_id=stream, seq=seq, taken_at=bindparam("at")), rows)


def _write(connection: Connection, statement: Any, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(statement, list(rows))
