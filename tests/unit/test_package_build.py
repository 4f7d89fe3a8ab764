"""Packages: whole or not at all, opened by the device's own code, admitted only if they measure as the network does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import export.package as build
from edge.contract.manifest import Manifest
from edge.golden import read_golden
from edge.package import ModelPackage
from edge.preprocess import fit as fit_picture
from export.package import Evidence, build_package, open_precision
from export.parity import Parity, ParityRefused
from tests.sim.painted import painted_pool, painted_source, tiny_run
from training.evaluate import draft_manifest
from training.loop import fit
from training.network import Network
from training.quantaware import rounded, unrounded

SIZE_PX = 96
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
    return build_package(network, draft, evidence, ["int8.cpu", "fp16", "int8.trt"], folder)


def test_a_built_package_opens_as_on_a_device(package: ModelPackage) -> None:
    opened = ModelPackage.open(package.path)
    assert opened.digest == package.digest
    assert set(opened.manifest.models) == {"int8.cpu", "fp16", "int8.trt"}
    assert set(opened.manifest.metrics) == {"fp32", "int8.cpu", "fp16", "int8.trt"}
    assert "rosette 0.0.0" in (opened.path / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_every_file_of_a_package_is_vouched_for(package: ModelPackage) -> None:
    there = {path.relative_to(package.path).as_posix() for path in package.path.rglob("*") if path.is_file()}
    assert there == set(package.manifest.files) | {"manifest.json"}


@pytest.mark.parametrize("precision", ["int8.cpu", "fp16", "int8.trt"])
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


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_spoilt_file_is_refused_and_the_old_package_stays(
    monkeypatch, tmp_path: Path, network: Network, draft: Manifest, evidence: Evidence, spoil: Spoil
) -> None:
    def spoilt(graph: onnx.ModelProto, *_: object) -> onnx.ModelProto:
        weights = {node.input[1] for node in graph.graph.node if node.op_type == "Conv"}
        for constant in graph.graph.initializer:
            if constant.name in weights:
                constant.CopyFrom(numpy_helper.from_array(spoil(numpy_helper.to_array(constant)), constant.name))
        return graph

    folder = tmp_path / "rosette"
    folder.mkdir()
    (folder / "old").touch()
    monkeypatch.setattr(build, "convert", spoilt)
    with pytest.raises(ParityRefused, match=r"model\.fp32\.onnx: "):
        build_package(network, draft, evidence, ["fp32"], folder)
    assert [path.name for path in tmp_path.iterdir()] == ["rosette"]
    assert (folder / "old").exists()


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
    ],
)
def test_the_gate_admits_half_a_point_of_iou_and_a_tenth_of_a_count(metric, reference, candidate, admitted) -> None:
    base = {"mean_iou": 0.9, "leaf_count_mae": 0.5, "plant_count_mae": 0.0}
    parity = Parity(base | {metric: reference}, base | {metric: candidate})
    if admitted:
        parity.check("model.onnx")
    else:
        with pytest.raises(ParityRefused, match=metric):
            parity.check("model.onnx")


def test_a_network_agrees_with_itself(network: Network, draft: Manifest, evidence: Evidence) -> None:
    from export.parity import compare
    from training.evaluate import torch_look

    parity = compare(torch_look(network, 32), torch_look(network, 32), draft, evidence.held_back)
    assert parity.reference == parity.candidate
    assert set(parity.tensors) == {"classes", "centers", "offsets", "certainty", "features"}
    assert not any(parity.tensors.values())
    other = Network(SETTINGS.model, SETTINGS.network).eval()
    assert all(compare(torch_look(network, 32), torch_look(other, 32), draft, evidence.held_back).tensors.values())
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
