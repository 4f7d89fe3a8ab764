"""``canopy-export``: from a checkpoint to a model package.

Exit codes: 0 done; 2 the checkpoint, a key or the command line; 3 a picture; 4 the package; 7 refused: by the parity
gate, by a target's table, or by a signature.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich import print as show
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.archive import pack, unpack
from edge.backends import Backend
from edge.contract.comparison import BENCHMARK, DRIFTED, SITE, shown_metrics
from edge.contract.manifest import MANIFEST_FILE, Lineage, Precision
from edge.errors import CanopyError, ConfigError
from edge.package import ModelPackage
from edge.settings import EngineSettings
from export.backends import runnable
from export.compat import OLDEST_TARGET, TARGETS, check, read_graph
from export.contest import comparable, contest, labelled
from export.describe import describe, differences
from export.engine import LIBRARIES, build_engine, torch_engine
from export.evidence import photographed_evidence, photographs, rendered_evidence, rendered_scenes
from export.golden import check_golden
from export.package import build_package
from export.parity import ParityRefused, Yardstick
from export.requantize import requantize
from export.signature import check_signature, make_key, sign
from export.to_onnx import OUTPUTS, to_float_graph, with_border
from training.args import DataSettings
from training.checkpoint import load_network
from training.evaluate import torch_look
from training.pool import Examples
from training.reference import LEAST_PICTURES, read_pictures
from training.report import measure
from training.run import RECORD_FILE, RunRecord
from training.spec import ModelSpec

app = typer.Typer(
    no_args_is_help=True, help="Turn a trained network into a model package.", pretty_exceptions_enable=False
)

Checkpoint = Annotated[Path, typer.Argument(help="A network.safetensors that canopy-train fit wrote, or a package.")]
SizePx = Annotated[int, typer.Option(min=64, max=4096, help="Side of the input, a multiple of 32.")]
TopK = Annotated[int, typer.Option(min=1, max=4096, help="Most peaks that the graph can give.")]
HeldBack = Annotated[int, typer.Option(min=1, help="Rendered scenes to measure on, without --data.")]
Data = Annotated[
    Path | None, typer.Option(help="Labelled photographs, split as in training: those held back are measured on.")
]


class Kind(str, Enum):
    """What a package can hold."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8_TRT = "int8.trt"
    INT8_CPU = "int8.cpu"


ALL = (Kind.INT8_CPU, Kind.INT8_TRT, Kind.FP16, Kind.FP32)


@contextmanager
def _errors_end_with_their_code() -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    try:
        yield
    except CanopyError as error:
        typer.secho(f"canopy-export: {error}", fg="red", err=True)
        raise typer.Exit(error.exit_code) from error


@app.command("onnx")
def write_onnx(checkpoint: Checkpoint, out: Path, size_px: SizePx = 512, top_k: TopK = 512) -> None:
    """Write the float graph behind the device's interface."""
    with _errors_end_with_their_code():
        onnx.save(with_border(to_float_graph(load_network(checkpoint), size_px, size_px, top_k)), out)


@app.command()
def compat(
    files: Annotated[list[Path], typer.Argument(help="ONNX files.")],
    target: Annotated[str, typer.Option(help=f"One of {', '.join(TARGETS)}.")] = OLDEST_TARGET,
) -> None:
    """Say what a target would refuse of a graph, before anybody waits for a build on the device."""
    with _errors_end_with_their_code():
        for file in files:
            fallbacks = check(read_graph(file), target, str(file))
            show(f"{file}: nothing that {target} would refuse")
            for line in fallbacks:
                show(f"  falls back to the GPU: {line}")


