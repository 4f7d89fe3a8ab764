"""``canopy-train``: render scenes, fit a network to them, measure it, look at what it sees.

Exit codes: 0 done; 2 the configuration, the scenes or a checkpoint; 3 a picture.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show
from rich.progress import track

from edge.errors import CanopyError
from training.args import FitSettings, load_settings
from training.checkpoint import load_network
from training.pool import Pool

app = typer.Typer(no_args_is_help=True, help="Train the network on rendered scenes.", pretty_exceptions_enable=False)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The run's YAML file.")]
Run = Annotated[Path, typer.Option("--run", "-r", help="Folder of the run: scenes, checkpoint, metrics.")]
Checkpoint = Annotated[Path, typer.Argument(help="A network.pt that fit wrote.")]
DEFAULT_CONFIG = Path("configs/training/rosette.yaml")
SCENES, HELD_BACK = "scenes", "held-back"


@contextmanager
def _errors_end_with_their_code() -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    try:
        yield
    except CanopyError as error:
        typer.secho(f"canopy-train: {error}", fg="red", err=True)
        raise typer.Exit(error.exit_code) from error


@app.command()
def render(run: Run, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Render the scenes of a run: those to train on, and those held back."""
    from training.render import render_pool  # noqa: PLC0415

    with _errors_end_with_their_code():
        scenes = load_settings(config).scenes
        for name, count, seed in (
            (SCENES, scenes.count, scenes.seed),
            (HELD_BACK, scenes.held_back, scenes.held_back_seed),
        ):
            steps = render_pool(run / name, count, seed, scenes.size_px, os.cpu_count() or 1)
            for _ in track(steps, name, total=count):
                pass


@app.command()
def timelapse(
    out: Annotated[Path, typer.Argument(help="The MP4 to write; its ground truth goes beside it.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another tray.")] = 3,
    days: Annotated[float, typer.Option(min=0.1, max=60, help="How long it grows.")] = 15,
    step_h: Annotated[float, typer.Option(min=0.05, max=24, help="Hours between pictures.")] = 3,
) -> None:
    """Render a tray of 15 pots that grows, day and night, as a video."""
    from training.clip import write_clip  # noqa: PLC0415
    from training.synthetic import Tray  # noqa: PLC0415

    with _errors_end_with_their_code():
        for _ in track(write_clip(out, seed, Tray(), days, step_h), out.name, total=round(days * 24 / step_h)):
            pass


@app.command()
def fit(
    run: Run,
    config: ConfigFile = DEFAULT_CONFIG,
    start: Annotated[Path | None, typer.Option(help="Begin from this network.pt instead of from nothing.")] = None,
) -> None:
    """Train on a run's scenes; render them first."""
    from training.loop import fit as fit_network  # noqa: PLC0415  Lightning takes seconds to load

    with _errors_end_with_their_code():
        settings: FitSettings = load_settings(config)
        begun = load_network(start) if start else None
        fit_network(settings, Pool.open(run / SCENES), Pool.open(run / HELD_BACK), run, begun)


@app.command()
def evaluate(
    checkpoint: Checkpoint,
    scenes: Annotated[Path, typer.Argument(help="A folder of rendered scenes that training did not see.")],
    top_k: Annotated[int, typer.Option(min=1, max=4096, help="Most peaks that the graph can give.")] = 512,
) -> None:
    """Measure a network on labelled scenes, through the device's own decoder."""
    from training.evaluate import evaluate as measure  # noqa: PLC0415

    with _errors_end_with_their_code():
        show(measure(load_network(checkpoint), Pool.open(scenes), top_k).metrics())


@app.command()
def predict(
    checkpoint: Checkpoint,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, JPEG or PNG.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures with what was found drawn in.")],
    size_px: Annotated[int, typer.Option(min=64, max=4096, help="Side of the input, a multiple of 32.")] = 512,
) -> None:
    """Draw plants, leaves and centres into pictures."""
    from training.predict import predict_pictures  # noqa: PLC0415

    with _errors_end_with_their_code():
        for line in predict_pictures(load_network(checkpoint), pictures, out, size_px):
            show(line)
