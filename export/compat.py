"""Will TensorRT build this graph? A static check against tables that carry their source; no TensorRT is needed.

It finds what a parser refuses: operators and types that are not in the table, opsets out of range, quantization that is
not symmetric INT8, biases in integers, uint8 anywhere but at the border, shapes that are not fixed. For a DLA it also
finds what would fall back to the GPU. A graph that passes can still fail on the device, and a newer parser may take
what an older table does not list.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import yaml
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from edge.errors import CanopyError
from export.dla import Limits, leaves_dla

TARGETS: Final = {name: f"{name}.yaml" for name in ("tensorrt-10.3", "tensorrt-10.15", "tensorrt-11", "dla-orin")}
"""A table for each target, in ``export/targets``."""

OLDEST_TARGET: Final = "tensorrt-10.3"
"""What every file for TensorRT must build on: JetPack 6."""

MAX_ONNX_BYTES: Final = 2**31 - 1
"""What protobuf can hold."""

OLDEST_VERSIONS: Final = 10, 9, 20
"""IR version, and first and last opset, that TensorRT 10.3 (its ONNX is 1.16) and ONNX Runtime 1.23 both read."""

MAX_TOP_K: Final = 3839

TYPES: Final = {
    TensorProto.FLOAT: "FP32",
    TensorProto.FLOAT16: "FP16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.INT8: "INT8",
    TensorProto.UINT8: "UINT8",
    TensorProto.BOOL: "BOOL",
}

RESIZE: Final = {
    "coordinate_transformation_mode": (
        *("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"),
    ),
    "mode": ("nearest", "linear"),
    "antialias": (0,),
}
"""Attributes of Resize, from the restrictions in the same table; absent ones have the first value."""


class Incompatible(CanopyError):
    """A graph that its target would refuse."""

    exit_code = 7


@dataclass(frozen=True, slots=True)
class Trouble:
    """A node, or the graph, and why the target would not take it; or would take it only elsewhere, which costs time."""

    where: str
    why: str
    falls_back: bool = False


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph with what the rules look up: constants by name, and the element type of each tensor as far as known."""

    model: onnx.ModelProto
    constants: dict[str, onnx.TensorProto]
    types: dict[str, int]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "_Graph":
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        graph = inferred.graph
        constants = {constant.name: constant for constant in graph.initializer}
        types = {name: constant.data_type for name, constant in constants.items()}
        for value in (*graph.input, *graph.output, *graph.value_info):
            types[value.name] = value.type.tensor_type.elem_type
        return cls(inferred, constants, types)

    def type_of(self, name: str) -> str | None:
        kind = self.types.get(name)
        return None if kind is None else TYPES.get(kind, TensorProto.DataType.Name(kind))

    def value_of(self, name: str) -> np.ndarray | None:
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None


Rule = Callable[[_Graph, dict[str, list[str]]], Iterator[Trouble]]


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        Incompatible: it is none, is too large, or keeps its weights elsewhere.
    """
    try:
        if path.stat().st_size > MAX_ONNX_BYTES:
            raise Incompatible(f"{path} has {path.stat().st_size} bytes, an ONNX graph has at most {MAX_ONNX_BYTES}")
        model = onnx.load(path, load_external_data=False)
        outside = [each.name for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL]
        if outside:
            raise Incompatible(f"{path} keeps {outside[0]} in another file; save it as one")
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise Incompatible(f"{path} is no ONNX graph: {error}") from error
    return model


def troubles(model: onnx.ModelProto, target: str) -> list[Trouble]:
    """Everything that ``target`` would refuse, and what would fall back from it.

    Raises:
        Incompatible: there is no such target.
    """
    if target not in TARGETS:
        raise Incompatible(f"{target} is none of {', '.join(TARGETS)}")
    table = _read_table(TARGETS[target])
    graph = _Graph.of(model)
    found = list(_versions(model, table["ir"], *table["opsets"]))
    rules: tuple[Rule, ...] = (_operators, _fixed_shapes, _quantization, _attributes)
    for rule in rules:
        found += rule(graph, table["operators"])
    return [*found, *_fallbacks(graph, table["dla"])] if "dla" in table else found


def _read_table(name: str) -> dict[str, Any]:
    """A target's table, over the one that it is like."""
    table: dict[str, Any] = yaml.safe_load((files("export") / "targets" / name).read_text(encoding="utf-8"))
    if "like" in table:
        older = _read_table(table["like"])
        return {**older, **table, "operators": {**older["operators"], **table["operators"]}}
    return table


def _fallbacks(graph: _Graph, limits: Limits) -> Iterator[Trouble]:
    types = {name: graph.type_of(name) or "" for name in graph.types}
    shapes = {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
        for value in (*graph.model.graph.input, *graph.model.graph.output, *graph.model.graph.value_info)
    }
    for node in graph.model.graph.node:
        for why in leaves_dla(node, limits, types, shapes):
            yield Trouble(node.name, why, falls_back=True)


