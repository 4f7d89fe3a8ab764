"""Observations as tidy CSV: one line for each trait, and one for each observation that has none."""

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edge.disk import flush
from edge.errors import ConfigError
from edge.stored import StoredRecord

HEADINGS = (
    "captured_at", "camera", "plot", "frame_id", "outcome", "quality", "trait", "value", "unit", "uncertainty",
    "method", "model", "calibration", "track", "error", "clock_ok", "epoch", "seq", "delivered",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | bool


def write_csv(observations: Iterable[StoredRecord], file: TextIO) -> int:
    """Write a heading and the lines; return how many lines. Missing is never zero: no trait leaves its cells empty."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADINGS)
    count = 0
    for line in table_lines(observations):
        writer.writerow([_harmless(cell) for cell in line])
        count += 1
    return count


def table_lines(observations: Iterable[StoredRecord]) -> Iterator[list[Cell]]:
    """The lines below ``HEADINGS``; an empty text is missing."""
    for observation in observations:
        yield from _lines(observation)


@contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of ``path`` when all of it is written; ``-`` is stdout.

    Raises:
        ConfigError: it cannot be written.
    """
    if str(path) == "-":
        yield sys.stdout
        return
    fresh = path.with_name(f".{path.name}.part")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        flush(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}: {error}; name another file with --output") from error


def _lines(observation: StoredRecord) -> Iterator[list[Cell]]:
    record = observation.content
    head = [record["clock"]["at"], record["camera"], record["plot"], record["frame_id"], record["outcome"]]
    head.append("+".join(record["quality"]))
    tail = [record.get(name) or "" for name in ("model", "calibration")]
    tail += ["" if record.get("track") is None else record["track"], record.get("error") or ""]
    tail += [record["clock"]["clock_ok"], observation.epoch, observation.seq, observation.delivered]
    for trait in record["traits"] or [{}]:
        yield [*head, *(trait.get(name, "") for name in ("trait", "value", "unit", "uncertainty", "method")), *tail]


def _harmless(cell: Cell) -> Cell:
    """A spreadsheet takes a text that begins like a formula for one; an apostrophe tells it not to (OWASP)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS) else cell
