"""What TensorRT would refuse of a graph: our files, broken ones, and what NVIDIA's own parser says of them."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edge.engine.build import BuildOrder
from edge.engine.process import Limits, run_build
from edge.errors import BuildFailed
from export.compat import TARGETS, Incompatible, _read_table, check, read_graph, troubles
from export.dla import leaves_dla
from export.half import to_fp16
from export.heads import with_one_head
from export.quantize import to_int8
from export.to_onnx import to_float_graph, with_border
from tests.sim.painted import ROSETTE, TINY, painted_pool
from training.network import Network

SIZE_PX, TOP_K = 96, 32
FOR_TENSORRT = ["fp32", "fp16", "int8.trt"]
TARGET = "tensorrt-10.3"

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


@pytest.fixture(scope="module")
def graphs() -> dict[str, onnx.ModelProto]:
    torch.manual_seed(5)
    plain = to_float_graph(Network(ROSETTE.model, TINY).eval(), SIZE_PX, SIZE_PX, TOP_K)
    pictures = painted_pool(4, SIZE_PX).pixels[:, None]
    made = {"fp32": plain, "fp16": to_fp16(plain)}
    made |= {f"int8.{target}": to_int8(with_one_head(plain, pictures), pictures, target) for target in ("trt", "cpu")}
    return {kind: with_border(graph) for kind, graph in made.items()}


@pytest.mark.parametrize("target", ["tensorrt-10.3", "tensorrt-10.15", "tensorrt-11", "dla-orin"])
@pytest.mark.parametrize("kind", FOR_TENSORRT)
def test_what_ships_for_tensorrt_has_nothing_that_it_would_refuse(graphs, kind: str, target: str) -> None:
    assert [trouble for trouble in troubles(graphs[kind], target) if not trouble.falls_back] == []


def test_newer_releases_take_newer_opsets_operators_and_ir_versions(graphs) -> None:
    model = copy.deepcopy(graphs["fp32"])
    model.opset_import[0].version, model.ir_version = 24, 12
    next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = "HannWindow"
    refused = {target: {trouble.why for trouble in troubles(model, target)} for target in TARGETS}
    assert {why.split(",")[0] for why in refused["tensorrt-10.3"]} >= {"opset 24", "IR version 12"}
    assert any("HannWindow" in why for why in refused["tensorrt-10.3"])
    assert refused["tensorrt-10.15"] == refused["tensorrt-11"] == set()


def test_a_dla_runs_the_convolutions_and_leaves_the_peaks_to_the_gpu(graphs) -> None:
    fallbacks = check(graphs["fp16"], "dla-orin", "model.fp16.onnx")
    assert any("no TopK" in line for line in fallbacks)
    assert any("no ArgMax" in line for line in fallbacks)
    assert not any("no Conv" in line or "no Relu" in line for line in fallbacks)


@pytest.mark.parametrize(
    ("operator", "attributes", "named"),
    [
        ("Conv", {"kernel_shape": [33, 3]}, "kernel_shape 33; a DLA takes at most 32"),
        ("Conv", {"strides": [9, 9]}, "strides 9"),
        ("MaxPool", {"kernel_shape": [9, 9]}, "kernel_shape 9; a DLA takes at most 8"),
        ("ConvTranspose", {"pads": [1, 1, 1, 1]}, "pads 1"),
        ("Concat", {"axis": 2}, "axis 2; a DLA takes only 1"),
        ("Erf", {}, "a DLA has no Erf"),
        ("Softmax", {}, "Softmax on INT8"),
    ],
)
def test_each_limit_of_a_dla_is_named(operator: str, attributes: dict[str, object], named: str) -> None:
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    limits = _read_table("dla-orin.yaml")["dla"]
    assert any(named in why for why in leaves_dla(node, limits, {"x": "INT8"}, {}))


@pytest.mark.parametrize(
    ("after", "mode", "fits"), [(32, "linear", True), (40, "linear", False), (80, "linear", False)]
)
def test_a_dla_resizes_by_whole_numbers_that_are_small(after: int, mode: str, fits: bool) -> None:
    node = helper.make_node("Resize", ["x"], ["y"], mode=mode)
    shapes = {"x": (1, 8, 16, 16), "y": (1, 8, after, after)}
    limits = _read_table("dla-orin.yaml")["dla"]
    assert bool(list(leaves_dla(node, limits, {"x": "FP16"}, shapes))) != fits


def test_the_file_for_the_cpu_is_not_one_for_tensorrt(graphs) -> None:
    with pytest.raises(Incompatible, match="UINT8") as refused:
        check(graphs["int8.cpu"], TARGET, "model.int8.cpu.onnx")
    assert "INT32" in str(refused.value)
    assert "zero point" in str(refused.value) or "only INT8" in str(refused.value)


def new_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def new_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 11


def foreign(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def unknown_operator(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = "Bernoulli"


def open_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"


def skewed_zero(model: onnx.ModelProto) -> None:
    name = next(node for node in model.graph.node if node.op_type == "QuantizeLinear").input[2]
    constant = next(constant for constant in model.graph.initializer if constant.name == name)
    constant.CopyFrom(numpy_helper.from_array(np.array(3, np.int8), name))


def cubic(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Resize")
    next(attribute for attribute in node.attribute if attribute.name == "mode").s = b"cubic"


def many_peaks(model: onnx.ModelProto) -> None:
    name = next(node for node in model.graph.node if node.op_type == "TopK").input[1]
    constant = next(constant for constant in model.graph.initializer if constant.name == name)
    constant.CopyFrom(numpy_helper.from_array(np.array([4000]), name))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (new_opset, "opset 21"),
        (new_ir, "IR version 11"),
        (foreign, "com.microsoft"),
        (unknown_operator, "Bernoulli"),
        (open_shape, "not fixed"),
        (skewed_zero, "zero point is not 0"),
        (cubic, "cubic"),
        (many_peaks, "3839"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_thing_that_would_fail_is_named(graphs, spoil: Callable[[onnx.ModelProto], None], named: str) -> None:
    model = copy.deepcopy(graphs["int8.trt"])
    spoil(model)
    assert any(named in trouble.why for trouble in troubles(model, TARGET))


def test_a_target_that_is_not_known_is_refused(graphs) -> None:
    with pytest.raises(Incompatible, match=r"tensorrt-10\.3, tensorrt-10\.15, tensorrt-11, dla-orin"):
        troubles(graphs["fp32"], "tensorrt-3")


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, graphs) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"\x08garbage")
    with pytest.raises(Incompatible, match=r"garbage\.onnx is no ONNX graph"):
        read_graph(tmp_path / "garbage.onnx")
    split = copy.deepcopy(graphs["fp32"])  # saving it so changes it
    onnx.save(split, tmp_path / "split.onnx", save_as_external_data=True, location="w", size_threshold=0)
    with pytest.raises(Incompatible, match="in another file"):
        read_graph(tmp_path / "split.onnx")
    with (tmp_path / "huge.onnx").open("wb") as huge:
        huge.truncate(2**31)
    with pytest.raises(Incompatible, match="at most 2147483647"):
        read_graph(tmp_path / "huge.onnx")
    onnx.save(graphs["fp32"], tmp_path / "whole.onnx")
    assert read_graph(tmp_path / "whole.onnx").graph.node


def build(model: onnx.ModelProto, folder: Path) -> int:
    """Our own builder with TensorRT-RTX, NVIDIA's library for PCs, which parses and builds without a GPU."""
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    onnx.save(model, folder / "model.onnx")
    order = BuildOrder(
        onnx=folder / "model.onnx",
        plan=folder / "engine.plan",
        timing=folder / "timing",
        new_timing=folder / "new_timing",
        library="tensorrt_rtx_bindings",
        workspace_bytes=2**28,
    )
    run_build(order, Limits(4 * 2**30, 60), None, lambda share, doing: None)
    return order.plan.stat().st_size


@pytest.mark.parametrize("kind", FOR_TENSORRT)
def test_nvidias_builder_builds_what_ships_for_tensorrt(graphs, kind: str, tmp_path: Path) -> None:
    assert build(graphs[kind], tmp_path) > 10_000


def test_nvidias_parser_refuses_the_file_for_the_cpu_for_the_reason_that_we_name(graphs, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="UInt8"):
        build(graphs["int8.cpu"], tmp_path)
    assert TensorProto.UINT8 in {value.type.tensor_type.elem_type for value in graphs["int8.cpu"].graph.input}
