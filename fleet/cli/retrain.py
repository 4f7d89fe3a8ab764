"""``canopy-fleet retrain``: from drift to labelled frames, to a candidate, through the gate, to a rollout."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    WhoOption,
    errors_told,
    opened,
    person,
    print_json,
    print_table,
    reading,
    say,
    settings_of,
    writing,
)
from fleet.errors import NotPossible, PlanError

if TYPE_CHECKING:
    from fleet.drift.cause import CameraName
    from fleet.retrain.book import Retraining

app = typer.Typer(help="Train a model anew where it has drifted.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="RETRAINING")]
LabelsArgument = Annotated[Path, typer.Argument(metavar="LABELS", help="The COCO file that the annotation tool wrote.")]


@app.command()
def propose(
    least_days: Annotated[int | None, typer.Option(min=1, max=7, help="So many of the last 7 days changed.")] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE/DEVICE/CAMERA", help="Whatever drift says: of this one; repeatable."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --camera: changed since this day.")
    ] = None,
    why: Annotated[str, typer.Option(help="With --camera: the reason.")] = "somebody asked for it",
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a retraining of each model whose cameras stay changed by something that training mends."""
    with errors_told():
        from fleet.retrain import book
        from fleet.retrain.reason import by_word, reasons, seen_lately

        now = datetime.now(timezone.utc)
        with writing(config) as connection:
            if camera:
                due = [by_word(connection, [_camera(each) for each in camera], (since or now).date(), why)]
            else:
                days = least_days or settings_of(config).retrain.least_days
                due = reasons(seen_lately(connection, now), days, now.date())
            made = [book.propose(connection, reason, person(who), now) for reason in due]
        if not made:
            raise NotPossible(
                "nothing calls for training: no camera has stayed changed by season, variety, light or yellowing; "
                "canopy-fleet drift list shows what has changed"
            )
        if as_json:
            print_json([case.document() for case in made])
            return
        for case in made:
            _print(case)
            say(f"next: canopy-fleet retrain frames {case.name} DIR")


@app.command("list")
def list_retrainings(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the retrainings, the newest first."""
    with errors_told():
        from fleet.retrain import book

        with reading(config) as connection:
            found = book.listed(connection)
        if as_json:
            print_json([case.document() for case in found])
            return
        rows = [(case.name, case.stage.value.replace("_", " "), case.why) for case in found]
        print_table(("retraining", "stands", "why"), rows, "no retraining yet: canopy-fleet retrain propose")


@app.command()
def show(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one: why, of which cameras, and what the gate found."""
    with errors_told():
        from fleet.retrain import book

        with reading(config) as connection:
            case = book.read(connection, name)
        print_json(case.document()) if as_json else _print(case)


@app.command()
def frames(
    name: NameArgument,
    out: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="A new folder.")],
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Write its frames with pre-labels, for people to correct in an annotation tool."""
    with errors_told():
        from fleet.retrain import book
        from fleet.retrain import frames as of

        settings = settings_of(config)
        with reading(config) as connection:
            case = book.read(connection, name)
            built = of.lay_out(connection, settings.frames_folder, case, settings.retrain.history_days, out)
        with writing(config) as connection:
            of.note_laid_out(connection, case, built, person(who))
        say(f"{built.images} frames with {built.annotations} pre-labels in {out}: correct them, export as COCO to")
        say(f"{out}/labelled.json, then: canopy-fleet retrain run {name} {out}/labelled.json")


@app.command()
def run(
    name: NameArgument, labels: LabelsArgument, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None
) -> None:
    """Train on the labels, package, compare, judge, publish and roll out; it ends where the gate stays shut."""
    with errors_told():
        from fleet.retrain import steps

        with opened(config) as store:
            case = steps.run(store, settings_of(config), name, labels, person(who), say)
        _print(case)
    _end_shut_with_4(case)


@app.command()
def judge(
    name: NameArgument,
    comparison: Annotated[Path, typer.Argument(help="What canopy-export compare wrote.")],
    package: Annotated[Path, typer.Argument(help="The candidate's package: a zip or a folder.")],
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Hold a candidate that was made elsewhere against what the gate asks; exit code 4 if it stays shut."""
    with errors_told():
        from fleet.retrain import steps

        with opened(config) as store:
            case = steps.judge(store, settings_of(config), name, comparison, package, person(who))
        _print(case)
    _end_shut_with_4(case)


@app.command("roll-out")
def roll_out(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None) -> None:
    """Begin the rollout of a candidate that has passed and is published."""
    with errors_told():
        from fleet.retrain import steps

        with opened(config) as store:
            rollout = steps.roll_out(store, settings_of(config), name, person(who))
        say(f"follow it: canopy-fleet rollout status {rollout}")


@app.command()
def drop(
    name: NameArgument,
    why: Annotated[str, typer.Option(help="A reason, for the audit log.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """End one without a rollout."""
    with errors_told():
        from fleet.retrain import book

        with writing(config) as connection:
            book.drop(connection, name, person(who), why)
        say(f"{name} is dropped")


def _camera(spoken: str) -> "CameraName":
    parts = spoken.split("/")
    if len(parts) != 3 or not all(parts):
        raise PlanError(f"{spoken!r} names no camera; write SITE/DEVICE/CAMERA")
    return parts[0], parts[1], parts[2]


def _print(case: "Retraining") -> None:
    candidate = f", candidate {case.candidate.version}" if case.candidate else ""
    rollout = f", rollout {case.rollout}" if case.rollout else ""
    stands = case.stage.value.replace("_", " ")
    say(f"{case.name}: {stands}; {case.champion.name} {case.champion.version}{candidate}{rollout}")
    say(case.why)
    say(f"cameras: {', '.join('/'.join(camera) for camera in case.cameras)}")
    if case.findings:
        rows = [("ok" if finding.ok else "NO", finding.slice, finding.says) for finding in case.findings]
        print_table(("", "pictures", "found"), rows)


def _end_shut_with_4(case: "Retraining") -> None:
    if case.stage.value == "refused":
        raise typer.Exit(NotPossible.exit_code)