def check(model: onnx.ModelProto, target: str, name: str) -> list[str]:
    """Pass or refuse; returns what would fall back from the target, grouped by the reason.

    Raises:
        Incompatible: with everything that ``target`` would not take.
    """
    found = troubles(model, target)
    refused = _grouped(trouble for trouble in found if not trouble.falls_back)
    if refused:
        lines = "".join(f"\n  {line}" for line in refused)
        raise Incompatible(f"{name} will not build with {target}:{lines}")
    return _grouped(trouble for trouble in found if trouble.falls_back)


def _grouped(found: Iterable[Trouble]) -> list[str]:
    places: dict[str, list[str]] = {}
    for trouble in found:
        places.setdefault(trouble.why, []).append(trouble.where)
    return [
        f"{why} (at {where[0]}{f' and {len(where) - 1} more' if len(where) > 1 else ''})"
        for why, where in places.items()
    ]


def check_versions(model: onnx.ModelProto, name: str) -> None:
    """See that the oldest runtimes in the field read a file of these versions.

    Raises:
        Incompatible: they would not.
    """
    found = list(_versions(model, *OLDEST_VERSIONS))
    if found:
        raise Incompatible(f"{name} cannot be read by devices in the field: {'; '.join(each.why for each in found)}")


def _versions(model: onnx.ModelProto, ir: int, oldest: int, newest: int) -> Iterator[Trouble]:
    if model.ir_version > ir:
        yield Trouble("graph", f"IR version {model.ir_version}, at most {ir} is read; export it with ours")
    for entry in model.opset_import:
        if entry.domain not in {"", "ai.onnx"}:
            yield Trouble("graph", f"operators of {entry.domain}, which only a plugin could run")
        elif not oldest <= entry.version <= newest:
            yield Trouble("graph", f"opset {entry.version}, {oldest} to {newest} are read")


def _operators(graph: _Graph, table: dict[str, list[str]]) -> Iterator[Trouble]:
    """Operators in the table, on types in their row. UINT8 enters by a Cast, and leaves by one."""
    for node in graph.model.graph.node:
        if node.op_type not in table:
            yield Trouble(node.name, f"{node.op_type} is not supported; it would need a plugin")
            continue
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            continue  # quantization has rules of its own
        for name in (*node.input[:1], *(node.output if node.op_type == "Cast" else ())):
            kind = graph.type_of(name)
            if kind and kind not in table[node.op_type]:
                yield Trouble(
                    node.name, f"{node.op_type} on {kind} ({name}); it runs on {', '.join(table[node.op_type])}"
                )


def _fixed_shapes(graph: _Graph, _: dict[str, list[str]]) -> Iterator[Trouble]:
    for value in (*graph.model.graph.input, *graph.model.graph.output):
        sides = value.type.tensor_type.shape.dim
        if not sides or any(side.dim_value < 1 for side in sides):
            yield Trouble(value.name, "its shape is not fixed; an engine would need an optimization profile")


def _quantization(graph: _Graph, _: dict[str, list[str]]) -> Iterator[Trouble]:
    """Explicit and symmetric: INT8 with zero points of zero, and constants for scales."""
    for node in graph.model.graph.node:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            zero = graph.value_of(node.input[2]) if len(node.input) > 2 else None
            coded = graph.type_of((node.output if node.op_type == "QuantizeLinear" else node.input)[0])
            if graph.value_of(node.input[1]) is None:
                yield Trouble(node.name, "its scale is not a constant")
            if coded not in {None, "INT8"} or (zero is not None and zero.dtype != np.int8):
                yield Trouble(node.name, f"{node.op_type} with {coded or 'another type'}; only INT8 is built")
            elif zero is not None and zero.any():
                yield Trouble(node.name, "its zero point is not 0; quantize symmetrically")
        elif node.op_type == "Conv" and len(node.input) > 2 and graph.value_of(node.input[2]) is None:
            yield Trouble(node.name, "its bias is not a float constant; quantize without biases")


def _attributes(graph: _Graph, _: dict[str, list[str]]) -> Iterator[Trouble]:
    for node in graph.model.graph.node:
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        given = {name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()}
        if node.op_type == "TopK":
            count = graph.value_of(node.input[1])
            if count is None or int(count.ravel()[0]) > MAX_TOP_K:
                yield Trouble(node.name, f"K must be a constant of at most {MAX_TOP_K}")
        if node.op_type == "Resize":
            for name, allowed in RESIZE.items():
                if given.get(name, allowed[0]) not in allowed:
                    yield Trouble(node.name, f"{name} {given[name]!r}; {', '.join(map(str, allowed))} are built")
        if node.op_type in {"MaxPool", "AveragePool"} and any(side != 1 for side in given.get("dilations", [1])):
            yield Trouble(node.name, "dilated pooling")
