"""Packages: whole or not at all, opened by the device's own code, admitted only if they measure as the network does."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from typer.testing import CliRunner

import export.package as build
from edge.backends import Backend
from edge.contract.manifest import Manifest
from edge.golden import read_golden
from edge.package import ModelPackage
from edge.preprocess import fit as fit_picture
from export.cli import app
from export.evidence import photographed_evidence
from export.golden import check_golden
from export.package import Evidence, build_package, content_digest, open_precision
from export.parity import Parity, ParityRefused, Yardstick
from tests.sim.painted import painted_pool, painted_source, tiny_run
from training.args import DataSettings
from training.datasets import DatasetInvalid, open_dataset
from training.datasets.split import split
from training.evaluate import draft_manifest, torch_look
from training.loop import fit
from training.network import Network
from training.quantaware import rounded, unrounded

SIZE_PX = 96
ALL = ["int8.cpu", "int8.trt", "fp16", "fp32"]
SETTINGS = tiny_run(SIZE_PX, steps=150, check_every=150)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make small networks slow wherever else something runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("run")
    return fit(SETTINGS, painted_source(24, SIZE_PX), {"scenes": painted_pool(2, SIZE_PX, seed=1)}, folder)


@pytest.fixture(scope="module")
def draft() -> Manifest:
    return draft_manifest(Network(SETTINGS.model, SETTINGS.network), SIZE_PX, 32)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    calibration = painted_pool(24, SIZE_PX, seed=2).pixels
    return Evidence(calibration, painted_pool(16, SIZE_PX, seed=3), calibration[:2])


@pytest.fixture(scope="module")
def package(tmp_path_factory, network: Network, draft: Manifest, evidence: Evidence) -> ModelPackage:
    folder = tmp_path_factory.mktemp("packages") / "rosette"
    return build_package(network, draft, evidence, ALL, folder)


def test_a_built_package_opens_as_on_a_device(package: ModelPackage) -> None:
    opened = ModelPackage.open(package.path)
    assert opened.digest == package.digest
    assert set(opened.manifest.models) == set(opened.manifest.metrics) == set(ALL)


def test_the_card_tells_what_it_measured_weighs_takes_and_was_calibrated_on(package: ModelPackage) -> None:
    card = (package.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    manifest = package.manifest
    assert "rosette 0.0.0" in card
    for precision, file in manifest.models.items():
        assert f"| {file} | {manifest.files[file].length_bytes:,} |" in card
        assert f"{manifest.metrics[precision]['mean_iou']:.3f}" in card
    assert card.count("for TensorRT |") == 1
    assert "ONNX Runtime" in card
    assert manifest.lineage.calibration
    assert manifest.lineage.calibration in card


def test_the_calibration_digest_is_of_the_pictures_as_they_were_fitted(package: ModelPackage, evidence) -> None:
    fitted = [fit_picture(picture, SIZE_PX, SIZE_PX)[0] for picture in evidence.calibration]
    assert package.manifest.lineage.calibration == content_digest(fitted)
    assert content_digest(fitted[:-1]) != content_digest(fitted) != content_digest(fitted[::-1])


def test_every_file_of_a_package_is_vouched_for(package: ModelPackage) -> None:
    there = {path.relative_to(package.path).as_posix() for path in package.path.rglob("*") if path.is_file()}
    assert there == set(package.manifest.files) | {"manifest.json"}


@pytest.mark.parametrize("precision", ALL)
def test_the_golden_frames_come_out_again(package: ModelPackage, precision) -> None:
    backend = open_precision(package, precision)
    frames = list(read_golden(package))
    assert len(frames) == 2
    for golden in frames:
        assert golden.agrees(backend.infer(fit_picture(golden.picture, SIZE_PX, SIZE_PX)[0]))


def test_a_golden_frame_tells_another_picture_apart(package: ModelPackage) -> None:
    backend = open_precision(package, "int8.cpu")
    first, second = read_golden(package)
    assert not first.agrees(backend.infer(fit_picture(second.picture, SIZE_PX, SIZE_PX)[0]))


Spoil = Callable[[np.ndarray], np.ndarray]
SPOILS: dict[str, Spoil] = {
    "shuffled weights": lambda weights: np.random.default_rng(0).permutation(weights.ravel()).reshape(weights.shape),
    "wrong colour order": lambda weights: weights[:, ::-1].copy() if weights.shape[1] == 3 else weights,
    "wrong scale": lambda weights: weights * 4 if weights.shape[1] == 3 else weights,
}


def spoilt(graph: onnx.ModelProto, spoil: Spoil) -> onnx.ModelProto:
    """Weights, wherever they are: behind a dequantisation in INT8."""
    behind = {node.output[0]: node.input[0] for node in graph.graph.node if node.op_type == "DequantizeLinear"}
    weights = {behind.get(node.input[1], node.input[1]) for node in graph.graph.node if node.op_type == "Conv"}
    for constant in graph.graph.initializer:
        if constant.name in weights:
            constant.CopyFrom(numpy_helper.from_array(spoil(numpy_helper.to_array(constant)), constant.name))
    return graph


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_spoilt_float_file_is_refused_and_the_old_package_stays(
    monkeypatch, tmp_path: Path, network: Network, draft: Manifest, evidence: Evidence, spoil: Spoil
) -> None:
    folder = tmp_path / "rosette"
    folder.mkdir()
    (folder / "old").touch()
    monkeypatch.setattr(build, "convert", lambda graph, *_: spoilt(graph, spoil))
    with pytest.raises(ParityRefused, match=r"model\.fp32\.onnx: "):
        build_package(network, draft, evidence, ["fp32"], folder)
    assert [path.name for path in tmp_path.iterdir()] == ["rosette"]
    assert (folder / "old").exists()


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_verify_refuses_a_spoilt_file_that_its_manifest_vouches_for(package: ModelPackage, tmp_path, spoil) -> None:
    folder = shutil.copytree(package.path, tmp_path / "spoilt")
    graph = onnx.load(folder / "model.fp32.onnx")
    onnx.save(spoilt(graph, spoil), folder / "model.fp32.onnx")
    build._seal(folder, package.manifest)
    refused = CliRunner().invoke(app, ["verify", str(folder), "--held-back", "4"])
    assert refused.exit_code == 7, refused.output
    said = " ".join(refused.output.split())
    assert "fp32 on ONNX Runtime" in said
    assert "fp16 on ONNX Runtime" in said  # and what comes after it is told of all the same


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Labelled pictures as somebody has them on the disk; the last fifth are those that admitted the package."""
    folder = tmp_path / "photographs"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for part, pool in enumerate((painted_pool(64, SIZE_PX, seed=4), painted_pool(16, SIZE_PX, seed=3))):
        for number, (pixels, instances) in enumerate(zip(pool.pixels, pool.instances[:, 1], strict=True)):
            cv2.imwrite(str(folder / "images" / f"{part}-{number:02d}.png"), pixels)
            cv2.imwrite(str(folder / "masks" / f"{part}-{number:02d}.png"), instances)
    return folder


