"""``canopy-fleet``: run the service, or ask its store.

Exit codes: 0 done; 1 anything else of Canopy's own; 2 the configuration, a plan or the command line; 3 no such rollout,
model or device; 4 it is in no state for that; 5 the store or the audit log; 6 the broker; 7 a port is taken;
8
the update repository; 9 the certificate authority.
"""
# ruff: noqa: PLC0415 - the web server, the database and the broker are imported by the commands that use them

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli import alerts, audit, ca, dataset, db, device, drift, export, model, rollout, token, user
from fleet.cli.repo import repo_app
from fleet.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    errors_told,
    print_json,
    print_table,
    reading,
    settings_of,
)

if TYPE_CHECKING:
    from fleet.service import Addresses

app = typer.Typer(
    help="Receives, keeps and shows what Canopy devices measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Look at a configuration file.", no_args_is_help=True)
app.add_typer(config_app, name="config")

app.add_typer(repo_app, name="repo")
app.add_typer(rollout.app, name="rollout")
app.add_typer(model.app, name="model")
app.add_typer(device.app, name="device")
app.add_typer(audit.app, name="audit")
app.add_typer(dataset.app, name="dataset")
app.add_typer(db.app, name="db")
app.add_typer(user.app, name="user")
app.add_typer(ca.app, name="ca")
app.add_typer(token.app, name="token")
app.add_typer(export.app, name="export")
app.add_typer(alerts.app, name="alerts")
app.add_typer(drift.app, name="drift")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"canopy-fleet {version('canopy-edge')}")
        raise typer.Exit


@app.callback()
def main(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which release.")
    ] = (False),
) -> None:
    """Receives, keeps and shows what Canopy devices measure."""


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written once the service answers: ports and pid.")] = None,
) -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with errors_told():
        from fleet.service import serve as run
        from fleet.service import write_ready_file

        settings = settings_of(config)
        if port is not None:
            settings = settings.model_copy(update={"http": settings.http.model_copy(update={"port": port})})

        def ready(addresses: "Addresses") -> None:
            typer.echo(f"page    {addresses.page}")
            typer.echo(f"broker  {addresses.broker}")
            if ready_file is not None:
                write_ready_file(ready_file, addresses)

        run(settings, ready)


@app.command()
def ingest(
    config: ConfigOption = DEFAULT_CONFIG,
    ready_file: Annotated[
        Path | None, typer.Option(help="Touched every few seconds while broker and store can be used.")
    ] = None,
) -> None:
    """File records beside the service, as one of several processes (ingest.shared), until it is told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with errors_told():
        from fleet.service import file_records

        file_records(settings_of(config), ready_file)


@app.command()
def devices(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the devices that the fleet has heard of."""
    with errors_told():
        from fleet.questions import views

        with reading(config) as connection:
            found = views.list_devices(connection)
        if as_json:
            print_json(found)
            return
        headings = ("site", "device", "state", "last heard (UTC)")
        print_table(headings, [(row["site"], row["device"], _state(row), f"{row['last_seen']:%F %T}") for row in found])


@app.command()
def completeness(
    config: ConfigOption = DEFAULT_CONFIG,
    hours: Annotated[int, typer.Option(min=1, max=744, help="How far back.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Show for each device and hour what was received, is missing, or was dropped."""
    with errors_told():
        from fleet.questions import views

        with reading(config) as connection:
            found = [
                (device["site"], device["device"], hour)
                for device in views.list_devices(connection)
                for hour in views.completeness(connection, device["id"], hours)
            ]
        rows = [
            (site, device, f"{hour.hour:%F %H:%M}", hour.received, hour.missing, hour.dropped, hour.epoch_breaks)
            for site, device, hour in found
        ]
        headings = ("site", "device", "hour (UTC)", "received", "missing", "dropped", "epoch breaks")
        if as_json:
            keys = ("site", "device", "hour", "received", "missing", "dropped", "epoch_breaks")
            print_json([dict(zip(keys, row, strict=True)) for row in rows])
        else:
            print_table(headings, [row for row in rows if any(row[3:])])


@config_app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether a configuration file can be used, and what is wrong with it if not."""
    with errors_told():
        settings = settings_of(config)
        broker = "embedded broker" if settings.mqtt.embedded else "broker"
        typer.echo(f"{config} is good: {broker} at {settings.mqtt.host}:{settings.mqtt.port}")


def _state(device: dict[str, Any]) -> str:
    return "online" if device["online"] else "offline"
