"""``canopy``: the command of the device. Its exit codes are those of ``edge.errors``."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge import __version__
from edge.accept_cli import accept
from edge.config_cli import app as config_app
from edge.errors import CanopyError, CaptureError, DeliveryError
from edge.look_cli import aim, logs, snapshot, watch
from edge.model_cli import app as model_app
from edge.setup_cli import setup
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show
from edge.update_cli import app as update_app

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.settings import DeviceSettings
    from edge.stored import StoredRecords

EXIT_CODES = (
    "Exit codes: 0 done; 1 anything else of Canopy's own (status: no daemon runs); 2 the configuration or the command "
    "line; 3 a camera or picture; 4 the model; 5 the device's database; 6 the broker; 8 an update."
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, epilog=EXIT_CODES)
outbox_app = typer.Typer(no_args_is_help=True, help="Look into the results that are stored on this device.")
app.add_typer(outbox_app, name="outbox")
app.add_typer(config_app, name="config")
app.add_typer(model_app, name="model")
app.add_typer(update_app, name="update")
app.command()(accept)
for command in (setup, snapshot, watch, aim, logs):
    app.command()(command)

OfCamera = Annotated[str | None, typer.Option("--camera", help="Of this camera only.")]
OfPlot = Annotated[str | None, typer.Option("--plot", help="Of this plot only.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Taken at this local time or later.")]


class LogLevel(str, Enum):
    """How much the daemon says on stderr."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"canopy {__version__}")
        raise typer.Exit


@app.callback()
def canopy(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn a greenhouse camera into a plant sensor."""


@app.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Read folders and videos to their ends, deliver, and end.")
    ] = False,
    as_json: AsJson = False,
    log_level: Annotated[LogLevel, typer.Option(help="How much to say on stderr.")] = LogLevel.INFO,
) -> None:
    """Run the daemon: capture, segment, count, store, publish. SIGTERM ends it within 2 s and loses nothing."""
    logging.basicConfig(
        level=log_level.value.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    with errors_told():
        from edge.daemon import Daemon

        settings = read_settings(config)
        summary = asdict(Daemon(settings, until_end=until_end, reread=lambda: read_settings(config)).run())
        show(summary, as_json, lambda: _summary_view(summary))
        if until_end and summary["errors"]:
            raise CaptureError("\n".join(summary["errors"]))
        missing = summary["appended"] - summary["delivered"]
        if until_end and settings.mqtt and missing:
            raise DeliveryError(
                f"{missing} records have not reached the fleet; they wait in {settings.state_dir} and are sent as soon "
                f"as a daemon runs there and {settings.mqtt.host}:{settings.mqtt.port} and the fleet answer"
            )


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Say how the daemon does: cameras, pictures, results waiting, memory. Ends with 1 if it does not run."""
    with errors_told():
        from edge.lock import is_held
        from edge.status import read_status
        from edge.views import status_view

        settings = read_settings(config)
        found = read_status(settings.state_dir)
        if found is None:
            raise CanopyError(
                f"no daemon has run in {settings.state_dir}; start one with: canopy run --config {config}"
            )
        running = is_held(settings.state_dir)
        document = {"running": running, **found.model_dump(mode="json", by_alias=True)}
        show(document, as_json, lambda: status_view(found, settings.outbox.max_bytes, running=running))
    raise typer.Exit(0 if running else 1)


@outbox_app.command("stats")
def outbox_stats(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Count what is stored, what waits for the fleet, and what had to be given up."""
    with errors_told():
        from edge.views import stats_view

        settings = read_settings(config)
        with _stored(settings) as records:
            stats = records.stats()
        show(asdict(stats), as_json, lambda: stats_view(stats, settings.outbox.max_bytes))


@outbox_app.command("tail")
def outbox_tail(
    config: ConfigFile = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many.")] = 10,
    camera: OfCamera = None,
    plot: OfPlot = None,
    events: Annotated[bool, typer.Option("--events", help="Events only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest records; a tick marks what the fleet has."""
    with errors_told():
        from edge.stored import Selection
        from edge.views import records_view

        selection = Selection(camera=camera, plot=plot, events_only=events)
        with _stored(read_settings(config)) as records:
            newest = records.newest(count, selection)
        show([asdict(record) for record in newest], as_json, lambda: records_view(newest))


@outbox_app.command("export")
def outbox_export(
    config: ConfigFile = DEFAULT_CONFIG,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - is stdout.")] = Path("-"),
    camera: OfCamera = None,
    plot: OfPlot = None,
    since: Since = None,
) -> None:
    """Write the stored observations as CSV, one line for each trait."""
    with errors_told():
        from edge.lines import replaced_file, write_csv
        from edge.stored import Selection

        selection = Selection(camera=camera, plot=plot, since=since, observations_only=True)
        with _stored(read_settings(config)) as records, replaced_file(output) as file:
            lines = write_csv(records.all(selection), file)
    typer.echo(f"{lines} lines written", err=True)


def _summary_view(summary: dict[str, Any]) -> "RenderableType":
    from edge.views import summary_view

    return summary_view(summary)


@contextmanager
def _stored(settings: "DeviceSettings") -> "Iterator[StoredRecords]":
    from edge.stored import stored_records

    with stored_records(settings.state_dir) as records:
        yield records
