"""What of a graph would leave a DLA for the GPU: allowed, but each way there and back costs time and memory traffic."""

from collections.abc import Iterator
from typing import Any, Final

import onnx

Limits = dict[str, dict[str, int]]

NO_LAYER: Final = {"Constant", "Identity", "QuantizeLinear", "DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze"}
"""Become part of their neighbours, or of the weights."""

MAX_SCALE: Final = {"nearest": 32, "linear": 4}
MAX_SIDE: Final = 8192
HALF_ONLY: Final = {"Slice", "Softmax"}


def leaves_dla(
    node: onnx.NodeProto, limits: Limits, types: dict[str, str], shapes: dict[str, tuple[int, ...]]
) -> Iterator[str]:
    """Why a DLA would not run a node; nothing if it would.

    Args:
        node: the node.
        limits: by operator, the most that its attributes may have.
        types: element types of the graph's tensors, as far as known.
        shapes: their shapes, as far as known.
    """
    if node.op_type in NO_LAYER:
        return
    if node.op_type not in limits:
        yield f"a DLA has no {node.op_type}"
        return
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    for name, most in limits[node.op_type].items():
        worst = _largest(given.get(name, 0))
        if worst > most or (name == "axis" and worst != most):
            yield f"{node.op_type} with {name} {worst}; a DLA takes {'only' if name == 'axis' else 'at most'} {most}"
    kind = types.get(node.input[0])
    if kind not in {None, "FP16", "INT8", "FP32"} or (node.op_type in HALF_ONLY and kind != "FP16"):
        yield f"{node.op_type} on {kind}; a DLA computes in FP16 and INT8"
    shape = shapes.get(node.input[0], ())
    if shape and (len(shape) != 4 or max(shape[1:]) > MAX_SIDE):
        yield f"{node.op_type} on a tensor of shape {list(shape)}; a DLA takes four dimensions of up to {MAX_SIDE}"
    if node.op_type == "Resize":
        yield from _resize(given, shape, shapes.get(node.output[0], ()))


def _resize(given: dict[str, Any], before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[str]:
    mode = given.get("mode", b"nearest").decode()
    most = MAX_SCALE.get(mode, 0)
    for old, new in zip(before[2:], after[2:], strict=False):
        if new % old or new // old > most:
            yield f"Resize from {old} to {new}, {mode}; a DLA scales by whole numbers up to {most}"
            return


def _largest(value: Any) -> int:
    """An attribute's largest number."""
    return max(value, default=0) if isinstance(value, list | tuple) or hasattr(value, "__len__") else int(value)
