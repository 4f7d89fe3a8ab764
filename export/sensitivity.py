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

Answer = dict[str, NDArray[np.float32]]
"""A graph's outputs for one picture, by name."""

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
    exact = answers(model, shown)
    costs = [
        LayerCost(
            node.name, sum(moved(exact, answers(to_int8(model, shown, target, only=[node.name]), shown)).values())
        )
        for node in model.graph.node
        if node.op_type == "Conv"
    ]
    return sorted(costs, key=lambda cost: -cost.cost)


def answers(model: onnx.ModelProto, pictures: Sequence[NDArray[np.uint8]]) -> list[Answer]:
    """What a graph without its border gives for pictures, uint8 [1, H, W, 3] each."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        floats = [np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32) / 255 for picture in pictures]
        return [
            {
                name: value.astype(np.float32)
                for name, value in zip(OUTPUTS, session.run(list(OUTPUTS), {PICTURE: picture}), strict=True)
            }
            for picture in floats
        ]


def moved(exact: Sequence[Answer], near: Sequence[Answer]) -> dict[str, float]:
    """How far each output has moved: mean difference by mean. Of centres the scores: places of empty ones are noise."""
    return {name: _relative([_said(a, name) for a in exact], [_said(a, name) for a in near]) for name in OUTPUTS}


def _said(answer: Answer, name: str) -> NDArray[np.float32]:
    return answer[name][..., 2] if name == "centers" else answer[name]


def _relative(ours: list[NDArray[np.float32]], theirs: list[NDArray[np.float32]]) -> float:
    apart = np.mean([np.abs(one - other).mean() for one, other in zip(ours, theirs, strict=True)])
    return float(apart / max(np.mean([np.abs(one).mean() for one in ours]), 1e-6))
