"""The flat rows as Arrow tables: every column with its type, and with its unit where it has one."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyarrow import parquet

from fleet.warehouse.rows import COLUMNS, Row

VERSION = 1
"""Of the columns; a change of them is a new one."""

_MOMENT = pa.timestamp("us", tz="UTC")
_WORD = pa.string()

_COLUMNS: dict[str, tuple[pa.DataType, bool, str]] = {
    "site": (_WORD, False, "where"),
    "device": (_WORD, False, "which computer"),
    "camera": (_WORD, False, "which of its cameras"),
    "plot": (_WORD, False, "which place in its picture"),
    "crop": (_WORD, True, "what grows there, if anybody said"),
    "taken_at": (_MOMENT, False, "UTC; the best that is known: repaired where the device's clock was wrong"),
    "captured_at": (_MOMENT, False, "UTC; by the device's clock"),
    "clock_ok": (pa.bool_(), False, "whether that clock was believed"),
    "received_at": (_MOMENT, False, "UTC; when the fleet had it: what was known when"),
    "outcome": (_WORD, True, "measured, no_plant, not_taken, failed; null: one that this release does not know"),
    "quality": (pa.list_(_WORD), False, "why the picture is not fit to measure"),
    "trait": (_WORD, True, "null: the observation has no value; outcome and quality say why"),
    "value": (pa.float64(), True, "in the row's unit"),
    "unit": (_WORD, True, "count, px, px2, mm, mm2, fraction, index, degree, day, 1/day"),
    "uncertainty": (pa.float64(), True, "one standard deviation, in the row's unit; null: not known, which is not 0"),
    "method": (_WORD, True, "values of two methods are not compared"),
    "model": (_WORD, True, "sha256 of the model that made it"),
    "calibration": (_WORD, True, "sha256 of the calibration; null: lengths are in pixels"),
    "error": (_WORD, False, "why it failed"),
    "frame_id": (pa.int64(), False, "number of the picture"),
    "epoch": (_WORD, False, "numbering of the device's records"),
    "seq": (pa.int64(), False, "number in it"),
}

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=nullable, metadata={"description": told})
        for name, (kind, nullable, told) in ((name, _COLUMNS[name]) for name in COLUMNS)
    ],
    metadata={"canopy": f"readings {VERSION}"},
)


PARTITIONED = SCHEMA.append(
    pa.field("date", pa.date32(), nullable=False, metadata={"description": "of taken_at, in UTC"})
)
"""With the day, by which exports are partitioned; and by site."""


def dated(rows: list[Row]) -> pa.RecordBatch:
    """Rows as a batch of ``PARTITIONED``."""
    return pa.RecordBatch.from_pylist([{**row, "date": row["taken_at"].date()} for row in rows], schema=PARTITIONED)


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    """Rows as a batch of ``SCHEMA``."""
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def as_parquet(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    """A Parquet file, piece by piece: each page is a row group, and is forgotten once it is sent."""
    sink = _Sink()
    with parquet.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        for page in pages:
            if page:
                writer.write_batch(batch_of(page))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file of which only what was not yet taken is kept."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._at = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object) -> int:
        """Keep it until it is taken."""
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._kept += piece
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Where the next piece begins."""
        return self._at

    def taken(self) -> bytes:
        """What has come since the last time."""
        piece = bytes(self._kept)
        self._kept.clear()
        return piece
