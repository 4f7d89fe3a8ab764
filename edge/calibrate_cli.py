"""``canopy calibrate``: mm for px, true colours, plots, and where a camera stands."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import CalibrationFailed, ConfigError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.calibration.store import CalibrationStore
    from edge.settings import CameraSettings, DeviceSettings

app = typer.Typer(no_args_is_help=True, help="Teach a camera mm, colours, its plots and where it stands.")

Of = Annotated[str, typer.Argument(help="The camera's name in the configuration; - measures and keeps nothing.")]
Pictures = Annotated[
    list[Path] | None, typer.Option("--picture", help="A picture file instead of what the camera shows now.")
]
Overlay = Annotated[Path | None, typer.Option("--overlay", help="Draw what was found into this picture file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what is found and keep nothing.")]
CameraHeight = Annotated[
    float | None, typer.Option(min=1, help="Camera over the board, if lens pictures are not given.")
]
CanopyHeight = Annotated[float, typer.Option(help="Leaves over the board, in mm: sizes hold at that height.")]
CanopyHeightSd = Annotated[float, typer.Option(min=0, help="How much that height varies, one standard deviation.")]

NO_CAMERA = "-"


class Paper(str, Enum):
    """Sheets that boards are drawn for."""

    A4 = "a4"
    A3 = "a3"


class Part(str, Enum):
    """Parts of a calibration."""

    SCALE = "scale"
    COLOUR = "colour"
    PLOTS = "plots"
    REFERENCE = "reference"


OnPaper = Annotated[Paper, typer.Option("--board", help="Which board lies in the picture, by its paper.")]


@app.command("board")
def board(
    output: Annotated[Path, typer.Argument(help="The file to write: .pdf, .svg or .png.")],
    paper: Annotated[Paper, typer.Option("--paper", help="The sheet to print it on.")] = Paper.A4,
) -> None:
    """Draw the board to print. Print at 100 %, glue it to something flat, and hold it against a ruler."""
    with errors_told():
        from edge.calibration.board import BOARDS, as_pdf, as_png, as_svg

        forms = {".pdf": as_pdf, ".svg": as_svg, ".png": as_png}
        if output.suffix.lower() not in forms:
            raise ConfigError(f"{output.name}: a board is drawn as .pdf, .svg or .png; name one of them")
        chosen = BOARDS[paper.value]
        try:
            output.write_bytes(forms[output.suffix.lower()](chosen))
        except OSError as error:
            raise ConfigError(f"cannot write {output}: {error}; name another file") from error
        typer.echo(
            f"{output}: {chosen.columns} x {chosen.rows} squares of {chosen.square_mm:g} mm on {paper.value.upper()}.\n"
            f"Printed at 100 %, its squares are {chosen.width_mm:g} mm wide in all and the ruler under them 100 mm.\n"
            "Measure the width; if it is not that: canopy calibrate scale CAMERA --measured-mm WIDTH"
        )


@app.command("scale")
def scale(
    camera: Of,
    config: ConfigFile = DEFAULT_CONFIG,
    picture: Pictures = None,
    board_paper: OnPaper = Paper.A4,
    measured_mm: Annotated[float | None, typer.Option(min=1, help="Width of the board's squares by a ruler.")] = None,
    measured_sd_mm: Annotated[float, typer.Option(min=0, help="How well that is known.")] = 0.3,
    distance: Annotated[
        tuple[float, float, float, float, float] | None,
        typer.Option(
            "--distance", help="No board: X1 Y1 X2 Y2 in px, and how many mm lie between.", show_default=False
        ),
    ] = None,
    camera_height_mm: CameraHeight = None,
    canopy_height_mm: CanopyHeight = 0.0,
    canopy_height_sd_mm: CanopyHeightSd = 0.0,
    overlay: Overlay = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find mm for px. The first picture shows the board where plants stand; three more, held askew, give the lens."""
    with errors_told():
        from edge.calibration.board import BOARDS
        from edge.calibration.change import put_scale
        from edge.calibration.overlay import with_outline
        from edge.calibration.pictures import write_picture
        from edge.calibration.scale import Heights, find_corners, hull_of, scale_from_board, scale_from_distance
        from edge.calibration.views import scale_view

        pictures, store = _pictures(camera, config, picture)
        size_px = pictures[0].shape[0], pictures[0].shape[1]
        heights = Heights(camera_height_mm, canopy_height_mm, canopy_height_sd_mm)
        hidden = None
        if distance:
            x1, y1, x2, y2, length_mm = distance
            found = scale_from_distance(((x1, y1), (x2, y2)), length_mm, measured_sd_mm, size_px, heights)
        else:
            chosen = BOARDS[board_paper.value]
            width_mm = measured_mm or chosen.width_mm
            if any(each.shape[:2] != size_px for each in pictures):
                raise CalibrationFailed("the pictures have different sizes; take all of them with one camera setting")
            corners = [find_corners(each, chosen.as_printed(width_mm)) for each in pictures]
            found = scale_from_board(corners, size_px, measured_sd_mm / width_mm, heights)
            hidden = hull_of(corners[0], chosen.as_printed(width_mm))
            if overlay:
                write_picture(overlay, with_outline(pictures[0], hidden, corners[0].px))
        if store and not dry_run:
            put_scale(store, found, pictures[0], hidden)
        show(found.model_dump(mode="json"), as_json, lambda: scale_view(found))


