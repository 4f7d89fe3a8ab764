"""How PostgreSQL holds the observations: in one part for each span of time, which can be let go of at once.

Parts are made ahead of time by the service's upkeep; what belongs to none (a device's old backlog, a service that stood
still) lies in ``observations_other``. Where the database has TimescaleDB, it does the same with its hypertables.
"""

from datetime import datetime, timedelta, timezone

from sqlalchemy import Connection, delete, select, text, tuple_

from fleet import schema

PART = timedelta(days=7)
_AHEAD = 4
_BORN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_AT_ONCE = 5_000


def divide(connection: Connection) -> None:
    """Prepare a new database's observations."""
    if connection.dialect.name != "postgresql":
        return
    if has_timescale(connection):
        _make_hypertable(connection)
    else:
        connection.execute(text("CREATE TABLE IF NOT EXISTS observations_other PARTITION OF observations DEFAULT"))


def extend(connection: Connection, now: datetime) -> list[str]:
    """Make the parts of this span of time and the next ones; returns the names of those that are new.

    A part whose readings already lie in ``observations_other`` is not made: they stay there.
    """
    if connection.dialect.name != "postgresql" or has_timescale(connection):
        return []
    have = {name for name, _ in parts(connection)}
    made = []
    for ahead in range(_AHEAD):
        begin = _BORN + ((now - _BORN) // PART + ahead) * PART
        name = f"observations_{begin:%Y%m%d}"
        if name not in have and not _is_taken(connection, begin, begin + PART):
            bounds = f"FROM ('{begin.isoformat()}') TO ('{(begin + PART).isoformat()}')"
            connection.execute(text(f"CREATE TABLE {name} PARTITION OF observations FOR VALUES {bounds}"))
            made.append(name)
    return made


def let_go(connection: Connection, before: datetime) -> int:
    """Delete the readings that were taken before a moment, whole parts at once where there are any.

    Returns how many parts and single readings went, of which the latter are bounded for one call: 0 means done.
    """
    gone = 0
    if connection.dialect.name == "postgresql":
        if has_timescale(connection):
            chunks = connection.execute(text("SELECT drop_chunks('observations', :before)"), {"before": before})
            return len(chunks.all())
        for name, end in parts(connection):
            if end <= before:
                connection.execute(text(f"DROP TABLE {name}"))
                gone += 1
    table = schema.observations
    key = (table.c.stream_id, table.c.seq, table.c.taken_at)
    some = select(*key).where(table.c.taken_at < before).limit(_AT_ONCE)
    return gone + connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount


def parts(connection: Connection) -> list[tuple[str, datetime]]:
    """Each part but ``observations_other``, and the moment at which it ends."""
    query = text(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = 'observations'::regclass AND c.relname ~ '^observations_[0-9]{8}$' ORDER BY c.relname"
    )
    return [(name, _begin_of(name) + PART) for name in connection.execute(query).scalars()]


def has_timescale(connection: Connection) -> bool:
    """Whether the extension is there, made by whoever owns the database."""
    query = text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
    return bool(connection.execute(query).scalar_one())


def _begin_of(name: str) -> datetime:
    return datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=timezone.utc)


def _is_taken(connection: Connection, begin: datetime, end: datetime) -> bool:
    query = text("SELECT EXISTS (SELECT FROM observations_other WHERE taken_at >= :begin AND taken_at < :end)")
    return bool(connection.execute(query, {"begin": begin, "end": end}).scalar_one())


def _make_hypertable(connection: Connection) -> None:
    """A partitioned table cannot become one, so it is made anew, while it is empty, without parts of its own."""
    connection.execute(text("CREATE TABLE undivided (LIKE observations INCLUDING ALL)"))
    connection.execute(text("DROP TABLE observations"))
    connection.execute(text("ALTER TABLE undivided RENAME TO observations"))
    connection.execute(
        text("SELECT create_hypertable('observations', 'taken_at', chunk_time_interval => INTERVAL '7 days')")
    )
