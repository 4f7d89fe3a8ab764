"""``canopy-fleet export``: the readings for a warehouse, and for who keeps phenotyping data as MIAPPE has it."""
# ruff: noqa: PLC0415 - the database and Arrow are imported by the commands that use them

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.terminal import DEFAULT_CONFIG, ConfigOption, JsonOption, errors_told, opened, print_json

app = typer.Typer(help="Readings for other programs.", no_args_is_help=True)

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="New, or of an earlier run.")]
SinceOption = Annotated[datetime | None, typer.Option(help="Only what was taken from this time on, in UTC.")]
UntilOption = Annotated[datetime | None, typer.Option(help="Only what was taken before this time, in UTC.")]
SiteOption = Annotated[list[str] | None, typer.Option(help="This site only; can be given again.")]


@app.command()
def parquet(
    folder: FolderArgument,
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Bring what is new since the last run into a folder of Parquet files, by site and date."""
    _export("parquet", folder, (since, until), site, config, as_json=as_json)


@app.command()
def delta(
    folder: FolderArgument,
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Bring what is new since the last run into a Delta Lake table, by site and date."""
    _export("delta", folder, (since, until), site, config, as_json=as_json)


@app.command()
def miappe(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    title: Annotated[str, typer.Option(help="Of the investigation.")] = "Greenhouse phenotyping with Canopy",
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a data set as MIAPPE 1.1 has it: tables of what was measured where and how, and the data beside them."""
    with errors_told():
        from fleet.miappe.folder import Wish, write

        wish = Wish(title, tuple(sorted(set(site or ()))), _in_utc(since), _in_utc(until))
        with opened(config) as store:
            count = write(store, folder, wish)
        typer.echo(f"{count} observations into {folder}")


def _export(
    kind: str, folder: Path, period: tuple[datetime | None, datetime | None], sites: list[str] | None, config: Path,
    *, as_json: bool,
) -> None:  # fmt: skip
    with errors_told():
        from fleet.errors import NotPossible

        try:
            from fleet.warehouse.position import Choice
            from fleet.warehouse.run import export
            from fleet.warehouse.tables import VERSION
        except ImportError as error:
            raise NotPossible(
                f"{error.name} is not installed: pip install 'canopy-edge[fleet,warehouse]', then try again"
            ) from error
        since, until = map(_in_utc, period)
        choice = Choice(kind=kind, columns=VERSION, sites=tuple(sorted(set(sites or ()))), since=since, until=until)
        with opened(config) as store:
            done = export(store, folder, choice)
        if as_json:
            print_json({"run": done.run, "rows": done.rows, "records": done.numbers})
        elif done.numbers:
            typer.echo(f"run {done.run}: {done.rows} rows of {done.numbers} records into {folder}")
        else:
            typer.echo(f"nothing new since run {done.run}")


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=timezone.utc)
