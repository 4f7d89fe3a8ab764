"""The device's SQLite file: how it is opened, checked, brought up to date and, when it is damaged, put aside.

WAL with ``synchronous=FULL`` makes a committed transaction outlive a power cut; ``auto_vacuum=INCREMENTAL`` gives room
back in small steps, since ``VACUUM`` needs the room of a second file. One process writes at a time; the daemon sees to
that by its lock on the state directory.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from sqlite_utils import Database, Migrations

from edge.errors import StoreCorrupt, StoreError, StoreFull

BUSY_TIMEOUT_MS = 5_000
PAGE_BYTES = 16_384
"""An observation has about 2 kB: seven fit a page of this size, and only one a page of SQLite's usual 4 kB."""
CHECKPOINT_PAGES = 256
CHECK_WHOLE_BYTES = 64 * 2**20
"""A larger file is not read through at the start: a device must be up in seconds. Its rows carry checksums, and a
damaged page shows when it is touched."""
KEEP_ASIDE = 3
SIDE_FILES = ("", "-wal", "-shm")

migrations = Migrations("canopy-edge")
"""Append-only: a migration that a release has carried is never changed, only followed by another. Each runs in one
transaction with the note that it ran."""


@migrations()
def log_and_stream(database: Database) -> None:
    """The log of records, the one row that tells where it stands, and the frames counted in each run."""
    database.execute("""
        CREATE TABLE log (
            seq INTEGER PRIMARY KEY,
            first_seq INTEGER,
            channel TEXT NOT NULL,
            camera TEXT,
            appended_at_s REAL NOT NULL,
            crc INTEGER NOT NULL,
            body BLOB NOT NULL
        )""")
    database.execute("CREATE INDEX log_gaps ON log (seq) WHERE first_seq IS NOT NULL")
    database.execute("""
        CREATE TABLE stream (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            epoch TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
            last_seq INTEGER NOT NULL DEFAULT 0,
            watermark INTEGER NOT NULL DEFAULT 0,
            entries INTEGER NOT NULL DEFAULT 0,
            undelivered INTEGER NOT NULL DEFAULT 0,
            dropped INTEGER NOT NULL DEFAULT 0,
            runs INTEGER NOT NULL DEFAULT 0
        )""")
    database.execute("INSERT INTO stream (id) VALUES (1)")
    database.execute("""
        CREATE TABLE tally (
            run INTEGER NOT NULL,
            camera TEXT NOT NULL,
            boot_id TEXT NOT NULL,
            captured INTEGER NOT NULL,
            processed INTEGER NOT NULL,
            dropped INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            PRIMARY KEY (run, camera)
        )""")


KNOWN_MIGRATIONS = frozenset(step.__name__ for step in (log_and_stream,))


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """The one seam where errors of SQLite and of the file system become ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error}; make its folder writable for this user") from error


def _translated(path: Path, error: sqlite3.Error) -> StoreError:
    """CPython 3.10 does not show SQLite's codes, but raises a bare DatabaseError for CORRUPT and NOTADB alone."""
    text = str(error)
    if type(error) is sqlite3.DatabaseError or "decode" in text:
        return StoreCorrupt(f"{path} is damaged: {text}; it is put aside and a new one is begun")
    if "is full" in text:
        return StoreFull(f"no room for {path}: {text}; free space on its disk or lower outbox.max_bytes")
    return StoreError(f"cannot use {path}: {text}; see that one daemon alone uses it and that its disk works")


def open_store(path: Path) -> Database:
    """Open the file for writing, or give birth to it, check it, and bring it to this release's schema.

    Raises:
        StoreCorrupt: it is no database, or a damaged one.
        StoreFull: there is no room for it.
        StoreError: it cannot be opened, or a newer release has written it.
    """
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _configure(connection, path)
            _check(connection, path)
            database = Database(connection, execute_plugins=False)
            _migrate(database, path)
        except BaseException:
            connection.close()
            raise
    return database


def open_reader(path: Path) -> sqlite3.Connection:
    """A second, read-only connection; in WAL it neither waits for the writer nor keeps it waiting.

    Raises:
        StoreError: there is no such database, or it cannot be read.
    """
    with store_errors(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


def put_aside(path: Path) -> Path:
    """Rename a damaged database with its side files for a technician; return its new name.

    The newest ``KEEP_ASIDE`` are kept, so that a dying disk does not fill itself with them.
    """
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{moment}")
    with store_errors(path):
        for suffix in SIDE_FILES:
            if os.path.lexists(f"{path}{suffix}"):
                Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
        _sync_folder(path.parent)
        older = sorted(file for file in path.parent.glob(f"{path.name}.corrupt-*Z") if file != aside)
        for file in older[: len(older) - KEEP_ASIDE + 1]:
            for suffix in SIDE_FILES:
                Path(f"{file}{suffix}").unlink(missing_ok=True)
    return aside


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    """The size of the pages and auto_vacuum come first: they take effect only before the first page is written."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if (mode := connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
        raise StoreError(f"{path} stays in journal mode {mode!r}; put state_dir on a local disk, WAL needs one")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > CHECK_WHOLE_BYTES:
        return
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise StoreCorrupt(f"{path} is damaged: {problem}; it is put aside and a new one is begun")


def _migrate(database: Database, path: Path) -> None:
    if newer := {step.name for step in migrations.applied(database)} - KNOWN_MIGRATIONS:
        raise StoreError(
            f"{path} was written by a newer release (it has {sorted(newer)}); install that release again, or move the "
            "file away to begin a new one"
        )
    migrations.apply(database)


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
