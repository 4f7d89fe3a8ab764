"""What every command of ``canopy-fleet`` says to its terminal."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from fleet.errors import FleetError


@contextmanager
def errors_told() -> Iterator[None]:
    """Our own errors end the command with their message and their exit code, without a traceback."""
    try:
        yield
    except FleetError as error:
        typer.echo(f"canopy-fleet: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def print_json(document: Any) -> None:
    """For programs."""
    typer.echo(json.dumps(document, default=str, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """For people, in 80 columns where the words allow it."""
    from rich.console import Console  # noqa: PLC0415 - loaded by the commands that print tables
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table if rows else "nothing yet")
