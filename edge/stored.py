"""What is stored on this device, for its technician: read beside a running daemon, which neither waits nor notices."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from edge.contract.topics import EVENT, OBS
from edge.errors import StoreError
from edge.outbox import OUTBOX_FILE
from edge.store import open_reader, store_errors
from edge.stream import OutboxStats, checksum, read_position, read_stats

_COLUMNS = "seq, first_seq, channel, camera, body, crc"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are wanted; ``None`` wants all. ``since`` is a moment; without an offset, of the local time."""

    camera: str | None = None
    plot: str | None = None
    since: datetime | None = None
    events_only: bool = False
    observations_only: bool = False

    @property
    def _since_text(self) -> str:
        """As the log writes moments: in UTC, ISO 8601. Texts of one form compare like the moments."""
        return "" if self.since is None else self.since.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")

    def wants(self, record: "StoredRecord") -> bool:
        """Whether ``record`` is one of them."""
        content = record.content
        return (
            (self.camera is None or content.get("camera") == self.camera)
            and (self.plot is None or content.get("plot") == self.plot)
            and (self.since is None or content["clock"]["at"] >= self._since_text)
        )


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record of the log; ``first_seq`` stands where it is a gap over several numbers."""

    epoch: str
    seq: int
    first_seq: int | None
    kind: str
    delivered: bool
    content: dict[str, Any]


class StoredRecords:
    """The log of one state directory, read-only. Damaged records are left out: the daemon reports them as gaps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._position = read_position(database.conn)

    def stats(self) -> OutboxStats:
        """Counts and sizes."""
        return read_stats(self._database.conn)

    def newest(self, count: int, selection: Selection = Selection()) -> list[StoredRecord]:
        """The last ``count`` wanted records, oldest first."""
        found: list[StoredRecord] = []
        for record in self._read(selection, newest_first=True):
            if len(found) == count:
                break
            found.append(record)
        return found[::-1]

    def all(self, selection: Selection = Selection()) -> Iterator[StoredRecord]:
        """Every wanted record in order, one at a time: a log of gigabytes takes no more memory than a small one."""
        return self._read(selection, newest_first=False)

    def _read(self, selection: Selection, *, newest_first: bool) -> Iterator[StoredRecord]:
        channels = [OBS.name] * (not selection.events_only) + [EVENT.name] * (not selection.observations_only)
        marks = ", ".join("?" * len(channels))
        order = "DESC" if newest_first else "ASC"
        rows = self._database.query(
            f"SELECT {_COLUMNS} FROM log WHERE channel IN ({marks}) ORDER BY seq {order}",  # noqa: S608  our own words
            channels,
        )
        for row in rows:
            *addressed, crc = row.values()
            if checksum(*addressed) == crc:
                record = self._record(row)
                if selection.wants(record):
                    yield record

    def _record(self, row: dict[str, Any]) -> StoredRecord:
        return StoredRecord(
            epoch=self._position.epoch,
            seq=row["seq"],
            first_seq=row["first_seq"],
            kind="observation" if row["channel"] == OBS.name else "event",
            delivered=row["seq"] <= self._position.watermark,
            content=json.loads(row["body"]),
        )


@contextmanager
def stored_records(state_dir: Path) -> Iterator[StoredRecords]:
    """Open the log of a state directory.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    path = state_dir / OUTBOX_FILE
    if not path.is_file():
        raise StoreError(f"there is no {path}: no daemon has stored anything here; see state_dir in the configuration")
    connection = open_reader(path)
    try:
        with store_errors(path):
            yield StoredRecords(Database(connection, execute_plugins=False))
    finally:
        connection.close()
