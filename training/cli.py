"""``canopy-train``: render scenes, check photographs, fit a network to both, measure it, look at what it sees.

Exit codes: 0 done; 2 the configuration, the data or a checkpoint; 3 a picture; 4 a package.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from edge.backends import open_backend
from edge.contract.reference import REFERENCE_FILE
from edge.errors import CanopyError, ConfigError
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from training.args import DataSettings, FitSettings, load_settings
from training.checkpoint import CHECKPOINT_FILE, load_network
from training.data import Source
from training.datasets import DatasetInvalid, open_dataset
from training.datasets.photographs import Photographs
from training.datasets.split import share_a_place, split
from training.datasets.validate import Level, problems
from training.network import Network
from training.pool import DIGEST_FILE, Examples, Pool

app = typer.Typer(
    no_args_is_help=True, help="Train the network on rendered scenes and photographs.", pretty_exceptions_enable=False
)

_CONSOLE = Console(highlight=False, soft_wrap=True)

CONFIGS = Path("configs/training")
RUNS = Path("runs")
SCENES, HELD_BACK = "scenes", "held-back"
SHOWN_PROBLEMS = 20

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The run's YAML file; rosette.yaml, or finetune.yaml with --init."),
]
Run = Annotated[Path | None, typer.Option("--run", "-r", help="Folder of the run; runs/ and the configuration's name.")]
Data = Annotated[Path, typer.Argument(help="A COCO file, or a folder with one, or with images/ and masks/.")]
Checkpoint = Annotated[Path, typer.Argument(help=f"A {CHECKPOINT_FILE} that fit wrote, or a model package.")]
Init = Annotated[Path | None, typer.Option(help="Begin from this checkpoint or model package.")]
SizePx = Annotated[int, typer.Option(min=64, max=4096, help="Side of the network's input, a multiple of 32.")]
TopK = Annotated[int, typer.Option(min=1, max=4096, help="Most peaks that the graph can give.")]


@contextmanager
def _errors_end_with_their_code() -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    try:
        yield
    except CanopyError as error:
        typer.secho(f"canopy-train: {error}", fg="red", err=True)
        raise typer.Exit(error.exit_code) from error


def _config(given: Path | None, start: Network | None = None) -> tuple[Path, FitSettings]:
    path = given or CONFIGS / ("finetune.yaml" if start else "rosette.yaml")
    return path, load_settings(path, start)


@app.command()
def render(run: Run = None, config: ConfigFile = None, init: Init = None) -> None:
    """Render the scenes of a run: those to train on, and those held back."""
    from training.render import render_pool  # noqa: PLC0415

    with _errors_end_with_their_code():
        path, settings = _config(config, load_network(init) if init else None)
        scenes = settings.scenes
        if scenes is None:
            raise ConfigError(f"{path} has no scenes to render; add a scenes section")
        for name, count, seed in (
            (SCENES, scenes.count, scenes.seed),
            (HELD_BACK, scenes.held_back, scenes.held_back_seed),
        ):
            folder = (run or RUNS / path.stem) / name
            steps = render_pool(folder, scenes.renderer, count, seed, scenes.size_px, os.cpu_count() or 1)
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
def validate(data: Data, config: ConfigFile = None, init: Init = None) -> None:
    """Say what is wrong with labelled photographs and how they are split, before a run spends hours on them."""
    with _errors_end_with_their_code():
        _, settings = _config(config, load_network(init) if init else None)
        train, held_back = _photographs(data, settings)
        _show_dataset(train, held_back)
        _check(train, held_back, settings.data)


@app.command()
def fit(
    run: Run = None,
    config: ConfigFile = None,
    data: Annotated[Path | None, typer.Option(help="Labelled photographs to train on.")] = None,
    init: Init = None,
    tracking: Annotated[str, typer.Option(help="Where MLflow keeps the run; 'none' for nowhere.")] = "",
) -> None:
    """Train on a run's rendered scenes, on labelled photographs, or on both; goes on with a run that was interrupted.

    Without --tracking, MLflow writes to mlflow.db beside the run's folder: mlflow ui --backend-store-uri sqlite:///….
    """
    from training.loop import fit as fit_network  # noqa: PLC0415  Lightning takes seconds to load

    with _errors_end_with_their_code():
        start = load_network(init) if init else None
        path, settings = _config(config, start)
        folder = run or RUNS / path.stem
        sources, held_back = _sources(settings, folder, data)
        folder.mkdir(parents=True, exist_ok=True)
        store = tracking or f"sqlite:///{(folder.parent / 'mlflow.db').resolve()}"
        fit_network(settings, sources, held_back, folder, start, None if store == "none" else store)
        _CONSOLE.print(f"{folder / CHECKPOINT_FILE} is the network; measure it with canopy-train evaluate")


@app.command()
def evaluate(
    checkpoint: Checkpoint,
    labelled: Annotated[
        Path, typer.Argument(help="Rendered scenes or labelled photographs that training did not see.")
    ],
    config: ConfigFile = None,
    held_back: Annotated[bool, typer.Option(help="Of photographs, only those that the split holds back.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for report.html, report.json and pictures.")] = None,
    size_px: SizePx = 512,
    top_k: TopK = 512,
) -> None:
    """Measure a network on labelled pictures, through the device's own decoder; worst pictures first in the report."""
    from training.evaluate import draft_manifest, torch_look  # noqa: PLC0415
    from training.report import measure  # noqa: PLC0415

    with _errors_end_with_their_code():
        network = load_network(checkpoint)
        if (labelled / DIGEST_FILE).exists():
            examples: Examples = Pool.open(labelled, network.spec)
        else:
            _, settings = _config(config, network)
            dataset = open_dataset(labelled)
            part = split(dataset, settings.data)[1] if held_back else dataset
            examples = Photographs(part, network.spec, settings.data.things)
        manifest = draft_manifest(network, size_px, top_k)
        measured = measure(torch_look(network, top_k), manifest, examples, report)
        table = Table("metric", "value")
        for name, value in measured.metrics().items():
            table.add_row(name.replace("_", " "), f"{value:.4f}")
        _CONSOLE.print(table)
        if report:
            _CONSOLE.print(f"{report / 'report.html'} shows the pictures, the worst first")


