"""The outbox: every record of the device, kept until the fleet has it.

This is the wall between the camera loop and the network. It heals itself: a damaged file is put aside and a new stream
begun, a damaged entry and one that there is no room for become gaps, and each of these stands in the stream for the
fleet to see.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from edge.batches import Record, Row, body_of
from edge.clock import read_clock
from edge.contract.drift import DriftWindow
from edge.contract.messages import Tally
from edge.contract.records import Clock, Event, EventKind, Observation
from edge.contract.topics import DRIFT, EVENT, OBS
from edge.errors import StoreCorrupt, StoreError, StoreFull
from edge.settings import OutboxSettings
from edge.store import open_reader, open_store, put_aside, store_errors
from edge.stream import OutboxStats, Position, Stream, read_position, read_rows, read_stats, used_bytes

OUTBOX_FILE = "outbox.sqlite"
STEP_ENTRIES = 200
STEP_PAGES = 256
MAX_STEPS = 1_000
"""Room is made in small transactions, so that the camera loop never waits long for one of them."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Outbox:
    """Append, read, advance, prune; callable from any thread, open in one process at a time.

    Reading has a connection of its own and keeps nobody waiting. Every call may raise StoreError; the next call tries
    again.

    Args:
        path: the database; it is made if it is not there.
        settings: how much to keep.
        clock: stamps the events that the outbox itself appends.
    """

    def __init__(self, path: Path, settings: OutboxSettings, clock: Callable[[], Clock] = read_clock) -> None:
        self._path, self._settings, self._clock = path, settings, clock
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._stream: Stream | None = None
        self._reader: sqlite3.Connection | None = None
        self._loss: Event | None = None
        self._closed = False
        self._write(lambda stream: stream.position)

    @property
    def position(self) -> Position:
        """Where the stream stands, as one consistent value."""
        stream = self._stream
        return stream.position if stream else self._write(lambda stream: stream.position)

    @property
    def epoch(self) -> str:
        """Names the numbering; another one means that the file was damaged and begun anew."""
        return self.position.epoch

    @property
    def last_seq(self) -> int:
        """The highest number given."""
        return self.position.last_seq

    @property
    def watermark(self) -> int:
        """Everything up to this number is in the fleet's store."""
        return self.position.watermark

    def append(self, records: Sequence[Record], tallies: Mapping[str, Tally] | None = None) -> int:
        """Commit records, numbered in their order, with the frames counted so far; all or none. Durable on return.

        Returns:
            The last number given.

        Raises:
            StoreFull: there is no room even after the oldest entries were given up; nothing was written.
        """
        if not records and not tallies:
            return self.last_seq
        rows = [_address(record) for record in records]

        def append(stream: Stream) -> int:
            return stream.append(rows, tallies or {})

        try:
            last_seq = self._write(append)
        except StoreFull:
            self._write(self._make_room)
            last_seq = self._write(append)
        self._keep_budget_if_possible()
        return last_seq

    def read(self, after: int, upto: int, limit: int) -> list[Row]:
        """Entries numbered above ``after`` up to ``upto``, at most ``limit``, in order, as they may be sent.

        Numbers are missing where a gap stands for them. A damaged entry is replaced by a gap before it is returned.
        """
        rows, damaged = self._read_rows(after, upto, limit)
        if not damaged:
            return rows
        log.error("%d entries of %s were damaged and are reported as a gap: %s", len(damaged), self._path, damaged)
        self._write(lambda stream: stream.bury(damaged) if stream.position.epoch == rows[0].epoch else None)
        rows, damaged = self._read_rows(after, upto, limit)
        return [row for row in rows if row.seq < min(damaged, default=row.seq + 1)]

    def advance(self, epoch: str, seq: int) -> bool:
        """Note that the fleet has everything up to ``seq``.

        A foreign epoch, a number that is no progress, and one that was never given are refused: False.
        """
        return self._write(lambda stream: stream.advance(epoch, seq))

    def go_back(self, epoch: str, seq: int) -> bool:
        """Note that the fleet has lost what it had above ``seq``: it gets again what is kept, and gaps for the rest.

        A foreign epoch and a number that does not lie below the watermark are refused: False.
        """
        return self._write(lambda stream: stream.go_back(epoch, seq))

    def prune(self, now_s: float | None = None) -> None:
        """Forget what was delivered long ago, keep the budget and give room back; to be called every few seconds.

        Args:
            now_s: the wall clock in seconds since 1970; read if absent.
        """
        old_s = (time.time() if now_s is None else now_s) - self._settings.keep_delivered_s
        for _ in range(MAX_STEPS):
            if self._write(lambda stream: stream.forget(old_s, STEP_ENTRIES)) < STEP_ENTRIES:
                break
        self._write(self._keep_budget)
        self._write(lambda stream: stream.give_back(STEP_PAGES))

    def stats(self) -> OutboxStats:
        """What the outbox holds."""
        return stored_stats(self._path)

    def close(self) -> None:
        """Close the database. Everything appended is on the disk already."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def _write(self, operation: Callable[[Stream], T]) -> T:
        """Run one operation on the stream; on a new stream, if the old one's file turns out to be damaged."""
        with self._lock:
            try:
                return self._attempt(operation)
            except StoreCorrupt as error:
                self._begin_anew(error)
                return self._attempt(operation)

    def _attempt(self, operation: Callable[[Stream], T]) -> T:
        if self._closed:
            raise StoreError(f"{self._path} has been closed")
        with store_errors(self._path):
            stream = self._stream or self._open()
            if self._loss:
                stream.append([_address(self._loss)], {})
                self._loss = None
            return operation(stream)

    def _open(self) -> Stream:
        database = open_store(self._path)
        try:
            self._stream = Stream(database, self._clock)
        except BaseException:
            database.conn.close()
            raise
        return self._stream

    def _disconnect(self) -> None:
        """The writer goes last: only it can fold the WAL into the file as it leaves."""
        with self._lock, self._reading:
            if self._reader:
                self._reader.close()
            if self._stream:
                self._stream.connection.close()
            self._stream = self._reader = None

    def _begin_anew(self, error: StoreCorrupt) -> None:
        """Put the damaged file aside. The event that tells of it is the first entry of the next stream."""
        with self._lock:
            lost = self._stream.position if self._stream else _last_position(self._path)
            self._disconnect()
            aside = put_aside(self._path)
            log.error("%s; it is now %s", error, aside)
            self._loss = self._loss or Event(
                kind=EventKind.STORE_QUARANTINED,
                clock=self._clock(),
                message=f"the database was damaged and is kept as {aside.name}: {error}",
                detail={
                    "file": aside.name,
                    "epoch": lost.epoch if lost else None,
                    "last_seq": lost.last_seq if lost else None,
                    "watermark": lost.watermark if lost else None,
                },
            )

    def _read_rows(self, after: int, upto: int, limit: int) -> tuple[list[Row], list[int]]:
        epoch = self.epoch
        try:
            with self._reading, store_errors(self._path):
                self._reader = self._reader or open_reader(self._path)
                return read_rows(self._reader, read_position(self._reader).epoch, after, upto, limit)
        except StoreCorrupt as error:
            with self._lock:
                if self.epoch == epoch:
                    self._begin_anew(error)
            return [], []

    def _keep_budget_if_possible(self) -> None:
        """After an append: the records are safe, so what goes wrong now is not the caller's, who would append again."""
        try:
            self._write(self._keep_budget)
        except StoreError as error:
            log.warning("could not make room: %s", error)

    def _keep_budget(self, stream: Stream) -> None:
        for _ in range(MAX_STEPS):
            if used_bytes(stream.connection) <= self._settings.max_bytes or not self._make_room(stream):
                return

    def _make_room(self, stream: Stream) -> bool:
        """Delete some of the oldest entries: delivered ones if there are any, else undelivered ones, as a gap."""
        if stream.forget(float("inf"), STEP_ENTRIES):
            return True
        lost = stream.drop(STEP_ENTRIES, "disk budget")
        if lost:
            log.warning("%s is at its limit: %d undelivered records were given up", self._path, lost)
        return lost > 0


def stored_stats(path: Path) -> OutboxStats:
    """What an outbox holds, without opening it for writing: a daemon may be at work on it.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    connection = open_reader(path)
    try:
        with store_errors(path):
            return read_stats(connection)
    finally:
        connection.close()


def _address(record: Record) -> tuple[str, str | None, bytes]:
    """Channel, camera and body of a record; events of a camera travel on the device's one event topic."""
    if isinstance(record, Observation):
        return OBS.name, record.camera, body_of(record)
    if isinstance(record, DriftWindow):
        return DRIFT.name, record.camera, body_of(record)
    return EVENT.name, None, body_of(record)


def _last_position(path: Path) -> Position | None:
    """Where the stream of a damaged file stood, if that can still be read."""
    try:
        connection = open_reader(path)
        try:
            with store_errors(path):
                return read_position(connection)
        finally:
            connection.close()
    except StoreError:
        return None
