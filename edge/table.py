"""Observations as a file: CSV, or Parquet where pyarrow is installed. A file is whole and on its disk, or not there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from edge.disk import flush
from edge.errors import ConfigError
from edge.lines import HEADINGS, Cell, replaced_file, table_lines, write_csv
from edge.stored import StoredRecord

GROUP_LINES = 50_000
"""So many lines are held in memory at a time."""

NUMBERS = {"track": "int64", "value": "float64", "uncertainty": "float64", "frame_id": "int64", "seq": "int64"}
TRUTHS = ("clock_ok", "delivered")


def write_table(observations: Iterable[StoredRecord], target: Path) -> int:
    """Write ``target``, of the kind that its name ends with; return how many lines.

    Raises:
        ConfigError: it cannot be written, or Parquet is not installed.
    """
    if target.suffix == ".parquet":
        return _write_parquet(observations, target)
    with replaced_file(target) as file:
        return write_csv(observations, file)


def _write_parquet(observations: Iterable[StoredRecord], target: Path) -> int:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'canopy-edge[parquet]'; or name a .csv file") from error
    schema = pa.schema([pa.field(name, pa.type_for_alias(_type_of(name))) for name in HEADINGS])
    count = 0
    with _fresh(target) as fresh, parquet.ParquetWriter(fresh, schema, compression="zstd") as writer:
        for lines in _groups(table_lines(observations)):
            columns = zip(*([_cell(cell) for cell in line] for line in lines), strict=True)
            writer.write_table(
                pa.table([pa.array(column, schema.field(i).type) for i, column in enumerate(columns)], schema=schema)
            )
            count += len(lines)
    return count


def _type_of(name: str) -> str:
    return "bool" if name in TRUTHS else NUMBERS.get(name, "string")


def _cell(cell: Cell) -> Any:
    """Missing is null, which is neither zero nor an empty text."""
    return None if cell == "" else cell


def _groups(lines: Iterator[list[Cell]]) -> Iterator[list[list[Cell]]]:
    while group := list(islice(lines, GROUP_LINES)):
        yield group


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    fresh = target.with_name(f".{target.name}.part")
    try:
        yield fresh
        flush(fresh)
        fresh.replace(target)
        flush(target.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {target}: {error}; name another file with --output") from error
