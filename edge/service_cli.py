"""``canopy service``: the daemon as a service of systemd."""
# ruff: noqa: PLC0415 - --help answers before anything is loaded

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.service.places import Placed

app = typer.Typer(no_args_is_help=True, help="Run the daemon as a service of systemd.")

Root = Annotated[Path, typer.Option("--root", help="Below this folder, as for an image; / is this machine.")]


@app.command()
def install(config: ConfigFile = DEFAULT_CONFIG, root: Root = Path("/")) -> None:
    """Install, enable and start the service; says what it does, and does nothing twice. Needs root."""
    with errors_told():
        from edge.service.install import install as put_in_place

        put_in_place(_files(config), root, typer.echo)


@app.command()
def uninstall(root: Root = Path("/")) -> None:
    """Stop the service and take it away; readings and configuration stay. Needs root."""
    with errors_told():
        from edge.service.install import uninstall as take_away

        take_away(root, typer.echo)


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG, root: Root = Path("/"), as_json: AsJson = False) -> None:
    """Say which of its files are in place, and what systemd says of it."""
    with errors_told():
        from edge.service.install import state
        from edge.views import facts_table

        found = state(_files(config), root)
        table = facts_table()
        for name, value in found.items():
            table.add_row(name, value)
        show(found, as_json, lambda: table)


def _files(config: Path) -> "list[Placed]":
    from edge.service.places import wanted_files

    settings = read_settings(config)
    own = Path("/var/lib/canopy")
    folders = (settings.state_dir, settings.data_dir, settings.inference.engine.folder or own)
    elsewhere = tuple(sorted({folder for folder in folders if not folder.is_relative_to(own)}))
    return wanted_files(Path(sys.executable).with_name("canopy"), config.absolute(), elsewhere)