@app.command()
def engine(
    source: Annotated[Path, typer.Argument(help="A model package, or an ONNX file.")],
    precision: Annotated[Kind, typer.Option(help="Which file of a package.")] = Kind.FP16,
    library: Annotated[str, typer.Option(help=f"What builds: {' or '.join(LIBRARIES)}.")] = "tensorrt",
    folder: Annotated[Path | None, typer.Option(help="The cache of engines; ~/.cache/canopy/engines.")] = None,
    workspace_mib: Annotated[int, typer.Option(min=1, help="The most that a layer may use for speed.")] = 512,
    by_torch: Annotated[bool, typer.Option("--torch", help="Build a package's network by torch-tensorrt.")] = False,
) -> None:
    """Build an engine for the GPU of this machine, and for no other; devices build their own."""
    with _errors_end_with_their_code():
        if library not in LIBRARIES:
            raise ConfigError(f"--library {library} is none of {', '.join(LIBRARIES)}")
        settings = EngineSettings(folder=folder, workspace_bytes=workspace_mib * 2**20)
        if by_torch:
            built = torch_engine(source, settings, _tell)
        else:
            built = build_engine(source, precision.value, settings, library, _tell)
        took = f"{built.sidecar.build_s:.0f} s, at most {built.sidecar.peak_rss_bytes >> 20} MiB"
        show(f"{built.folder}: {built.sidecar.plan_bytes:,} bytes, built in {took}")


def _tell(share: float, doing: str) -> None:
    typer.echo(f"{share:4.0%} {doing}", err=True)


@app.command()
def package(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Argument(help="Folder of the package; replaced if it is there.")],
    version: Annotated[str, typer.Option(help="Version of the model, like 1.2.0.")],
    precision: Annotated[
        list[Kind] | None, typer.Option(help="Files to ship, the device's own first; all four.")
    ] = None,
    size_px: SizePx = 512,
    top_k: TopK = 512,
    calibration: Annotated[int, typer.Option(min=LEAST_PICTURES, help="Pictures to calibrate INT8 on.")] = 64,
    held_back: HeldBack = 100,
    data: Data = None,
    note: Annotated[Path | None, typer.Option(help="Markdown to add to the model card.")] = None,
) -> None:
    """Export, quantise, admit by the parity gate, and seal."""
    with _errors_end_with_their_code():
        network = load_network(checkpoint)
        draft = network.spec.manifest(
            size_px=size_px,
            top_k=top_k,
            features=network.settings.widths[3],
            version=version,
            lineage=_lineage(checkpoint),
        )
        if data:
            evidence = photographed_evidence(data, network.spec, _reading(checkpoint), calibration)
        else:
            evidence = rendered_evidence(network.spec, size_px, calibration, held_back)
        precisions: list[Precision] = [kind.value for kind in precision or ALL]
        text = note.read_text(encoding="utf-8") if note else ""
        sealed = build_package(network, draft, evidence, precisions, out, text)
        Console().print(*describe(sealed), sep="\n")
        for missing in sorted({*precisions} - {*sealed.manifest.models}):
            typer.secho(f"{missing} was refused; {sealed.path / 'MODEL_CARD.md'} says why", fg="yellow", err=True)


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="A float graph that canopy-export onnx wrote.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures to calibrate on: files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the files and a report, quantize.json.")],
    precision: Annotated[list[Kind] | None, typer.Option(help="What to make; both INT8 files and FP16.")] = None,
    leave: Annotated[list[str] | None, typer.Option(help="A layer that stays in float; may be given again.")] = None,
    layers: Annotated[
        bool, typer.Option(help="Also say what INT8 of each layer alone costs: a minute or two.")
    ] = False,
) -> None:
    """Make INT8 and FP16 files of a float graph, and say what each moves; only package admits, by what it measures."""
    with _errors_end_with_their_code():
        kinds: list[Precision] = [kind.value for kind in precision or ALL[:-1]]
        made = requantize(model, read_pictures(_listed(pictures)), out, kinds, leave or [], layers=layers)
        table = Table("file", "bytes", *OUTPUTS, title=f"moved by, on {made.pictures} pictures {made.calibration[:19]}")
        for file in made.files:
            table.add_row(
                f"model.{file.precision}.onnx", f"{file.length_bytes:,}", *map("{:.4f}".format, file.moved.values())
            )
        Console().print(table)
        for cost in made.layers:
            show(f"{cost.cost:8.4f}  {cost.layer}")


