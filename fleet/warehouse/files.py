"""Parquet files, partitioned as Hive has it: ``site=north/date=2026-06-01/run-000001-0.parquet``."""

import shutil
from pathlib import Path

import pyarrow as pa
from pyarrow import dataset

STAGING = "_staging"
_MAX_ROWS = 5_000_000


def write_files(folder: Path, run: int, reader: pa.RecordBatchReader) -> None:
    """Write a run's rows; each file appears whole. Files of the same run, from one that was killed, are replaced."""
    staging = folder / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    dataset.write_dataset(
        reader, staging, format="parquet", partitioning=_partitioning(reader.schema),
        basename_template=f"run-{run:06}-{{i}}.parquet", file_options=_options(), use_threads=False,
        max_rows_per_file=_MAX_ROWS, max_rows_per_group=_MAX_ROWS // 10,
    )  # fmt: skip
    for old in folder.glob(f"site=*/date=*/run-{run:06}-*.parquet"):
        old.unlink()
    for file in sorted(staging.rglob("*.parquet")) if staging.exists() else ():
        place = folder / file.relative_to(staging)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    shutil.rmtree(staging, ignore_errors=True)


def _partitioning(schema: pa.Schema) -> dataset.Partitioning:
    return dataset.partitioning(pa.schema([schema.field("site"), schema.field("date")]), flavor="hive")


def _options() -> dataset.FileWriteOptions:
    return dataset.ParquetFileFormat().make_write_options(compression="zstd")
