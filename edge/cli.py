"""``canopy``: the command of the device. Its exit codes are those of ``edge.errors``."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge import __version__
from edge.errors import CanopyError, CaptureError, DeliveryError, ModelError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.settings import DeviceSettings, InferenceSettings
    from edge.stored import StoredRecords

EXIT_CODES = (
    "Exit codes: 0 done; 1 anything else of Canopy's own (status: no daemon runs); 2 the configuration or the command "
    "line; 3 a camera or picture; 4 the model; 5 the device's database; 6 the broker."
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, epilog=EXIT_CODES)
outbox_app = typer.Typer(no_args_is_help=True, help="Look into the results that are stored on this device.")
config_app = typer.Typer(no_args_is_help=True, help="Check a configuration file.")
app.add_typer(outbox_app, name="outbox")
app.add_typer(config_app, name="config")

ConfigFile = Annotated[Path, typer.Option("--config", "-c", envvar="CANOPY_CONFIG", help="The device's YAML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OfCamera = Annotated[str | None, typer.Option("--camera", help="Of this camera only.")]
OfPlot = Annotated[str | None, typer.Option("--plot", help="Of this plot only.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Taken at this local time or later.")]
DEFAULT_CONFIG = Path("/etc/canopy/device.yaml")


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
    with _errors_told():
        from edge.daemon import Daemon

        settings = _settings(config)
        summary = asdict(Daemon(settings, until_end=until_end).run())
        _print(summary, as_json, lambda: _summary_view(summary))
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
    with _errors_told():
        from edge.lock import is_held
        from edge.status import read_status
        from edge.views import status_view

        settings = _settings(config)
        found = read_status(settings.state_dir)
        if found is None:
            raise CanopyError(
                f"no daemon has run in {settings.state_dir}; start one with: canopy run --config {config}"
            )
        running = is_held(settings.state_dir)
        document = {"running": running, **found.model_dump(mode="json", by_alias=True)}
        _print(document, as_json, lambda: status_view(found, settings.outbox.max_bytes, running=running))
    raise typer.Exit(0 if running else 1)


@config_app.command("check")
def config_check(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Read the file as the daemon would, look at what it names, and say what it means or what is wrong."""
    with _errors_told():
        from edge.check import check
        from edge.views import settings_view

        settings = _settings(config)
        manifest = check(settings)
        model = f"{manifest.name} {manifest.version}"
        document = {"model": model, "settings": settings.model_dump(mode="json")}
        _print(document, as_json, lambda: settings_view(settings, model))


@outbox_app.command("stats")
def outbox_stats(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Count what is stored, what waits for the fleet, and what had to be given up."""
    with _errors_told():
        from edge.views import stats_view

        settings = _settings(config)
        with _stored(settings) as records:
            stats = records.stats()
        _print(asdict(stats), as_json, lambda: stats_view(stats, settings.outbox.max_bytes))


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
    with _errors_told():
        from edge.stored import Selection
        from edge.views import records_view

        selection = Selection(camera=camera, plot=plot, events_only=events)
        with _stored(_settings(config)) as records:
            newest = records.newest(count, selection)
        _print([asdict(record) for record in newest], as_json, lambda: records_view(newest))


@outbox_app.command("export")
def outbox_export(
    config: ConfigFile = DEFAULT_CONFIG,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - is stdout.")] = Path("-"),
    camera: OfCamera = None,
    plot: OfPlot = None,
    since: Since = None,
) -> None:
    """Write the stored observations as CSV, one line for each trait."""
    with _errors_told():
        from edge.lines import replaced_file, write_csv
        from edge.stored import Selection

        selection = Selection(camera=camera, plot=plot, since=since, observations_only=True)
        with _stored(_settings(config)) as records, replaced_file(output) as file:
            lines = write_csv(records.all(selection), file)
    typer.echo(f"{lines} lines written", err=True)


@app.command()
def accept(
    config: ConfigFile = DEFAULT_CONFIG,
    package: Annotated[
        Path | None, typer.Option("--package", help="A model package; absent: the configured one.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="What shall run it, like tensorrt or cpu; absent: as configured.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder with pictures of your own to compare on.")] = None,
    runs: Annotated[int, typer.Option(min=10, max=100_000, help="Runs for each figure.")] = 300,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the report.")] = Path("accept.json"),
    as_json: AsJson = False,
) -> None:
    """Build the engine, compare it with the package and the CPU, measure, and write a report to send back."""
    with _errors_told():
        from edge.acceptance.accept import accept as run_acceptance
        from edge.acceptance.pictures import pictures_in
        from edge.acceptance.view import acceptance_view
        from edge.lines import replaced_file

        inference = _inference_settings(config, package, backend)
        found = run_acceptance(inference, pictures_in(pictures) if pictures else [], runs, _tell_progress)
        with replaced_file(output) as file:
            file.write(found.model_dump_json(indent=1) + "\n")
        _print(found, as_json, lambda: acceptance_view(found))
        typer.echo(f"the report is in {output}", err=True)
    raise typer.Exit(0 if found.passed else ModelError.exit_code)


def _tell_progress(share: float, doing: str) -> None:
    typer.echo(f"{share:4.0%} {doing}", err=True)


def _inference_settings(config: Path, package: Path | None, backend: str | None) -> "InferenceSettings":
    """The configured ones, with what the command line says instead; a package alone will do where nothing is yet."""
    from edge.settings import InferenceSettings, checked

    said = {name: value for name, value in (("package", package), ("backend", backend)) if value is not None}
    configured = {} if package and not config.exists() else dict(_settings(config).inference)
    return checked(InferenceSettings, {**configured, **said}, "the command line")


@contextmanager
def _errors_told() -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    try:
        yield
    except CanopyError as error:
        typer.secho(f"canopy: {error}", fg="red", err=True)
        raise typer.Exit(error.exit_code) from error


def _summary_view(summary: dict[str, Any]) -> "RenderableType":
    from edge.views import summary_view

    return summary_view(summary)


def _settings(config: Path) -> "DeviceSettings":
    from edge.settings import load_settings

    return load_settings(config)


@contextmanager
def _stored(settings: "DeviceSettings") -> "Iterator[StoredRecords]":
    from edge.stored import stored_records

    with stored_records(settings.state_dir) as records:
        yield records


def _print(document: Any, as_json: bool, view: Callable[[], "RenderableType"]) -> None:
    if as_json:
        typer.echo(json.dumps(document, default=lambda value: value.model_dump(mode="json"), indent=2))
        return
    from rich.console import Console

    Console(highlight=False).print(view())
