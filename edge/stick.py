"""Where an export goes: a file, or a folder like that of a USB stick; and whether there is room for it."""

import io
from itertools import islice
from pathlib import Path

from edge.clock import utc_now
from edge.disk import free_bytes
from edge.errors import ConfigError
from edge.lines import write_csv
from edge.stored import Selection, StoredRecords
from edge.views import size

SAMPLE_RECORDS = 50
MARGIN = 1.1
KINDS = (".csv", ".parquet")


def target_of(output: Path, site: str, device: str) -> Path:
    """The file to write; in a folder one that is named for the device and the time.

    Raises:
        ConfigError: it is of a kind that cannot be written, or its folder is not there.
    """
    if str(output) == "-":
        return output
    if output.is_dir():
        return output / f"{site}_{device}_{utc_now():%Y%m%dT%H%M%SZ}.csv"
    if output.suffix not in KINDS:
        raise ConfigError(f"{output} is neither a folder nor a {' or '.join(KINDS)} file; name one with --output")
    if not output.parent.is_dir():
        raise ConfigError(
            f"{output.parent} is no folder; is the stick mounted (lsblk tells)? Name another place with --output"
        )
    return output


def check_room(target: Path, records: StoredRecords, selection: Selection) -> None:
    """See that the file will fit, by what some of its records take as CSV; Parquet takes less.

    Raises:
        ConfigError: it will not.
    """
    if str(target) == "-":
        return
    sample = list(islice(records.all(selection), SAMPLE_RECORDS))
    text = io.StringIO()
    write_csv(sample, text)
    needed = int(len(text.getvalue().encode()) / max(1, len(sample)) * records.stats().entries * MARGIN)
    free = free_bytes(target.parent)
    if needed > free and len(sample) == SAMPLE_RECORDS:
        raise ConfigError(
            f"{target.parent} has {size(free)} free, and up to {size(needed)} are needed; take a larger stick, or less "
            "with --since, --camera or --plot"
        )
