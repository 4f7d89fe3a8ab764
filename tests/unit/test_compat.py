"""What TensorRT would refuse of a graph: our files, broken ones, and what NVIDIA's own parser says of them."""

import copy
import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.compat import Incompatible, check, read_graph, troubles
from export.half import to_fp16
from export.quantize import to_int8
from export.to_onnx import to_float_graph, with_border
from tests.sim.painted import ROSETTE, TINY, painted_pool
from training.network import Network

SIZE_PX, TOP_K = 96, 32
FOR_TENSORRT = ["fp32", "fp16", "int8.trt"]
TARGET = "tensorrt-10"

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


@pytest.fixture(scope="module")
def graphs() -> dict[str, onnx.ModelProto]:
    torch.manual_seed(5)
    plain = to_float_graph(Network(ROSETTE.model, TINY).eval(), SIZE_PX, SIZE_PX, TOP_K)
    pictures = painted_pool(4, SIZE_PX).pixels[:, None]
    made = {"fp32": plain, "fp16": to_fp16(plain)}
    made |= {f"int8.{target}": to_int8(plain, pictures, target) for target in ("trt", "cpu")}
    return {kind: with_border(graph) for kind, graph in made.items()}


@pytest.mark.parametrize("kind", FOR_TENSORRT)
def test_what_ships_for_tensorrt_has_nothing_that_it_would_refuse(graphs, kind: str) -> None:
    assert troubles(graphs[kind], TARGET) == []


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
    with pytest.raises(Incompatible, match="tensorrt-10"):
        troubles(graphs["fp32"], "tensorrt-3")


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, graphs) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"\x08garbage")
    with pytest.raises(Incompatible, match=r"garbage\.onnx is no ONNX graph"):
        read_graph(tmp_path / "garbage.onnx")
    split = copy.deepcopy(graphs["fp32"])  # saving it so changes it
    onnx.save(split, tmp_path / "split.onnx", save_as_external_data=True, location="w", size_threshold=0)
    with pytest.raises(Incompatible, match="in another file"):
        read_graph(tmp_path / "split.onnx")
    onnx.save(graphs["fp32"], tmp_path / "whole.onnx")
    assert read_graph(tmp_path / "whole.onnx").graph.node


def built(model: onnx.ModelProto) -> tuple[bool, str]:
    """Whether TensorRT-RTX, NVIDIA's builder for PCs, parses and builds a graph; it needs no GPU for that."""
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    rtx = importlib.import_module("tensorrt_rtx_bindings")
    logger = rtx.Logger(rtx.Logger.INTERNAL_ERROR)
    builder = rtx.Builder(logger)
    network = builder.create_network(1 << int(rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = rtx.OnnxParser(network, logger)
    if not parser.parse(model.SerializeToString()):
        return False, "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
    return builder.build_serialized_network(network, builder.create_builder_config()) is not None, ""


@pytest.mark.parametrize("kind", FOR_TENSORRT)
def test_nvidias_builder_builds_what_ships_for_tensorrt(graphs, kind: str) -> None:
    assert built(graphs[kind]) == (True, "")


def test_nvidias_parser_refuses_the_file_for_the_cpu_for_the_reason_that_we_name(graphs) -> None:
    done, why = built(graphs["int8.cpu"])
    assert not done
    assert "UInt8" in why
    assert TensorProto.UINT8 in {value.type.tensor_type.elem_type for value in graphs["int8.cpu"].graph.input}
