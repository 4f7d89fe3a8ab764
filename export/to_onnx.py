"""Torch → ONNX with the interface of the graph contract.

The network takes BGR in 0…1 as float; the contract takes the camera's uint8 [1, H, W, 3]. The border between them is
added last, so that quantisation sees a plain float graph: a Transpose, and a DequantizeLinear by 1/255 that the first
convolution absorbs. Every branch and batch norm has been folded before.
"""

from typing import Final

import numpy as np
import onnx
import onnxslim
import torch
from onnx import TensorProto, helper, numpy_helper

from export.compat import Incompatible
from export.stem import gather_columns
from training.graph import Graph
from training.network import Network, fold

OPSET: Final = 18
IR_VERSION: Final = 10
"""The newest pair that TensorRT 10.3 and ONNX Runtime 1.23 both read."""

BORDER: Final = ("border_cast", "border_transpose", "border_scale")
"""Names of the nodes between the contract's input and a float graph."""

PICTURE: Final = "picture"
IMAGE: Final = "image"
OUTPUTS: Final = ("classes", "centers", "offsets", "certainty", "features")


def to_float_graph(network: Network, height_px: int, width_px: int, top_k: int) -> onnx.ModelProto:
    """The folded network and its tail; input ``picture`` float32 [1, 3, H, W], outputs as in the contract."""
    example = torch.zeros(1, 3, height_px, width_px)
    program = torch.onnx.export(
        Graph(fold(network), top_k).eval(),
        (example,),
        input_names=[PICTURE],
        output_names=list(OUTPUTS),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program: it does so only when it writes the file itself")
    model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    return named_as_ours(model)


def named_as_ours(model: onnx.ModelProto) -> onnx.ModelProto:
    """Pin the versions and drop what the exporter says of the machine it ran on."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "canopy", ""
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model


def with_border(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph behind the contract's input: uint8 [1, H, W, 3] BGR.

    If the graph begins by quantising the picture to uint8, the camera's bytes take that place as they are, and the
    first convolution is rewritten for them (``export.stem``). Else they are cast: TensorRT takes uint8 at the border
    of a network only, and there by a Cast.
    """
    bordered = onnx.ModelProto()
    bordered.CopyFrom(model)
    graph = bordered.graph
    _, _, height_px, width_px = (side.dim_value for side in graph.input[0].type.tensor_type.shape.dim)
    quantized = _drop_quantize(graph)
    scale = numpy_helper.from_array(np.array(1 / 255, np.float32), "image_scale")
    if quantized == PICTURE:
        graph.initializer.extend([scale])
        border = [
            helper.make_node("Cast", [IMAGE], ["image_float"], BORDER[0], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["image_float"], ["image_chw"], BORDER[1], perm=[0, 3, 1, 2]),
            helper.make_node("Mul", ["image_chw", "image_scale"], [quantized], BORDER[2]),
        ]
    else:
        stride = gather_columns(graph, quantized)
        columns = [1, height_px, width_px // stride, 3 * stride]
        graph.initializer.extend(
            [
                *(scale, numpy_helper.from_array(np.array(0, np.uint8), "image_zero_point")),
                numpy_helper.from_array(np.array(columns, np.int64), "image_columns"),
            ]
        )
        border = [
            helper.make_node("Reshape", [IMAGE, "image_columns"], ["image_gathered"], "border_gather"),
            helper.make_node("Transpose", ["image_gathered"], ["image_chw"], "border_transpose", perm=[0, 3, 1, 2]),
            helper.make_node(
                "DequantizeLinear", ["image_chw", "image_scale", "image_zero_point"], [quantized], "border_scale"
            ),
        ]
    nodes = [*border, *graph.node]
    del graph.node[:], graph.input[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [1, height_px, width_px, 3]))
    onnx.checker.check_model(bordered, full_check=True)
    return bordered


def without_border(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int, int]:
    """The float graph behind the border that ``with_border`` gave it, and the height and width of its picture.

    Raises:
        Incompatible: it has another input, or is quantised already.
    """
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    graph = bare.graph
    found = [value.name for value in graph.input]
    border = [node for node in graph.node if node.name in BORDER]
    if found != [IMAGE] or [node.op_type for node in border] != ["Cast", "Transpose", "Mul"]:
        raise Incompatible(
            f"the graph has the inputs {found} and not a float graph's {IMAGE}; give what canopy-export onnx wrote"
        )
    _, height_px, width_px, _ = (side.dim_value for side in graph.input[0].type.tensor_type.shape.dim)
    scaled, constant = border[-1].output[0], border[-1].input[1]
    for node in border:
        graph.node.remove(node)
    graph.initializer.remove(next(each for each in graph.initializer if each.name == constant))
    for node in graph.node:
        node.input[:] = [PICTURE if name == scaled else name for name in node.input]
    del graph.input[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info(PICTURE, TensorProto.FLOAT, [1, 3, height_px, width_px]))
    return bare, height_px, width_px


def _drop_quantize(graph: onnx.GraphProto) -> str:
    """Take out the uint8 quantisation of the picture, if there is one; returns the name of the float it was to give."""
    consumers = [node for node in graph.node if PICTURE in node.input]
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    if [node.op_type for node in consumers] != ["QuantizeLinear"] or constants[consumers[0].input[2]].dtype != np.uint8:
        return PICTURE
    (quantize,) = consumers
    (dequantize,) = (node for node in graph.node if quantize.output[0] in node.input)
    graph.node.remove(quantize)
    graph.node.remove(dequantize)
    unused = set(quantize.input[1:]) - {name for node in graph.node for name in node.input}
    for constant in [constant for constant in graph.initializer if constant.name in unused]:
        graph.initializer.remove(constant)
    return str(dequantize.output[0])