@app.command("pack")
def pack_package(
    folder: Annotated[Path, typer.Argument(help="A model package.")],
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    sign_with: Annotated[Path | None, typer.Option(help="Sign it with this key, which keygen made.")] = None,
) -> None:
    """Write a package as one file, the same bytes wherever it is done, and sign it."""
    with _errors_end_with_their_code():
        opened = ModelPackage.open(folder)
        pack(opened, out)
        show(f"{out} {out.stat().st_size:,} bytes, package {opened.digest}")
        if sign_with:
            show(f"{sign(out, sign_with)} vouches for it")


@app.command()
def keygen(
    key: Annotated[Path, typer.Argument(help="The private key to write; its public half goes beside it.")],
) -> None:
    """Make a key to sign packages with; encrypted if CANOPY_SIGNING_PASSWORD is set."""
    with _errors_end_with_their_code():
        public = make_key(key)
        show(
            f"{key} signs: keep it where nobody else reads it. {public} verifies: give it to whoever installs packages"
        )


@app.command("verify-signature")
def verify_signature(
    archive: Annotated[Path, typer.Argument(help="A zip that pack wrote and signed; its .sig lies beside it.")],
    key: Annotated[Path, typer.Option(help="The public key of its maker, .pub.pem.")],
) -> None:
    """See that a package's zip was signed by a key, and has not been changed since."""
    with _errors_end_with_their_code():
        check_signature(archive, key)
        show(f"{archive}: signed by the holder of {key}, unchanged since")


@app.command("unpack")
def unpack_package(
    archive: Annotated[Path, typer.Argument(help="A zip that pack wrote.")],
    folder: Annotated[Path, typer.Argument(help="Where to put the package; replaced if it is there.")],
) -> None:
    """Take a package's zip apart and verify it."""
    with _errors_end_with_their_code():
        show(f"{folder} {unpack(archive, folder).digest}")


@app.command()
def inspect(folder: Annotated[Path, typer.Argument(help="A model package.")]) -> None:
    """Say what a package is: what it counts, what it measured, where it came from, what it weighs."""
    with _errors_end_with_their_code():
        Console().print(*describe(ModelPackage.open(folder)), sep="\n")


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="A model package.")],
    after: Annotated[Path, typer.Argument(help="Another.")],
) -> None:
    """Say what differs between two packages; nothing if they are the same."""
    with _errors_end_with_their_code():
        rows = differences(ModelPackage.open(before), ModelPackage.open(after))
        table = Table("", before.name, after.name)
        for row in rows:
            table.add_row(*row)
        Console().print(table if rows else "the same")


@app.command("compare")
def compare_packages(
    champion: Annotated[Path, typer.Argument(help="The package that devices run.")],
    candidate: Annotated[Path, typer.Argument(help="The package that is to take its place.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write, for canopy-fleet retrain judge.")],
    pictures: Annotated[
        list[str] | None, typer.Option("--slice", help="drifted=DATA or site:NAME=DATA, labelled; may be given again.")
    ] = None,
    benchmark: Annotated[
        Path | None, typer.Option(help="Labelled pictures that never change; without, rendered scenes of fixed seeds.")
    ] = None,
    held_back: HeldBack = 100,
) -> None:
    """Measure two packages on the same labelled pictures, which neither was trained on."""
    with _errors_end_with_their_code():
        ours, theirs = ModelPackage.open(champion), ModelPackage.open(candidate)
        spec, data = comparable(ours, theirs), _reading(candidate)
        size_px = ours.manifest.input.height_px
        frozen = labelled(benchmark, spec, data) if benchmark else rendered_scenes(spec, size_px, held_back)
        slices = {BENCHMARK: frozen}
        slices |= {name: labelled(place, spec, data) for name, place in map(_slice, pictures or [])}
        found = contest(ours, theirs, slices)
        out.write_bytes(found.encode())
        models = (f"{model.name} {model.version}" for model in (found.champion, found.candidate))
        table = Table("slice", "pictures", "", *models)
        for part in found.slices:
            for metric in shown_metrics(part):
                values = (f"{side.get(metric, float('nan')):.3f}" for side in (part.champion, part.candidate))
                table.add_row(part.name, str(part.pictures), metric.replace("_", " "), *values)
        Console().print(table)


