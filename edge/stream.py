"""The numbered log in the device's database, as SQL: what stands there, and the few ways in which it may change.

Every number above the watermark is covered by one entry of the log: a record, or a gap that stands for the records that
had to be dropped. Nothing here opens files, locks, or recovers; ``edge.outbox`` does.
"""

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from itertools import takewhile

from sqlite_utils import Database

from edge.batches import Row, body_of
from edge.contract.messages import Tally
from edge.contract.records import Clock, Event, EventKind
from edge.contract.topics import EVENT
from edge.errors import StoreCorrupt

KEEP_RUNS = 100
_INSERT = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Position:
    """Where the stream stands. ``entries`` and ``undelivered`` count entries; ``dropped`` counts records."""

    epoch: str
    last_seq: int
    watermark: int
    entries: int
    undelivered: int
    dropped: int
    runs: int


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """What the outbox holds. ``bytes`` are in use, ``file_bytes`` on the disk; ``tallies`` are of the latest run."""

    epoch: str
    last_seq: int
    watermark: int
    entries: int
    undelivered: int
    dropped: int
    gaps: int
    oldest_undelivered_s: float | None
    bytes: int
    file_bytes: int
    tallies: dict[str, Tally]


def checksum(seq: int, first_seq: int | None, channel: str, camera: str | None, body: bytes) -> int:
    """CRC-32 over everything that is sent of an entry: SQLite itself does not notice a bit that flips in a value."""
    return zlib.crc32(body, zlib.crc32(f"{seq}/{first_seq}/{channel}/{camera}".encode()))


def read_position(connection: sqlite3.Connection) -> Position:
    """Where the stream of a database stands."""
    row = connection.execute(
        "SELECT epoch, last_seq, watermark, entries, undelivered, dropped, runs FROM stream"
    ).fetchone()
    if row is None:
        raise StoreCorrupt("the table stream is empty; the database is put aside and a new one is begun")
    return Position(*row)


def read_rows(
    connection: sqlite3.Connection, epoch: str, after: int, upto: int, limit: int
) -> tuple[list[Row], list[int]]:
    """Entries numbered above ``after`` up to ``upto``, at most ``limit``; and the numbers of those that are damaged."""
    found = connection.execute(
        "SELECT seq, first_seq, channel, camera, body, crc FROM log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, upto, limit),
    ).fetchall()
    damaged = [row[0] for row in found if checksum(*row[:5]) != row[5]]
    return [Row(epoch, *row[:5]) for row in found], damaged


def read_stats(connection: sqlite3.Connection) -> OutboxStats:
    """Sum up a database; every query is answered from the ends of an index."""
    at = read_position(connection)
    oldest = connection.execute(
        "SELECT appended_at_s FROM log WHERE seq > ? ORDER BY seq LIMIT 1", (at.watermark,)
    ).fetchone()
    gaps = connection.execute("SELECT count(*) FROM log WHERE first_seq IS NOT NULL").fetchone()[0]
    tallies = connection.execute(
        "SELECT camera, captured, processed, dropped, failed FROM tally WHERE run = (SELECT max(run) FROM tally)"
    ).fetchall()
    return OutboxStats(
        epoch=at.epoch, last_seq=at.last_seq, watermark=at.watermark, entries=at.entries, undelivered=at.undelivered,
        dropped=at.dropped, gaps=gaps, oldest_undelivered_s=time.time() - oldest[0] if oldest else None,
        bytes=used_bytes(connection), file_bytes=_pragma(connection, "page_count") * _pragma(connection, "page_size"),
        tallies={row[0]: Tally(captured=row[1], processed=row[2], dropped=row[3], failed=row[4]) for row in tallies},
    )  # fmt: skip


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file's pages that hold something."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


