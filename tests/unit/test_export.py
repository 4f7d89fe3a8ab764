"""Exported graphs: the interface of the contract, the versions that devices read, and INT8 that is INT8."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from edge.backends import graph_inputs, graph_outputs
from edge.contract.manifest import Manifest
from export.half import to_fp16
from export.heads import MERGED, with_one_head
from export.quantize import to_int8
from export.sensitivity import answers
from export.stem import gathered_kernel
from export.to_onnx import IR_VERSION, OPSET, to_float_graph, with_border
from tests.sim.painted import ROSETTE, TINY, painted_pool
from training.data import scaled
from training.evaluate import draft_manifest
from training.graph import Graph
from training.network import Network

SIZE_PX, TOP_K = 96, 32
KINDS = ["fp32", "fp16", "int8.cpu", "int8.trt"]

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(5)
    network = Network(ROSETTE.model, TINY)
    torch.nn.init.normal_(network.heat.weight, 0, 0.5)
    return network.eval()


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return draft_manifest(Network(ROSETTE.model, TINY), SIZE_PX, TOP_K)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return painted_pool(4, SIZE_PX).pixels[:, None]


@pytest.fixture(scope="module")
def plain(network: Network) -> onnx.ModelProto:
    return to_float_graph(network, SIZE_PX, SIZE_PX, TOP_K)


@pytest.fixture(scope="module")
def graphs(plain: onnx.ModelProto, images: np.ndarray) -> dict[str, onnx.ModelProto]:
    made = {"fp32": plain, "fp16": to_fp16(plain)}
    merged = with_one_head(plain, images)
    made |= {"int8.cpu": to_int8(merged, images, "cpu"), "int8.trt": to_int8(merged, images, "trt")}
    return {kind: with_border(graph) for kind, graph in made.items()}


def session(graph: onnx.ModelProto, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(graph: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    opened = session(graph)
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, opened.run(names, {"image": image}), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_interface_is_that_of_the_contract(graphs, manifest: Manifest, images, kind: str) -> None:
    opened = session(graphs[kind])
    assert {node.name: tuple(node.shape) for node in opened.get_inputs()} == {
        name: shape for name, (_, shape) in graph_inputs(manifest).items()
    }
    given = {name: (value.dtype, value.shape) for name, value in run(graphs[kind], images[0]).items()}
    assert given == {name: (np.dtype(dtype), shape) for name, (dtype, shape) in graph_outputs(manifest).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_versions_are_those_that_every_device_reads(graphs, kind: str) -> None:
    assert graphs[kind].ir_version == IR_VERSION == 10
    assert [(entry.domain, entry.version) for entry in graphs[kind].opset_import if entry.domain == ""] == [("", OPSET)]
    assert not any(constant.external_data for constant in graphs[kind].graph.initializer)


@torch.no_grad()
def test_onnx_gives_what_torch_gives(graphs, network: Network, images) -> None:
    expected = Graph(network, TOP_K).eval()(scaled(torch.from_numpy(images[0])))
    for name, tensor in zip(("classes", "centers", "offsets", "certainty", "features"), expected, strict=True):
        np.testing.assert_allclose(run(graphs["fp32"], images[0])[name], tensor.numpy(), atol=2e-4, err_msg=name)


@pytest.mark.parametrize(("kind", "tolerance"), [("fp16", 0.01), ("int8.cpu", 0.1), ("int8.trt", 0.15)])
def test_lower_precision_stays_near(graphs, images, kind: str, tolerance: float) -> None:
    exact, near = run(graphs["fp32"], images[1])["offsets"], run(graphs[kind], images[1])["offsets"]
    assert np.abs(near - exact).mean() < tolerance * np.abs(exact).max()


def test_no_convolution_of_the_int8_graph_runs_in_float(graphs, tmp_path: Path) -> None:
    session(graphs["int8.cpu"], optimized=tmp_path / "optimized.onnx")
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    convolutions = sum(node.op_type == "Conv" for node in graphs["fp32"].graph.node)
    assert kinds["Conv"] == kinds["FusedConv"] == 0
    assert kinds["QLinearConv"] == convolutions - 2  # three heads are one


def test_merged_heads_are_the_same_in_float_and_fill_their_range(plain: onnx.ModelProto, images) -> None:
    merged = with_one_head(plain, images)
    assert sum(node.name == MERGED for node in merged.graph.node) == 1
    for ours, theirs in zip(answers(plain, images), answers(merged, images), strict=True):
        np.testing.assert_array_equal(ours["classes"], theirs["classes"])
        for name in ("centers", "offsets", "certainty"):
            np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, err_msg=name)
    merged.graph.output.append(helper.make_tensor_value_info("heads_unit", onnx.TensorProto.FLOAT, None))
    opened = session(merged)
    floats = [image.transpose(0, 3, 1, 2).astype(np.float32) / 255 for image in images]
    units = np.concatenate([opened.run(["heads_unit"], {"picture": picture})[0] for picture in floats])
    np.testing.assert_allclose(units.max((0, 2, 3)), 1, atol=1e-3)
    np.testing.assert_allclose(units.min((0, 2, 3)), -1, atol=1e-3)


def test_a_graph_with_a_single_head_stays_as_it_is(plain: onnx.ModelProto, images) -> None:
    merged = with_one_head(plain, images)
    assert with_one_head(merged, images).SerializeToString() == merged.SerializeToString()


def test_the_camera_bytes_reach_the_first_int8_convolution_as_they_are(graphs) -> None:
    nodes = list(graphs["int8.cpu"].graph.node)
    assert [node.op_type for node in nodes[:3]] == ["Reshape", "Transpose", "DequantizeLinear"]
    first = next(node for node in nodes if node.op_type == "Conv")
    assert first.input[0] == nodes[2].output[0]


@pytest.mark.parametrize(("size", "stride", "padding"), [(7, 4, 3), (3, 2, 1), (4, 4, 0), (5, 2, 2)])
def test_pixels_gathered_into_channels_give_the_same_sums(size: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    picture = torch.randint(0, 256, (1, 16, 24, 3)).double()
    kernel = torch.randint(-127, 128, (8, 3, size, size)).double()
    plain = torch.nn.functional.conv2d(picture.permute(0, 3, 1, 2), kernel, stride=stride, padding=padding)
    before = -(-padding // stride)
    wide = torch.from_numpy(gathered_kernel(kernel.numpy(), stride, before * stride - padding))
    gathered = picture.reshape(1, 16, 24 // stride, 3 * stride).permute(0, 3, 1, 2)
    padded = torch.nn.functional.pad(gathered, (before, wide.shape[3] - 1 - before, padding, padding))
    assert torch.equal(torch.nn.functional.conv2d(padded, wide, stride=(stride, 1)), plain)


def test_scores_and_peaks_stay_in_float(graphs) -> None:
    makers = {output: node for node in graphs["int8.cpu"].graph.node for output in node.output}
    for node in graphs["int8.cpu"].graph.node:
        if node.op_type in {"Sigmoid", "TopK", "Softmax"}:
            assert not any(
                other.op_type == "QuantizeLinear" and node.output[0] in other.input for other in makers.values()
            )


def test_the_tensorrt_file_is_symmetric_and_its_biases_are_float(graphs) -> None:
    graph = graphs["int8.trt"].graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantizers
    for node in quantizers:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
    for node in graph.node:
        if node.op_type == "Conv":
            assert all(constants[bias].dtype == np.float32 for bias in node.input[2:])


def test_the_file_says_nothing_of_the_machine_it_was_made_on(graphs) -> None:
    for graph in graphs.values():
        assert b"/training/" not in graph.SerializeToString()
        assert b".py" not in graph.SerializeToString()