@app.command("colour")
def colour(
    camera: Of,
    config: ConfigFile = DEFAULT_CONFIG,
    picture: Pictures = None,
    overlay: Overlay = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find a card with 24 patches and what corrects its colours. It must help, or nothing is kept."""
    with errors_told():
        from edge.calibration.card import find_card
        from edge.calibration.change import put_colour
        from edge.calibration.correction import find_correction
        from edge.calibration.overlay import with_outline
        from edge.calibration.pictures import write_picture
        from edge.calibration.views import colour_view

        (shown, *_), store = _pictures(camera, config, picture)
        card = find_card(shown)
        if overlay:
            write_picture(overlay, with_outline(shown, card.outline, card.places))
        found = find_correction(card.patches)
        if store and not dry_run and found.left_out >= found.before:
            raise CalibrationFailed(
                f"the card is seen, but its colours come no nearer by a correction: CIEDE2000 {found.before:.1f} "
                f"before, {found.left_out:.1f} after on patches that were left out, {found.patches} of 24 not burnt "
                "out; lock an exposure in which the white patch lies just below 250, and light the card evenly"
            )
        if store and not dry_run:
            put_colour(store, found, shown, card.outline)
        show(found.model_dump(mode="json"), as_json, lambda: colour_view(found))


@app.command("plots")
def plots(
    camera: Of,
    config: ConfigFile = DEFAULT_CONFIG,
    picture: Pictures = None,
    rows: Annotated[
        int | None, typer.Option(min=1, max=100, help="How many there are; absent: as plants tell.")
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, max=100, help="How many there are.")] = None,
    overlay: Overlay = None,
    apply: Annotated[bool, typer.Option("--apply", help="Look at these plots from now on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose plots from the plants that the model finds: a map, YAML to paste, or --apply."""
    with errors_told():
        from edge.calibration.change import put_plots
        from edge.calibration.overlay import with_plots
        from edge.calibration.pictures import write_picture
        from edge.calibration.plants import find_plants
        from edge.calibration.pots import propose
        from edge.calibration.views import plots_view
        from edge.model import LoadedModel
        from edge.update.inventory import find

        settings = read_settings(config)
        (shown, *_), store = _pictures(camera, config, picture)
        if apply and _camera(settings, camera).plots:
            raise ConfigError(
                f"the configuration draws the plots of camera {camera}, and comes first; remove its plots there, or "
                "paste the proposed ones over them"
            )
        model = LoadedModel.load(find(settings, "").path, settings.inference)
        proposal = propose(find_plants(shown, model), (shown.shape[0], shown.shape[1]), rows, columns)
        model.backend.close()
        if overlay:
            write_picture(overlay, with_plots(shown, proposal))
        if apply and store:
            put_plots(store, proposal.plots, shown)
        show(proposal.plots.model_dump(mode="json"), as_json, lambda: plots_view(proposal, applied=apply))


@app.command("reference")
def reference(camera: Of, config: ConfigFile = DEFAULT_CONFIG, picture: Pictures = None) -> None:
    """Say that the camera stands where it should: later pictures are held against this one."""
    with errors_told():
        from edge.calibration.change import put_reference

        (shown, *_), store = _pictures(camera, config, picture)
        if store is None:
            raise ConfigError("name a camera: a reference without one is held against nothing")
        put_reference(store, shown)
        typer.echo(f"camera {camera}: where it stands now is where it should")


@app.command("show")
def show_calibration(
    camera: Annotated[str | None, typer.Argument(help="One camera; absent: all.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show what is known of each camera, and how surely."""
    with errors_told():
        from edge.calibration.views import calibrations_view

        settings = read_settings(config)
        names = [_camera(settings, camera).name] if camera else [each.name for each in settings.cameras]
        stores = [_store(settings, name) for name in names]
        found = [store.read() for store in stores]
        document = [
            {"digest": None if each.empty else each.digest, **each.model_dump(mode="json"), "kept": store.all()}
            for each, store in zip(found, stores, strict=True)
        ]
        show(document, as_json, lambda: calibrations_view(found, [len(store.all()) for store in stores]))


@app.command("remove")
def remove(
    camera: Of,
    part: Annotated[Part | None, typer.Option("--part", help="Of it only; absent: everything.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Measure uncalibrated again. What was in force is kept and can be taken back."""
    with errors_told():
        from edge.calibration.change import drop

        settings = read_settings(config)
        store = _store(settings, _camera(settings, camera).name)
        before = store.read()
        if before.empty:
            raise CalibrationFailed(f"camera {camera} is not calibrated, so nothing is removed")
        drop(store, part.value if part else None)
        kept = "" if before.empty else f"; back with: canopy calibrate use {camera} {before.digest[7:19]}"
        typer.echo(f"camera {camera}: {part.value if part else 'its calibration'} is removed{kept}")


@app.command("use")
def use(
    camera: Of,
    digest: Annotated[str, typer.Argument(help="Of a kept calibration, or how it begins.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Put a calibration that was in force in force again."""
    with errors_told():
        settings = read_settings(config)
        store = _store(settings, _camera(settings, camera).name)
        matching = [
            each for each in store.all() if each.removeprefix("sha256:").startswith(digest.removeprefix("sha256:"))
        ]
        if len(matching) != 1:
            raise ConfigError(f"{len(matching)} kept calibrations of {camera} begin with {digest}; see calibrate show")
        store.write(store.kept(matching[0]))
        typer.echo(f"camera {camera}: {matching[0]} is in force")


def _pictures(camera: str, config: Path, paths: list[Path] | None) -> "tuple[list[Any], CalibrationStore | None]":
    """The pictures to look at, uint8 [h, w, 3] each, and where what is found is kept."""
    from edge.calibration.pictures import read_picture, take_picture

    if camera == NO_CAMERA:
        if not paths:
            raise ConfigError("without a camera, name a picture with --picture")
        return [read_picture(path) for path in paths], None
    settings = read_settings(config)
    found = _camera(settings, camera)
    return [read_picture(path) for path in paths] if paths else [take_picture(found)], _store(settings, camera)


def _camera(settings: "DeviceSettings", name: str) -> "CameraSettings":
    for camera in settings.cameras:
        if camera.name == name:
            return camera
    names = ", ".join(camera.name for camera in settings.cameras)
    raise ConfigError(f"there is no camera {name} in the configuration; it has {names}")


def _store(settings: "DeviceSettings", camera: str) -> "CalibrationStore":
    from edge.calibration.store import CalibrationStore

    return CalibrationStore(settings.state_dir, camera)