def _slice(given: str) -> tuple[str, Path]:
    name, equals, place = given.partition("=")
    if not equals or not (name == DRIFTED or name.startswith(SITE)):
        raise ConfigError(f"--slice {given} is none; say drifted=DATA or site:NAME=DATA")
    return name, Path(place)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A model package.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Hold it against this network, not its own.")] = None,
    held_back: HeldBack = 100,
    data: Data = None,
    report: Annotated[Path | None, typer.Option(help="Folder for each model's worst pictures and figures.")] = None,
) -> None:
    """Hold every file of a package, on every backend of this machine, against the network it was made from.

    Through the device's own decoder, on pictures that nothing was trained or calibrated on; and against the golden
    frames, which have to come out again, each for its own picture only.
    """
    with _errors_end_with_their_code():
        opened = ModelPackage.open(folder)
        spec, size_px = ModelSpec.of(opened.manifest), opened.manifest.input.height_px
        scenes: Examples = rendered_scenes(spec, size_px, held_back)
        if data:
            scenes = photographs(data, spec, _reading(checkpoint or folder))[1]
        network = torch_look(load_network(checkpoint or folder), opened.manifest.top_k)
        yardstick = Yardstick(network, opened.manifest, scenes)
        refusals: list[str] = []
        for runtime, precision, backend in runnable(opened):
            if isinstance(backend, str):
                show(f"[dim]{runtime}: not measured: {escape(backend)}[/]")
                continue
            where = report / f"{precision}-{runtime}" if report else None
            name = f"{precision} on {escape(backend.name)}"
            try:
                show(f"{name}: {_held(opened, precision, backend, yardstick, scenes, where)}")
            except ParityRefused as refusal:
                refusals.append(str(refusal))
                show(f"[red]{name}: refused[/]")
            backend.close()
        if refusals:
            raise ParityRefused("\n".join(refusals))


def _held(
    opened: ModelPackage,
    precision: Precision,
    backend: Backend,
    yardstick: Yardstick,
    scenes: Examples,
    where: Path | None,
) -> str:
    """Hold a backend against the golden frames and the network; pictures and figures go to ``where``."""
    check_golden(opened, backend)
    parity = yardstick.compare(backend.infer)
    if where:
        measure(backend.infer, opened.manifest, scenes, where)
    parity.check(f"model.{precision}.onnx on {backend.name}")
    return "good; apart from the network in " + ", ".join(f"{name} {by:.4f}" for name, by in parity.tensors.items())


def _listed(paths: list[Path]) -> list[Path]:
    """Files, and the pictures in folders."""
    return [
        file
        for path in paths
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if not path.is_dir() or file.suffix.lower() in {".jpg", ".jpeg", ".png"}
    ]


def _reading(checkpoint: Path) -> DataSettings:
    """How the run read its photographs; as anybody would, where it left no record."""
    recorded = (checkpoint.parent / RECORD_FILE).exists()
    return RunRecord.read(checkpoint.parent).settings.data if recorded else DataSettings()


def _lineage(checkpoint: Path) -> Lineage:
    """What the run's record says, or the package that it comes from; nothing but the time where there is neither."""
    now = datetime.now(timezone.utc)
    if (checkpoint / MANIFEST_FILE).exists():
        return ModelPackage.open(checkpoint).manifest.lineage.model_copy(update={"created_at": now})
    if not (checkpoint.parent / RECORD_FILE).exists():
        return Lineage(created_at=now)
    run = RunRecord.read(checkpoint.parent)
    return Lineage(dataset=run.dataset, run_id=run.tracked_as, git_commit=run.git_commit, created_at=now)
