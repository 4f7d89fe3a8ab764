"""A Delta Lake table, partitioned by site and date; each run is one transaction of its log."""

from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

APPLICATION = "canopy-fleet"


def write_delta(folder: Path, run: int, reader: pa.RecordBatchReader) -> None:
    """Append a run's rows, unless the log says that this very run is in the table already."""
    if DeltaTable.is_deltatable(str(folder)):
        last = DeltaTable(str(folder)).transaction_version(APPLICATION)
        if last is not None and last >= run:
            return
    write_deltalake(
        str(folder), reader, mode="append", partition_by=["site", "date"], name="canopy_readings",
        description="Readings of plants, one value a row; see docs/warehouse.md of Canopy",
        commit_properties=CommitProperties(app_transactions=[Transaction(APPLICATION, run)]),
    )  # fmt: skip
