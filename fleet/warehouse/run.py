"""One run of an export: what is new since the run before goes out, wholly or not at all."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fleet.errors import NotPossible
from fleet.ingest.spans import size, union
from fleet.store import Store
from fleet.warehouse.pending import pending, rows
from fleet.warehouse.position import Choice, Numbers, Position, read_position, save_position
from fleet.warehouse.rows import Row
from fleet.warehouse.tables import PARTITIONED, dated

LOCK = "_canopy.lock"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. ``numbers``: how many records it settled, events and excluded ones among them."""

    run: int
    rows: int
    numbers: int


def export(store: Store, folder: Path, choice: Choice) -> Outcome:
    """Bring what is new into the export in ``folder``.

    Raises:
        NotPossible: the folder holds something else, or another run is under way.
        StoreError: the store cannot be read; the next run goes on where this one began.
    """
    from fleet.warehouse.delta import write_delta  # noqa: PLC0415 - each kind needs its own library only
    from fleet.warehouse.files import write_files  # noqa: PLC0415

    with _alone(folder):
        position = read_position(folder, choice)
        planned = position.planned
        if planned is None:
            with store.reading() as connection:
                planned = pending(connection, choice, position.done)
            if not planned:
                return Outcome(position.run, 0, 0)
            save_position(folder, Position(choice, position.run, position.done, planned))
        counter = _Counter()
        reader = pa.RecordBatchReader.from_batches(PARTITIONED, counter.counted(rows(store, choice, planned)))
        write = write_delta if choice.kind == "delta" else write_files
        write(folder, position.run + 1, reader)
        save_position(folder, Position(choice, position.run + 1, _added(position.done, planned)))
    return Outcome(position.run + 1, counter.rows, sum(size(spans) for spans in planned.values()))


class _Counter:
    """Counts what goes through."""

    def __init__(self) -> None:
        self.rows = 0

    def counted(self, pages: Iterator[list[Row]]) -> Iterator[pa.RecordBatch]:
        """The pages as batches."""
        for page in pages:
            self.rows += len(page)
            yield dated(page)


def _added(done: object, planned: object) -> Numbers:
    before, new = dict(done), dict(planned)  # type: ignore[call-overload]
    return {name: union(before.get(name, ()), new.get(name, ())) for name in {**before, **new}}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotPossible(f"another run writes to {folder}; wait for it") from error
        yield