@app.command()
def predict(
    checkpoint: Checkpoint,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, JPEG or PNG.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures with what was found drawn in.")],
    size_px: SizePx = 512,
) -> None:
    """Draw plants, leaves, fruit and centres into pictures."""
    from training.predict import predict_pictures  # noqa: PLC0415

    with _errors_end_with_their_code():
        for line in predict_pictures(load_network(checkpoint), pictures, out, size_px):
            _CONSOLE.print(escape(line))


@app.command()
def reference(
    package: Annotated[Path, typer.Argument(help="A model package.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures on which it does well, JPEG or PNG.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path(REFERENCE_FILE),
) -> None:
    """Record what a package's pictures and answers look like when all is well: what drift is measured from."""
    from training.reference import make_reference, read_pictures  # noqa: PLC0415

    with _errors_end_with_their_code():
        opened = ModelPackage.open(package)
        backend = open_backend(opened, InferenceSettings(package=package, precision="int8.cpu"))
        made = make_reference(opened, "int8.cpu", backend, read_pictures(track(pictures, "looking")))
        out.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
        _CONSOLE.print(f"{out}: {len(made.statistics)} statistics of {made.pictures} pictures")


@app.command("count-errors")
def count_errors(
    package: Annotated[Path, typer.Argument(help="A model package with a reference; it is changed.")],
    data: Annotated[Path | None, typer.Option(help="Labelled pictures of your own; rendered ones by default.")] = None,
) -> None:
    """Measure how far counts are off by how sure the model is, so that devices can estimate it without any truth."""
    from training.count_errors import add_to, labelled, measure, reference_of, rendered  # noqa: PLC0415

    with _errors_end_with_their_code():
        opened = ModelPackage.open(package)
        reference_of(opened)  # refused before minutes of looking
        backend = open_backend(opened, InferenceSettings(package=package))
        own = Photographs(open_dataset(data), load_network(package).spec) if data else None
        known = labelled(own, opened.manifest) if own else rendered(opened.manifest)
        measured = measure(opened, backend, track(known, "looking", total=len(own) if own else None))
        for thing in opened.manifest.things:
            told = measured.get(thing.name)
            says = f"{told.pictures} looks" if told else "its scores tell nothing of its error: no estimate"
            _CONSOLE.print(f"{thing.name}: {says}")
        _CONSOLE.print(f"{package} is {add_to(opened, measured).digest} now")


def _photographs(data: Path, settings: FitSettings) -> tuple[Photographs, Photographs]:
    spec, names = settings.model, settings.data.things
    whole = Photographs(open_dataset(data), spec, names)  # refuses what no split could mend
    train, held_back = split(whole.dataset, settings.data)
    return Photographs(train, spec, names), Photographs(held_back, spec, names)


def _sources(settings: FitSettings, folder: Path, data: Path | None) -> tuple[list[Source], dict[str, Examples]]:
    """What to train on, and what to measure on: photographs, rendered scenes, or both."""
    sources: list[Source] = []
    held_back: dict[str, Examples] = {}
    if data is not None:
        train, held = _photographs(data, settings)
        _show_dataset(train, held)
        _check(train, held, settings.data)
        sources.append(Source("photographs", train, settings.data.share if settings.scenes else 1.0))
        held_back["photographs"] = held
    if settings.scenes or not sources:
        share = 1 - settings.data.share if sources else 1.0
        sources.append(Source(SCENES, Pool.open(folder / SCENES, settings.model), share))
        held_back[SCENES] = Pool.open(folder / HELD_BACK, settings.model)
    return sources, held_back


def _show_dataset(train: Photographs, held_back: Photographs) -> None:
    table = Table("", "pictures", *train.dataset.categories, title=escape(str(train.dataset.source)))
    for name, part in (("to train on", train), ("held back", held_back)):
        marked = [annotation.category for picture in part.dataset.pictures for annotation in picture.annotations]
        table.add_row(name, str(len(part)), *(str(marked.count(category)) for category in part.dataset.categories))
    _CONSOLE.print(table)


def _check(train: Photographs, held_back: Photographs, settings: DataSettings) -> None:
    one_place = share_a_place(train.dataset, held_back.dataset, settings)
    found = list(problems(train, held_back, one_place=one_place))
    errors = [problem for problem in found if problem.level is Level.ERROR]
    for problem in (errors + [problem for problem in found if problem.level is Level.WARNING])[:SHOWN_PROBLEMS]:
        _CONSOLE.print(
            f"[{'red' if problem.level is Level.ERROR else 'yellow'}]{problem.level.value}[/] {escape(problem.line)}"
        )
    if len(found) > SHOWN_PROBLEMS:
        _CONSOLE.print(f"and {len(found) - SHOWN_PROBLEMS} more")
    if errors:
        raise DatasetInvalid(f"{train.dataset.source} has {len(errors)} error(s), see above; mend them first")
    _CONSOLE.print(
        f"{train.dataset.source}: no errors, {len(found)} warning(s), digest {train.dataset.digest} to train on"
    )
