"""What the page, the API and the command line show: read-only questions to the store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select

from edge.contract.records import EventKind
from fleet import schema
from fleet.ingest.spans import Span, Spans, holes, size, union
from fleet.questions.completeness import Hour, Lapse, by_hour
from fleet.questions.observed import Document, documents, observed

MAX_OBSERVATIONS = 1_000


@dataclass(frozen=True, slots=True)
class StreamAccount:
    """One numbering of a device: ``received`` + ``missing`` + ``dropped`` is the highest number known of."""

    epoch: str
    first_seen: datetime
    last_seen: datetime
    watermark: int
    max_seq: int
    received: int
    repeated: int
    missing: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What is known of one stream, with the times that its lapses are counted at."""

    account: StreamAccount
    missing: tuple[Lapse, ...]
    dropped: tuple[Lapse, ...]


def list_devices(connection: Connection) -> list[Document]:
    """Every device, by site and name."""
    table = schema.devices
    rows = connection.execute(select(table).order_by(table.c.site, table.c.device))
    return [dict(row) for row in rows.mappings()]


def find_device(connection: Connection, site: str, device: str) -> Document | None:
    """One device, if the fleet has heard of it."""
    table = schema.devices
    row = (
        connection.execute(select(table).where(table.c.site == site, table.c.device == device)).mappings().one_or_none()
    )
    return None if row is None else dict(row)


def latest(connection: Connection, device_id: int, limit: int = MAX_OBSERVATIONS) -> list[Document]:
    """The newest observation of each camera and plot."""
    plots, cameras, table = schema.plots, schema.cameras, schema.observations
    newest = (table.c.stream_id == plots.c.stream_id) & (table.c.seq == plots.c.seq)
    query = observed().where(cameras.c.device_id == device_id, newest, table.c.taken_at == plots.c.taken_at)
    found = documents(connection, query.order_by(cameras.c.name, plots.c.name).limit(limit))
    return sorted(found, key=lambda row: (row["camera"], _natural(row["plot"])))


def observations(
    connection: Connection,
    device_id: int,
    *,
    plot: str | None = None,
    trait: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = MAX_OBSERVATIONS,
) -> list[Document]:
    """Observations, newest first; with ``trait`` only that one of each, and only where there is one."""
    table, kinds, members = schema.observations, schema.kinds, schema.trait_set_members
    query = observed().where(schema.cameras.c.device_id == device_id)
    having = select(members.c.trait_set_id).join_from(members, kinds).where(kinds.c.trait == trait)
    for condition in (
        schema.plots.c.name == plot if plot is not None else None,
        table.c.trait_set_id.in_(having) if trait is not None else None,
        table.c.taken_at >= since if since is not None else None,
        table.c.taken_at < until if until is not None else None,
    ):
        query = query if condition is None else query.where(condition)
    found = documents(connection, query.order_by(table.c.taken_at.desc(), table.c.seq.desc()).limit(limit))
    return found if trait is None else list(map(_only(trait), found))


def recent_events(connection: Connection, device_id: int, limit: int = 20) -> list[Document]:
    """What happened to the device, newest first."""
    table, streams = schema.events, schema.streams
    query = select(table).join_from(table, streams).where(streams.c.device_id == device_id)
    rows = connection.execute(query.order_by(table.c.stream_id.desc(), table.c.seq.desc()).limit(limit))
    return [_record(row) for row in rows.mappings()]


def stream_accounts(connection: Connection, device_id: int) -> list[StreamAccount]:
    """The device's numberings, oldest first."""
    return [ledger.account for ledger in _ledgers(connection, device_id)]


def completeness(connection: Connection, device_id: int, hours: int, now: datetime | None = None) -> list[Hour]:
    """The device's last ``hours`` hours, over all its numberings."""
    now = now or datetime.now(timezone.utc)
    table, streams = schema.hours, schema.streams
    since = now - timedelta(hours=hours)
    query = select(table.c.hour, table.c.received).join_from(table, streams)
    received: Counter[datetime] = Counter()
    for row in connection.execute(query.where(streams.c.device_id == device_id, table.c.hour >= since)):
        received[row.hour] += row.received
    ledgers = _ledgers(connection, device_id, now)
    return by_hour(
        received,
        [lapse for ledger in ledgers for lapse in ledger.missing],
        [lapse for ledger in ledgers for lapse in ledger.dropped],
        [ledger.account.first_seen for ledger in ledgers[1:]],
        until=now,
        hours=hours,
    )


