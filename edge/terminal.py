"""What every command of ``canopy`` shares: its options, how it prints, and how an error becomes an exit code."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import CanopyError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.settings import DeviceSettings

ConfigFile = Annotated[Path, typer.Option("--config", "-c", envvar="CANOPY_CONFIG", help="The device's YAML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT_CONFIG = Path("/etc/canopy/device.yaml")


@contextmanager
def errors_told() -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    try:
        yield
    except CanopyError as error:
        typer.secho(f"canopy: {error}", fg="red", err=True)
        raise typer.Exit(error.exit_code) from error


def read_settings(config: Path) -> "DeviceSettings":
    """The device's configuration.

    Raises:
        ConfigError: it cannot be used.
    """
    from edge.settings import load_settings  # noqa: PLC0415 - pydantic's models take a moment

    return load_settings(config)


def show(document: Any, as_json: bool, view: Callable[[], "RenderableType"]) -> None:
    """Print a document as JSON, or as a person reads it."""
    if as_json:
        typer.echo(json.dumps(document, default=lambda value: value.model_dump(mode="json"), indent=2))
        return
    from rich.console import Console  # noqa: PLC0415 - not needed for JSON

    Console(highlight=False).print(view())
