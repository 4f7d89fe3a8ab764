"""The fleet's database: opened, checked, written one batch at a time, and read.

Foreign errors are mapped here: what may pass (busy, full, gone) is ``StoreUnavailable``, what will not is
``StoreUnusable``.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, tuple_, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from fleet import migrations, schema
from fleet.errors import ConfigError, StoreError, StoreUnavailable, StoreUnusable
from fleet.ingest.intake import Letter, Reject
from fleet.ingest.ledger import Watermark, file_letters
from fleet.ingest.post import DeviceName
from fleet.ingest.rejects import file_rejects
from fleet.ingest.words import Words
from fleet.variance import Variance

BUSY_TIMEOUT_S = 5.0
_WRITES = "canopy_writes"
_DAMAGED = ("malformed", "not a database")


class Store:
    """The database behind ``url``; its tables are made if they are not there."""

    def __init__(self, url: str, *, upgrade: bool = False) -> None:
        """Open it; an empty database gets its tables.

        Args:
            url: SQLAlchemy's.
            upgrade: whether a database of an earlier release becomes one of this.

        Raises:
            ConfigError: the URL is none, or its driver is not installed.
            StoreUnavailable: it cannot be reached or made.
            StoreUnusable: it is damaged, of a later release, or of an earlier one and not to be upgraded.
        """
        self._engine = _open_engine(url)
        self._words = Words()
        try:
            self._adopt(self._engine.url.render_as_string(hide_password=True), upgrade=upgrade)
        except BaseException:
            self.close()
            raise

    def _adopt(self, name: str, *, upgrade: bool) -> None:
        with _mapped(name), self._engine.connect() as connection:
            found = _revision(connection, name)
        known = migrations.known()
        if found is not None and found not in known:
            raise StoreUnusable(
                f"{name} has revision {found}, this release knows {known[0]}; "
                "use the release that wrote it, or another state_dir"
            )
        if found is not None and found != known[0] and not upgrade:
            raise StoreUnusable(
                f"{name} has revision {found}, this release needs {known[0]}; "
                "make a backup, then run canopy-fleet db upgrade or start the service"
            )
        if known and found != known[0]:
            with _mapped(name), self._begin() as connection:
                migrations.upgrade(connection)

    def commit(
        self, letters: Sequence[Letter], rejects: Sequence[Reject] = (), *, careful: bool = False
    ) -> list[Watermark]:
        """Write everything in one transaction; returns what may be acknowledged now that it is on disk.

        A letter that the database cannot hold becomes a reject; the others are written all the same. ``careful`` is
        for letters that were refused once: rows that are there already are passed over.

        Raises:
            StoreError: nothing is written.
        """
        now = datetime.now(timezone.utc)
        try:
            with _mapped(), self._begin() as connection:
                watermarks = file_letters(connection, letters, now, self._words, careful=careful)
                file_rejects(connection, rejects, now)
        except BaseException as error:
            self._words.forget()
            if isinstance(error, _Unstorable):
                return self._commit_one_by_one(letters, rejects, error, careful=careful)
            raise
        return watermarks

    def _commit_one_by_one(
        self, letters: Sequence[Letter], rejects: Sequence[Reject], error: "_Unstorable", *, careful: bool
    ) -> list[Watermark]:
        if len(letters) > 1:
            self.commit([], rejects)
            return [watermark for letter in letters for watermark in self.commit([letter], careful=True)]
        if letters and not careful:
            return self.commit(letters, rejects, careful=True)
        topics = [f"{letter.site}/{letter.device}" for letter in letters]
        unstorable = [Reject(topic, f"cannot be stored: {error}"[:250], b"") for topic in topics]
        return self.commit([], [*rejects, *unstorable]) if letters else []

    def forget_presence(self) -> None:
        """Nobody is online until they say so: what was known before a restart is no longer true."""
        with _mapped(), self._begin() as connection:
            connection.execute(update(schema.devices).values(online=False))

    def watermarks(self, names: Collection[DeviceName] | None = None) -> list[Watermark]:
        """The watermark of each device's newest stream: of all, or of some by site and device."""
        table, devices = schema.streams, schema.devices
        query = select(devices.c.site, devices.c.device, table.c.epoch, table.c.watermark).join_from(table, devices)
        if names is not None:
            query = query.where(tuple_(devices.c.site, devices.c.device).in_(sorted(names)))
        with self.reading() as connection:
            rows = connection.execute(query.order_by(table.c.id)).all()
        newest = {(row.site, row.device): Watermark(row.site, row.device, row.epoch, row.watermark) for row in rows}
        return list(newest.values())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of everything that is committed.

        Raises:
            StoreError: the database cannot be read.
        """
        with _mapped(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is on disk once the block ends, or nothing if it raises.

        Raises:
            StoreError: nothing is written.
        """
        with _mapped(), self._begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection


def _revision(connection: Connection, name: str) -> str | None:
    try:
        return migrations.current(connection)
    except ValueError as error:
        raise StoreUnusable(f"{name} is not the fleet's: {error}; name another database or state_dir") from error


class _Unstorable(StoreError):
    """The database works, but does not take these values."""


@contextmanager
def _mapped(name: str = "the store") -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"{name} cannot be used now: {error.orig}; free space or start the database") from error
    except DBAPIError as error:
        if any(word in str(error.orig) for word in _DAMAGED):
            raise StoreUnusable(
                f"{name} is damaged: {error.orig}; move it away, devices send again what they kept"
            ) from error
        raise _Unstorable(f"{error.orig}") from error
    except (SQLAlchemyError, OverflowError, UnicodeError) as error:
        raise _Unstorable(f"{error}") from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{name} cannot be used now: {error}") from error


def _open_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(url, parsed.database)
        return create_engine(parsed, json_serializer=_ready, pool_pre_ping=True)
    except (ArgumentError, ImportError, ValueError) as error:
        raise ConfigError(
            f"the database URL cannot be used: {error}; give one of SQLAlchemy's, whose driver is installed"
        ) from error


def _sqlite_engine(url: str, database: str | None) -> Engine:
    if database:
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot make the folder of {database}: {error}; name another state_dir") from error
    engine = create_engine(url, json_serializer=_ready, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _ready(text: str) -> str:
    """Rows bring their JSON as text already."""
    return text


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """FULL: a watermark that was told must survive a power cut."""
    connection.isolation_level = None  # the driver would begin by itself, too late; see _begin_sqlite
    connection.create_aggregate("var_pop", 1, Variance)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