def test_verify_takes_every_file_on_every_backend_of_this_machine(
    package: ModelPackage, photographs: Path, tmp_path: Path
) -> None:
    reports = tmp_path / "reports"
    command = ["verify", str(package.path), "--data", str(photographs), "--report", str(reports)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for precision in ALL:
        assert f"{precision} on ONNX Runtime" in said
        assert (reports / f"{precision}-cpu" / "report.html").exists()
    assert said.count("cuda: not measured: ") == 1 or "CUDAExecutionProvider" in said


def test_a_package_is_made_of_photographs_that_training_held_back_and_calibrated_on_the_others(
    network: Network, draft: Manifest, photographs: Path, tmp_path: Path
) -> None:
    made = photographed_evidence(photographs, network.spec, DataSettings(), 64)
    train, held_back = split(open_dataset(photographs), DataSettings())
    assert (len(made.calibration), len(made.held_back)) == (len(train.pictures), len(held_back.pictures))
    assert (len(made.calibration), len(made.held_back)) == (64, 16)
    assert [picture.shape for picture in made.calibration[:2]] == [(SIZE_PX, SIZE_PX, 3)] * 2
    package = build_package(network, draft, made, ["int8.cpu"], tmp_path / "mine")
    assert package.manifest.metrics["int8.cpu"]["mean_iou"] > 0.9


def test_what_a_package_is_calibrated_on_is_spread_over_all_cameras_and_days(
    network: Network, photographs: Path
) -> None:
    every, some = (
        photographed_evidence(photographs, network.spec, DataSettings(), most).calibration for most in (64, 20)
    )
    places = [next(place for place, each in enumerate(every) if np.array_equal(each, picture)) for picture in some]
    assert places == [place * 64 // 20 for place in range(20)]


def test_too_few_photographs_are_refused_before_anything_is_built(network: Network, photographs: Path) -> None:
    for path in sorted(photographs.rglob("*.png"))[:60]:
        (photographs / "images" / path.name).unlink(missing_ok=True)
        (photographs / "masks" / path.name).unlink(missing_ok=True)
    with pytest.raises(DatasetInvalid, match="a drift reference needs 20"):
        photographed_evidence(photographs, network.spec, DataSettings(), 64)


def test_a_model_that_does_not_look_at_its_picture_is_told_apart(package: ModelPackage) -> None:
    first, _ = read_golden(package)
    always = open_precision(package, "int8.cpu").infer(fit_picture(first.picture, SIZE_PX, SIZE_PX)[0])

    class Blind(Backend):
        name = "blind"

        def infer(self, image):
            return always

        def _run(self, image):
            raise NotImplementedError

    with pytest.raises(ParityRefused):
        check_golden(package, Blind(package.manifest))


def test_an_int8_file_that_the_gate_refuses_is_left_out_and_the_card_says_why(
    monkeypatch, tmp_path: Path, network: Network, draft: Manifest, evidence: Evidence
) -> None:
    def only_int8_is_spoilt(graph: onnx.ModelProto, precision: str, *rest) -> onnx.ModelProto:
        made = convert(graph, precision, *rest)
        return spoilt(made, SPOILS["shuffled weights"]) if precision == "int8.cpu" else made

    convert = build.convert
    monkeypatch.setattr(build, "MAX_LEFT", 0)
    monkeypatch.setattr(build, "convert", only_int8_is_spoilt)
    package = build_package(network, draft, evidence, ["int8.cpu", "fp16"], tmp_path / "rosette")
    assert set(package.manifest.models) == {"fp16"}
    assert not (package.path / "model.int8.cpu.onnx").exists()
    assert "**There is no int8.cpu**: model.int8.cpu.onnx: " in (package.path / "MODEL_CARD.md").read_text("utf-8")
    with pytest.raises(ParityRefused):
        build_package(network, draft, evidence, ["int8.cpu"], tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("metric", "reference", "candidate", "admitted"),
    [
        ("mean_iou", 0.900, 0.896, True),
        ("mean_iou", 0.900, 0.894, False),
        ("mean_iou", 0.900, 0.990, True),
        ("leaf_count_mae", 0.50, 0.59, True),
        ("leaf_count_mae", 0.50, 0.61, False),
        ("plant_count_mae", 0.00, 0.20, False),
        ("mean_iou", 0.900, float("nan"), False),
        ("area_relative_error", 0.05, 0.059, True),
        ("area_relative_error", 0.05, 0.061, False),
    ],
)
def test_the_gate_admits_half_a_point_of_iou_a_tenth_of_a_count_and_a_hundredth_of_the_area(
    metric, reference, candidate, admitted
) -> None:
    base = {"mean_iou": 0.9, "leaf_count_mae": 0.5, "plant_count_mae": 0.0}
    parity = Parity(base | {metric: reference}, base | {metric: candidate})
    if admitted:
        parity.check("model.onnx")
    else:
        with pytest.raises(ParityRefused, match=metric):
            parity.check("model.onnx")


def test_a_file_that_does_not_measure_what_the_network_does_is_refused() -> None:
    with pytest.raises(ParityRefused, match="leaf_count_mae is nan"):
        Parity({"leaf_count_mae": 0.5}, {}).check("model.onnx")
    with pytest.raises(ParityRefused, match="nothing that could be measured"):
        Parity({"symmetric_best_dice": 0.5}, {"symmetric_best_dice": 0.5}).check("model.onnx")


def test_a_network_agrees_with_itself(network: Network, draft: Manifest, evidence: Evidence) -> None:
    yardstick = Yardstick(torch_look(network, 32), draft, evidence.held_back)
    parity = yardstick.compare(torch_look(network, 32))
    assert parity.reference == parity.candidate
    assert set(parity.tensors) == {"classes", "centers", "offsets", "certainty", "features"}
    assert not any(parity.tensors.values())
    other = Network(SETTINGS.model, SETTINGS.network).eval()
    assert all(yardstick.compare(torch_look(other, 32)).tensors.values())
    assert torch.isfinite(torch.tensor(list(parity.reference.values()))).all()


def test_the_layer_that_int8_breaks_stays_in_float_and_the_card_says_so(
    tmp_path: Path, network: Network, draft: Manifest, evidence: Evidence
) -> None:
    uneven = unrounded(rounded(network))
    with torch.no_grad():  # the same function, with one channel that a scale for all of them cannot serve
        channel = int(uneven.stem[1].bias.argmax())
        uneven.stem[0].weight[channel] *= 1000
        uneven.stem[1].bias[channel] *= 1000
        uneven.stages[0][0].conv.weight[:, channel] /= 1000
    package = build_package(uneven, draft, evidence, ["int8.trt"], tmp_path / "uneven")
    graph = onnx.load(package.model("int8.trt")).graph
    makers = {output: node for node in graph.node for output in node.output}
    in_float = [node.name for node in graph.node if node.op_type == "Conv" and makers[node.input[0]].op_type == "Relu"]
    assert 1 <= len(in_float) <= 4
    card = (package.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(name in card for name in in_float)
    assert package.manifest.metrics["int8.trt"]["mean_iou"] > package.manifest.metrics["fp32"]["mean_iou"] - 0.005
