"""``canopy-fleet drift``: which cameras have changed, what it was most likely, and what people say it was."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from dataclasses import asdict
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    WhoOption,
    errors_told,
    person,
    print_json,
    print_table,
    reading,
    writing,
)

if TYPE_CHECKING:
    from fleet.drift.cause import Attribution, CameraName
    from fleet.drift.heat import Cell

app = typer.Typer(help="Which cameras have changed.", no_args_is_help=True)


@app.command("list")
def list_changes(
    site: Annotated[str | None, typer.Option(help="This site only.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 7,
    everything: Annotated[bool, typer.Option("--all", help="Also what is as before, or explained.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show the cameras that have changed, day by day, with the most likely cause and what to do."""
    with errors_told():
        from fleet.drift.day import of_days, read_day, told
        from fleet.drift.heat import heat_map, last_days
        from fleet.drift.labels import labels_since
        from fleet.drift.windows import Where, glimpses

        with reading(config) as connection:
            since = last_days(datetime.now(timezone.utc), days)
            labels = labels_since(connection, since, site)
            windows = glimpses(connection, Where(site=site, since=since))
            cells = heat_map(windows, labels, told=of_days(told(connection, since, site)))
            shown = [cell for cell in cells if everything or cell.state == "alarm"]
            needy = {cell.day for cell in shown if cell.alarms or cell.discovered}
            causes = {day: read_day(connection, day).attributions() for day in needy}
        rows = [(cell, _of(cell.camera, causes.get(cell.day, []))) for cell in shown]
        if as_json:
            print_json([_document(cell, cause) for cell, cause in rows])
            return
        print_table(
            ("day", "camera", "state", "what, and what to do"),
            [(cell.day, "/".join(cell.camera), cell.state, _says(cell, cause)) for cell, cause in rows],
            nothing="no camera has changed",
        )


@app.command()
def label(
    about: Annotated[str, typer.Argument(metavar="SITE[/DEVICE/CAMERA]", help="A camera, or every one of a site.")],
    said: Annotated[str, typer.Argument(help="expected, lens_cleaned, camera_moved, lamp_changed, new_variety …")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day [default: today].")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="For so long [default: from then on].")] = None,
    note: Annotated[str, typer.Option(help="What the others should know.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Say what a change was; what is explained raises no alarm, pests and faults still do."""
    with errors_told():
        from fleet.drift.labels import Label, Said, say
        from fleet.errors import PlanError

        if said not in {each.value for each in Said}:
            raise PlanError(f"{said!r} is no label; there are {', '.join(each.value for each in Said)}")
        site, device, camera = _place(about)
        now = datetime.now(timezone.utc)
        begin = datetime.combine(since or now.date(), time(), timezone.utc)
        word = Label(
            site=site, device=device, camera=camera, said=Said(said), since=begin,
            until=begin + timedelta(days=days) if days else None, note=note, who=person(who), said_at=now,
        )  # fmt: skip
        with writing(config) as connection:
            say(connection, word)
        typer.echo(f"{about}: {said.replace('_', ' ')} from {begin:%F} {_until(word.until)}")


def _until(end: datetime | None) -> str:
    return f"to {end:%F}" if end else "on"


def _place(about: str) -> tuple[str, str | None, str | None]:
    """From SITE or SITE/DEVICE/CAMERA."""
    from fleet.errors import PlanError

    parts = about.split("/")
    if len(parts) not in {1, 3} or not all(parts):
        raise PlanError(f"{about!r} names neither a site nor a camera; write SITE or SITE/DEVICE/CAMERA")
    return (parts[0], None, None) if len(parts) == 1 else (parts[0], parts[1], parts[2])


def _of(camera: "CameraName", causes: "list[Attribution]") -> "Attribution | None":
    return next((cause for cause in causes if camera in cause.cameras), None)


def _says(cell: "Cell", cause: "Attribution | None") -> str:
    from fleet.drift.moved import spoken

    if cell.label is not None and cell.state == "labelled":
        return cell.label.value.replace("_", " ")
    if cause is not None:
        return f"{cause.cause.value}: {cause.mend}"
    what = spoken(cell.statistic) if cell.statistic and cell.state != "quiet" else ""
    return f"{what}; the cause comes when the day is over" if cell.open else what


def _document(cell: "Cell", cause: "Attribution | None") -> dict[str, Any]:
    found = asdict(cell) | {
        "camera": "/".join(cell.camera),
        "state": cell.state,
        "label": cell.label and cell.label.value,
    }
    return found | {"cause": cause and {"name": cause.cause.value, "evidence": cause.evidence, "mend": cause.mend}}
