"""``canopy-fleet dataset``: the frames that devices brought home, as data for training."""
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
    person,
    print_json,
    print_table,
    reading,
    settings_of,
    writing,
)

if TYPE_CHECKING:
    from fleet.frames.dataset import Selection

app = typer.Typer(help="Frames that devices brought home, as data for training.", no_args_is_help=True)

SiteOption = Annotated[str | None, typer.Option(help="Of this site only.")]
CameraOption = Annotated[str | None, typer.Option(help="Of cameras of this name only.")]
SinceOption = Annotated[datetime | None, typer.Option(help="Taken from this time on, in UTC.")]
UntilOption = Annotated[datetime | None, typer.Option(help="Taken before this time, in UTC.")]
ReasonOption = Annotated[str | None, typer.Option(help="uncertain, drifted, disagreeing or random.")]
CropOption = Annotated[str | None, typer.Option(help="Where this grows, as people have said of camera or plot.")]
LimitOption = Annotated[int | None, typer.Option(min=1, max=1_000_000, help="The newest so many.")]


@app.command()
def build(
    out: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="A new folder.")],
    site: SiteOption = None,
    camera: CameraOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    reason: ReasonOption = None,
    crop: CropOption = None,
    limit: LimitOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a COCO dataset with pre-labels: for annotation tools, and for canopy-train fit --data."""
    with errors_told():
        from fleet import audit
        from fleet.frames import dataset

        selection = _selection(site, camera, since, until, reason, crop, limit)
        folder = settings_of(config).frames_folder
        with reading(config) as connection:
            built = dataset.build(connection, folder, out, selection)
        with writing(config) as connection:
            audit.record(connection, person(who), "dataset build", str(out)[:256], frames=built.images)
        if as_json:
            print_json({"images": built.images, "annotations": built.annotations})
        else:
            typer.echo(f"{built.images} frames with {built.annotations} pre-labels in {out / dataset.ANNOTATIONS_FILE}")


@app.command("list")
def list_frames(
    site: SiteOption = None,
    camera: CameraOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    reason: ReasonOption = None,
    crop: CropOption = None,
    limit: LimitOption = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the frames that a dataset would have."""
    with errors_told():
        from fleet.frames.dataset import selected

        with reading(config) as connection:
            rows = selected(connection, _selection(site, camera, since, until, reason, crop, limit))
        names = ("site", "device", "camera", "captured_at", "reason", "probability", "bytes", "state")
        if as_json:
            print_json([{name: getattr(row, name) for name in (*names, "digest", "model")} for row in rows])
            return
        print_table(
            ("camera", "taken (UTC)", "why", "chance", "kB"),
            [
                (f"{row.site}/{row.device}/{row.camera}", f"{row.captured_at:%F %T}", row.reason,
                 f"{row.probability:.2g}", round(row.bytes / 1000))
                for row in rows
            ],
        )  # fmt: skip


def _selection(
    site: str | None, camera: str | None, since: datetime | None, until: datetime | None,
    reason: str | None, crop: str | None, limit: int | None,
) -> "Selection":  # fmt: skip
    from edge.contract.frames import Reason
    from fleet.errors import PlanError
    from fleet.frames.dataset import Selection

    known = [each.value for each in Reason]
    if reason is not None and reason not in known:
        raise PlanError(f"--reason {reason} is none; a frame is kept as {', '.join(known)}")
    return Selection(site, camera, _in_utc(since), _in_utc(until), reason, crop, limit)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=timezone.utc)
