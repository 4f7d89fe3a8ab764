"""``canopy buffer``: the results that are stored on this device, the outbox, for its technician."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.settings import DeviceSettings
    from edge.stored import StoredRecords

app = typer.Typer(
    no_args_is_help=True, help="Look into the results that are stored on this device, and take them along."
)

OfCamera = Annotated[str | None, typer.Option("--camera", help="Of this camera only.")]
OfPlot = Annotated[str | None, typer.Option("--plot", help="Of this plot only.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Taken at this local time or later.")]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="A .csv or .parquet file, or a folder such as a USB stick's; - is stdout."),
]


@app.command()
def stats(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Count what is stored, what waits for the fleet, and what had to be given up."""
    with errors_told():
        from edge.views import stats_view

        settings = read_settings(config)
        with _stored(settings) as records:
            found = records.stats()
        show(asdict(found), as_json, lambda: stats_view(found, settings.outbox.max_bytes))


@app.command()
def tail(
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


@app.command()
def export(
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = Path("-"),
    camera: OfCamera = None,
    plot: OfPlot = None,
    since: Since = None,
) -> None:
    """Write the stored observations, one line for each trait. Once it says so, a stick may be pulled."""
    with errors_told():
        from edge.stick import check_room, target_of
        from edge.stored import Selection
        from edge.table import write_table

        settings = read_settings(config)
        selection = Selection(camera=camera, plot=plot, since=since, observations_only=True)
        target = target_of(output, settings.site, settings.device)
        with _stored(settings) as records:
            check_room(target, records, selection)
            lines = write_table(records.all(selection), target)
    where = "" if str(target) == "-" else f" to {target}; it is whole on its disk, which may be pulled now"
    typer.echo(f"{lines} lines written{where}", err=True)


@contextmanager
def _stored(settings: "DeviceSettings") -> "Iterator[StoredRecords]":
    from edge.stored import stored_records

    with stored_records(settings.data_dir) as records:
        yield records
