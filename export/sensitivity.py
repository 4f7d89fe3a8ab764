"""Which layers INT8 hurts: each convolution quantised alone, and how far the graph's answers move."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from export.quantize import Target, to_int8
from export.to_onnx import OUTPUTS, PICTURE

PICTURES: Final = 4
"""As many show which layer is worst; the gate decides whether it matters."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """A convolution, and how far its INT8 alone moves the outputs: mean difference by their mean, summed over them."""

    layer: str
    cost: float


def sensitivity(model: onnx.ModelProto, pictures: Sequence[NDArray[np.uint8]], target: Target) -> list[LayerCost]:
    """Every convolution of a float graph, the worst first; ``pictures`` as in ``to_int8``."""
    shown = pictures[:PICTURES]
    exact = _answers(model, shown)
    costs = [
        LayerCost(node.name, _apart(exact, _answers(to_int8(model, shown, target, only=[node.name]), shown)))
        for node in model.graph.node
        if node.op_type == "Conv"
    ]
    return sorted(costs, key=lambda cost: -cost.cost)


def _answers(model: onnx.ModelProto, pictures: Sequence[NDArray[np.uint8]]) -> list[list[NDArray[np.float32]]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        floats = [np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32) / 255 for picture in pictures]
        return [session.run(list(OUTPUTS), {PICTURE: picture}) for picture in floats]


def _apart(exact: list[list[NDArray[np.float32]]], near: list[list[NDArray[np.float32]]]) -> float:
    moved = [
        np.mean([np.abs(ours.astype(np.float32) - theirs.astype(np.float32)).mean() for ours, theirs in pairs])
        / max(np.mean([np.abs(ours.astype(np.float32)).mean() for ours, _ in pairs]), 1e-6)
        for pairs in (
            list(zip(*output, strict=True))
            for output in zip(zip(*exact, strict=True), zip(*near, strict=True), strict=True)
        )
    ]
    return float(np.sum(moved))