class Stream:
    """The log of one open database. Each public call is one transaction: it happens as a whole, or not at all."""

    def __init__(self, database: Database, read_clock: Callable[[], Clock]) -> None:
        self._database = database
        self.connection = database.conn
        self._read_clock = read_clock
        self.position = read_position(self.connection)
        with self._becoming(replace(self.position, runs=self.position.runs + 1)):
            self.connection.execute("DELETE FROM tally WHERE run <= ?", (self.position.runs - KEEP_RUNS,))

    def append(self, records: Sequence[tuple[str, str | None, bytes]], tallies: Mapping[str, Tally]) -> int:
        """Number and keep (channel, camera, body) and the frames counted so far; return the last number."""
        at, now_s = self.position, time.time()
        rows = [
            (seq, None, channel, camera, now_s, checksum(seq, None, channel, camera, body), body)
            for seq, (channel, camera, body) in enumerate(records, start=at.last_seq + 1)
        ]
        grown = replace(
            at,
            last_seq=at.last_seq + len(rows),
            entries=at.entries + len(rows),
            undelivered=at.undelivered + len(rows),
        )
        with self._becoming(grown):
            self.connection.executemany(_INSERT, rows)
            self._count_frames(tallies)
        return grown.last_seq

    def advance(self, epoch: str, seq: int) -> bool:
        """Move the watermark up to ``seq``; False, and nothing changes, if that is no progress of this stream.

        It is on the disk with the next records, not at once: a power cut may take it, and the fleet says it again. That
        spares a flash one write in two.
        """
        at = self.position
        if epoch != at.epoch or not at.watermark < seq <= at.last_seq:
            return False
        delivered = self.connection.execute(
            "SELECT count(*) FROM log WHERE seq > ? AND seq <= ?", (at.watermark, seq)
        ).fetchone()[0]
        with self._unflushed(), self._becoming(replace(at, watermark=seq, undelivered=at.undelivered - delivered)):
            return True

    def go_back(self, epoch: str, seq: int) -> bool:
        """Move the watermark down to ``seq``, for a fleet that has lost what it had; False if it does not lie lower.

        What is still kept above it is undelivered again. A gap stands for what is not.
        """
        at = self.position
        if epoch != at.epoch or not 0 <= seq < at.watermark:
            return False
        kept, oldest = self.connection.execute(
            "SELECT count(*), min(coalesce(first_seq, seq)) FROM log WHERE seq > ?", (seq,)
        ).fetchone()
        forgotten = at.last_seq if oldest is None else oldest - 1
        lost = max(0, forgotten - seq)
        more = 1 if lost else 0
        with self._becoming(
            replace(at, watermark=seq, entries=at.entries + more, undelivered=kept + more, dropped=at.dropped + lost)
        ):
            if lost:
                self._put_gap(seq + 1, forgotten, "delivered once, lost by the fleet, and no longer kept here")
        return True

    def forget(self, appended_before_s: float, limit: int) -> int:
        """Delete the oldest delivered entries that were appended before a moment, at most ``limit``; return how many.

        The log is in order of time, so the first entry that is younger ends it.
        """
        at = self.position
        oldest = self.connection.execute(
            "SELECT seq, appended_at_s FROM log WHERE seq <= ? ORDER BY seq LIMIT ?", (at.watermark, limit)
        ).fetchall()
        old = list(takewhile(lambda row: row[1] < appended_before_s, oldest))
        if old:
            with self._becoming(replace(at, entries=at.entries - len(old))):
                self.connection.execute("DELETE FROM log WHERE seq <= ?", (old[-1][0],))
        return len(old)

    def drop(self, limit: int, reason: str) -> int:
        """Replace the oldest undelivered entries, at most ``limit``, by one gap; return how many records are lost.

        An older gap at the front grows instead of standing beside the new one. The newest entry always stays.
        """
        at = self.position
        oldest = self.connection.execute(
            "SELECT seq, first_seq FROM log WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?",
            (at.watermark, at.last_seq, limit),
        ).fetchall()
        lost = sum(first_seq is None for _, first_seq in oldest)
        if not lost:
            return 0
        last, fewer = oldest[-1][0], len(oldest) - 1
        shrunk = replace(at, entries=at.entries - fewer, undelivered=at.undelivered - fewer, dropped=at.dropped + lost)
        with self._becoming(shrunk):
            self.connection.execute("DELETE FROM log WHERE seq > ? AND seq <= ?", (at.watermark, last))
            self._put_gap(at.watermark + 1, last, reason)
        return lost

    def bury(self, damaged: Sequence[int]) -> None:
        """Put a gap in the place of each undelivered entry whose content does not match its checksum.

        What such an entry says of itself is not believed: the gap reaches back to the entry before it.
        """
        at = self.position
        with self._becoming(replace(at, dropped=at.dropped + len(damaged))):
            for seq in damaged:
                before = self.connection.execute("SELECT max(seq) FROM log WHERE seq < ?", (seq,)).fetchone()[0] or 0
                self.connection.execute("DELETE FROM log WHERE seq = ?", (seq,))
                self._put_gap(min(seq, max(before, at.watermark) + 1), seq, "damaged on the disk")

    def give_back(self, limit_pages: int) -> None:
        """Shrink the file by some free pages where many are free; a few stay, since the log will want them again."""
        spare = max(16, _pragma(self.connection, "page_count") // 8)
        if _pragma(self.connection, "freelist_count") > spare:
            # It yields an empty row for each page; of all ways to run it, only a script takes more than the first.
            self.connection.executescript(f"PRAGMA incremental_vacuum({limit_pages})")

    @contextmanager
    def _becoming(self, position: Position) -> Iterator[None]:
        """One transaction that ends with the stream at ``position``; memory follows the disk, never runs ahead."""
        with self._database.atomic():
            yield
            self.connection.execute(
                "UPDATE stream SET epoch = ?, last_seq = ?, watermark = ?, entries = ?, undelivered = ?, dropped = ?,"
                " runs = ?",
                astuple(position),
            )
        self.position = position

    @contextmanager
    def _unflushed(self) -> Iterator[None]:
        """A transaction that is whole and in its order, and reaches the disk with the next one."""
        self.connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA synchronous = FULL")

    def _count_frames(self, tallies: Mapping[str, Tally]) -> None:
        boot_id = self._read_clock().boot_id if tallies else ""
        self.connection.executemany(
            "INSERT OR REPLACE INTO tally (run, camera, boot_id, captured, processed, dropped, failed)"
            " VALUES (:run, :camera, :boot_id, :captured, :processed, :dropped, :failed)",
            [
                {"run": self.position.runs, "camera": camera, "boot_id": boot_id, **tally.model_dump()}
                for camera, tally in tallies.items()
            ],
        )

    def _put_gap(self, first: int, last: int, reason: str) -> None:
        dropped = last - first + 1
        event = Event(
            kind=EventKind.GAP,
            clock=self._read_clock(),
            message=f"{dropped} records were dropped: {reason}",
            detail={"dropped": dropped, "reason": reason},
        )
        body = body_of(event)
        crc = checksum(last, first, EVENT.name, None, body)
        self.connection.execute(_INSERT, (last, first, EVENT.name, None, time.time(), crc, body))
