"""What every command of ``canopy-fleet`` shares: options, errors as messages, tables and JSON."""
# ruff: noqa: PLC0415 - the database and tables are imported by the commands that use them

import getpass
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.errors import FleetError

if TYPE_CHECKING:
    from fleet.settings import FleetSettings

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The service's YAML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]
WhoOption = Annotated[str | None, typer.Option("--as", help="Who does it, for the audit log [default: you].")]
DEFAULT_CONFIG = Path("configs/fleet.yaml")


@contextmanager
def errors_told() -> Iterator[None]:
    """Our own errors end the command with their message and their exit code, without a traceback."""
    try:
        yield
    except FleetError as error:
        typer.echo(f"canopy-fleet: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


@contextmanager
def reading(config: Path) -> Iterator[Any]:
    """A connection to the store for one consistent look."""
    with opened(config) as store, store.reading() as connection:
        yield connection


@contextmanager
def writing(config: Path) -> Iterator[Any]:
    """A connection to the store for one transaction."""
    with opened(config) as store, store.writing() as connection:
        yield connection


@contextmanager
def opened(config: Path) -> Iterator[Any]:
    """The store, for as many looks as a command needs."""
    from fleet.store import Store

    store = Store(settings_of(config).database_url)
    try:
        yield store
    finally:
        store.close()


def settings_of(config: Path) -> "FleetSettings":
    """The service's settings."""
    from fleet.settings import load_settings

    return load_settings(config)


def person(named: str | None) -> str:
    """Who acts: as named, or the user of the operating system, also behind sudo."""
    if named:
        return named
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def print_json(document: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(document, default=str, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], nothing: str = "nothing yet") -> None:
    """Columns for people; the last one may be folded."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    Console(highlight=False).print(table if rows else nothing)


def say(text: str) -> None:
    """A sentence, broken at words."""
    from rich.console import Console

    Console(highlight=False, markup=False, soft_wrap=False).print(text)
