"""FP16: weights and activations up to the last convolution; what follows stays in float, where scores do not tie."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.quantize import tail
from export.to_onnx import named_as_ours


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float graph with its convolutions in FP16; inputs and outputs stay float32, and each cast is explicit."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    outside = tail(half)
    body = [node for node in graph.node if node.name not in outside]
    rest = [node for node in graph.node if node.name in outside]
    _halve_weights(graph, body)
    (picture,) = graph.input
    made = {name for node in body for name in node.output}
    wanted = {name for node in rest for name in node.input} | {output.name for output in graph.output}
    casts_in = [_cast(picture.name, f"{picture.name}_fp16", TensorProto.FLOAT16)]
    casts_out = [_cast(f"{name}_fp16", name, TensorProto.FLOAT) for name in sorted(made & wanted)]
    renamed = {picture.name, *(made & wanted)}
    for node in body:
        node.input[:] = [f"{name}_fp16" if name in renamed else name for name in node.input]
        node.output[:] = [f"{name}_fp16" if name in renamed else name for name in node.output]
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*casts_in, *body, *casts_out, *rest])
    return named_as_ours(half)


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], f"cast_{target}", to=kind)


def _halve_weights(graph: onnx.GraphProto, body: list[onnx.NodeProto]) -> None:
    weights = {name for node in body if node.op_type == "Conv" for name in node.input[1:]}
    for constant in graph.initializer:
        if constant.name in weights:
            values = numpy_helper.to_array(constant).astype(np.float16)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
