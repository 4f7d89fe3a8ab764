"""``canopy``: the command of the device. Its exit codes are those of ``edge.errors``."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

import logging
import sys
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge import __version__
from edge.accept_cli import accept
from edge.benchmark_cli import benchmark
from edge.buffer_cli import app as buffer_app
from edge.bundle_cli import support_bundle
from edge.calibrate_cli import app as calibrate_app
from edge.config_cli import app as config_app
from edge.doctor_cli import doctor
from edge.enroll_cli import enroll, identity
from edge.errors import CanopyError, CaptureError, DeliveryError
from edge.harvest_cli import app as harvest_app
from edge.history_cli import history
from edge.look_cli import aim, logs, snapshot, watch
from edge.model_cli import app as model_app
from edge.service_cli import app as service_app
from edge.setup_cli import setup
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show
from edge.update_cli import app as update_app

if TYPE_CHECKING:
    from rich.console import RenderableType


EXIT_CODES = (
    "Exit codes: 0 done; 1 anything else of Canopy's own (status: no daemon runs); 2 the configuration or the command "
    "line; 3 a camera or picture; 4 the model; 5 the device's database; 6 the broker; 8 an update; "
    "9 its certificate."
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, epilog=EXIT_CODES)
app.add_typer(buffer_app, name="buffer")
app.add_typer(config_app, name="config")
app.add_typer(harvest_app, name="harvest")
app.add_typer(model_app, name="model")
app.add_typer(update_app, name="update")
app.add_typer(service_app, name="service")
app.add_typer(calibrate_app, name="calibrate")
app.command()(accept)
app.command()(enroll)
app.command()(identity)
app.command()(doctor)
app.command()(history)
app.command()(benchmark)
app.command("support-bundle")(support_bundle)
for command in (setup, snapshot, watch, aim, logs):
    app.command()(command)


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
        found = read_status(settings.run_dir)
        if found is None:
            raise CanopyError(
                f"no daemon has run in {settings.state_dir}; start one with: canopy run --config {config}"
            )
        running = is_held(settings.state_dir)
        document = {"running": running, **found.model_dump(mode="json", by_alias=True)}
        show(document, as_json, lambda: status_view(found, settings.outbox.max_bytes, running=running))
    raise typer.Exit(0 if running else 1)


def _summary_view(summary: dict[str, Any]) -> "RenderableType":
    from edge.views import summary_view

    return summary_view(summary)