def list_rejects(connection: Connection, limit: int = 20) -> list[Document]:
    """Messages that were none, the latest first."""
    table = schema.rejects
    rows = connection.execute(select(table).order_by(table.c.last_at.desc()).limit(limit))
    return [{**row, "head": row["head"].decode("latin-1")} for row in rows.mappings()]


def _ledgers(connection: Connection, device_id: int, now: datetime | None = None) -> list[_Ledger]:
    table = schema.streams
    rows = connection.execute(select(table).where(table.c.device_id == device_id).order_by(table.c.id)).all()
    now = now or datetime.now(timezone.utc)
    return [_ledger(connection, row, now if row is rows[-1] else row.last_seen) for row in rows]


def _ledger(connection: Connection, stream: Any, tail_at: datetime) -> _Ledger:
    covered: Spans = (((1, stream.watermark),) if stream.watermark else ()) + _runs(connection, schema.spans, stream.id)
    unknown = holes(covered, max(stream.max_seq, stream.announced_seq))
    told = union(_runs(connection, schema.gaps, stream.id))
    missing = [Lapse(size([hole]), _next_taken_at(connection, stream.id, hole[1]) or tail_at) for hole in unknown]
    lost = [(gap, size([gap]) - _arrived(connection, stream.id, gap)) for gap in told]
    dropped = [Lapse(count, _next_taken_at(connection, stream.id, gap[1]) or tail_at) for gap, count in lost if count]
    account = StreamAccount(
        epoch=stream.epoch,
        first_seen=stream.first_seen,
        last_seen=stream.last_seen,
        watermark=stream.watermark,
        max_seq=max(stream.max_seq, stream.announced_seq),
        received=stream.received,
        repeated=stream.repeated,
        missing=size(unknown),
        dropped=sum(lapse.count for lapse in dropped),
    )
    return _Ledger(account, tuple(missing), tuple(dropped))


def _runs(connection: Connection, table: Any, stream_id: int) -> Spans:
    query = select(table.c.first_seq, table.c.last_seq).where(table.c.stream_id == stream_id)
    return tuple((row.first_seq, row.last_seq) for row in connection.execute(query.order_by(table.c.first_seq)))


def _next_taken_at(connection: Connection, stream_id: int, seq: int) -> datetime | None:
    """When the first record above ``seq`` was taken, by the rule that counts it in its hour."""
    found: list[tuple[int, datetime]] = []
    for table, at in (
        (schema.observations, schema.observations.c.captured_at),
        (schema.events, schema.events.c.happened_at),
        (schema.drift_windows, schema.drift_windows.c.until),
    ):
        query = select(table.c.seq, at.label("at"), table.c.clock_ok, table.c.received_at)
        above = query.where(table.c.stream_id == stream_id, table.c.seq > seq).order_by(table.c.seq).limit(1)
        row = connection.execute(above).one_or_none()
        if row:
            found.append((row.seq, row.at if row.clock_ok else row.received_at))
    return min(found)[1] if found else None


def _arrived(connection: Connection, stream_id: int, span: Span) -> int:
    """Records that arrived although they lie in a range that was told dropped."""
    count = 0
    for table in (schema.observations, schema.events, schema.drift_windows):
        query = select(func.count()).select_from(table).where(table.c.stream_id == stream_id)
        query = query.where(table.c.seq.between(*span))
        if table is schema.events:
            query = query.where(or_(table.c.kind.is_(None), table.c.kind != EventKind.GAP.value))
        count += connection.execute(query).scalar_one()
    return count


def _record(row: RowMapping) -> Document:
    """Without the store's own name of the stream."""
    return {key: value for key, value in row.items() if key != "stream_id"}


def _only(trait: str) -> Any:
    def narrowed(row: Document) -> Document:
        return {**row, "traits": [value for value in row["traits"] if value["trait"] == trait]}

    return narrowed


def _natural(name: str) -> tuple[Sequence[Any], str]:
    """R2 before R10: digits count as numbers."""
    parts: list[tuple[int, int, str]] = []
    word = ""
    for letter in f"{name} ":
        if word and letter.isdigit() != word[-1].isdigit():
            parts.append((0, int(word), "") if word.isdigit() else (1, 0, word))
            word = ""
        word += letter
    return parts, name
