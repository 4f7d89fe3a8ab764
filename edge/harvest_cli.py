"""``canopy harvest``: the frames that this device keeps for training, for its technician."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.harvest.shelf import Shelved

app = typer.Typer(no_args_is_help=True, help="Look at the frames that are kept for training, take or send them.")

OfCamera = Annotated[str | None, typer.Option("--camera", help="Of this camera only.")]
Frame = Annotated[str, typer.Argument(metavar="FRAME", help="A name from the list, or the end of one.")]


@app.command("list")
def list_frames(config: ConfigFile = DEFAULT_CONFIG, camera: OfCamera = None, as_json: AsJson = False) -> None:
    """List the frames, the oldest first: why each was kept, and with which probability."""
    with errors_told():
        from edge.clock import utc_now
        from edge.harvest.shelf import read_lines, shelves

        lines = list(read_lines(_frames(config, camera)))
        show(lines, as_json, lambda: _list_view(lines))
        for shelf in shelves(read_settings(config).state_dir):
            lost = shelf.read_budget(utc_now()).unfiltered
            if lost and camera in {None, shelf.folder.name}:
                typer.echo(
                    f"{shelf.folder.name}: {lost} frames were not kept on the last day: no filtered picture", err=True
                )


@app.command("show")
def show_frame(frame: Frame, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show what is known of a frame, and where it lies."""
    with errors_told():
        shelved = _found(config, frame)
        known = shelved.read()
        document = known.model_dump(mode="json", by_alias=True) if known else {}
        show({**document, "path": str(shelved.path)}, as_json, lambda: _frame_view(document, shelved))


@app.command()
def drop(
    frame: Annotated[str | None, typer.Argument(metavar="[FRAME]", help="A name from the list.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every frame (of --camera).")] = False,
    camera: OfCamera = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Forget a frame, or all of them. What the fleet has, it keeps."""
    with errors_told():
        from edge.errors import ConfigError

        if (frame is None) is not everything:
            raise ConfigError("name one FRAME of canopy harvest list, or --all")
        frames = _frames(config, camera) if frame is None else [_found(config, frame)]
        for each in frames:
            each.drop()
        typer.echo(f"{len(frames)} frames dropped")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Such as a USB stick's.")],
    config: ConfigFile = DEFAULT_CONFIG,
    camera: OfCamera = None,
) -> None:
    """Copy the frames and their descriptions. They stay here, too."""
    with errors_told():
        from edge.disk import flush
        from edge.errors import StoreError

        frames = _frames(config, camera)
        try:
            for each in frames:
                place = folder / each.path.parent.name
                place.mkdir(parents=True, exist_ok=True)
                for source in (each.description, each.path):
                    flush(Path(shutil.copy2(source, place)))
        except OSError as error:
            raise StoreError(
                f"{folder} does not take the frames: {error}; free space there, or name another"
            ) from error
        typer.echo(f"{len(frames)} frames written to {folder}; they are whole on its disk, which may be pulled now")


@app.command()
def upload(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Send the frames to the fleet now, whatever the hour. What the fleet has is forgotten here."""
    with errors_told():
        import threading

        from edge.harvest.shelf import all_frames
        from edge.harvest.upload import send_all
        from edge.settings.harvest import FrameUploadSettings

        settings = read_settings(config)
        sent = send_all(settings.state_dir, settings.frame_upload or FrameUploadSettings(), threading.Event())
        typer.echo(f"{sent} frames sent, {len(all_frames(settings.state_dir))} are here still")


def _frames(config: Path, camera: str | None) -> "list[Shelved]":
    from edge.harvest.shelf import all_frames

    frames = all_frames(read_settings(config).state_dir)
    return [frame for frame in frames if camera in {None, frame.path.parent.name}]


def _found(config: Path, name: str) -> "Shelved":
    from edge.errors import ConfigError

    frames = [frame for frame in _frames(config, None) if frame.path.stem.endswith(name)]
    if len(frames) != 1:
        raise ConfigError(f"{len(frames)} frames have a name that ends with {name!r}; see canopy harvest list")
    return frames[0]


def _list_view(lines: list[dict[str, Any]]) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from edge.views import listing_table

    table = listing_table("frame", "camera", "why", "chance", "labels", "kB")
    for line in lines:
        taken = f"{line['captured_at'][:19].replace('T', ' ')} {line['name'].rsplit('-', 1)[1][:8]}"
        facts = (f"{line['probability']:.2g}", str(line["labels"]), f"{line['image_bytes'] / 1000:,.0f}")
        table.add_row(taken, line["camera"], line["reason"], *facts)
    total_bytes = sum(line["image_bytes"] for line in lines)
    return Group(table, Text(f"{len(lines)} frames, {total_bytes / 1e6:,.1f} MB", "dim"))


def _frame_view(document: dict[str, Any], shelved: "Shelved") -> "RenderableType":
    from collections import Counter

    from edge.views import facts_table

    facts = facts_table()
    facts.add_row("file", str(shelved.path))
    if not document:
        facts.add_row("description", "cannot be read; drop the frame")
        return facts
    facts.add_row("taken", f"{document['captured_at']} by {document['camera']}")
    facts.add_row("kept", f"{document['reason']}, with probability {document['probability']:.3g}")
    size = f"{document['width_px']} x {document['height_px']} px, {document['image_bytes']:,} bytes"
    hidden = (", parts made black" * document["blanked"]) + (", privacy filter" * document["filtered"])
    facts.add_row("picture", size + hidden)
    facts.add_row("model", f"{document['model_name']} {document['model']}")
    found = Counter(label["category"] for label in document["labels"] if not label["crowd"])
    facts.add_row("labels", ", ".join(f"{count} {name}" for name, count in found.items()) or "none")
    for name, value in document["evidence"].items():
        facts.add_row("drift", f"{name}: {value:.3g}")
    return facts
