"""INT8 by ONNX Runtime's static quantisation.

Two INT8 files from one calibration, because the two runtimes disagree. ONNX Runtime on x86 has no fast kernel for
signed activations: a tensor with two consumers then falls back to a float convolution. TensorRT takes nothing else:
signed, symmetric, and the biases in float.

What follows the last convolution (softmax, peaks, top-K) stays in float: it is cheap, and a quantised score ties.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.to_onnx import PICTURE, named_as_ours

Target = Literal["cpu", "trt"]


class Pictures(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Calibration pictures, uint8 [1, H, W, 3] each, as the float graph takes them."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._pictures = pictures
        self.rewind()

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next picture, or None."""
        return next(self._feeds, None)

    def rewind(self) -> None:
        """Begin again."""
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            {PICTURE: np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32) / np.float32(255)}
            for picture in self._pictures
        )


def to_int8(
    model: onnx.ModelProto,
    pictures: Sequence[NDArray[np.uint8]],
    target: Target,
    *,
    leave: Sequence[str] = (),
    only: Sequence[str] | None = None,
) -> onnx.ModelProto:
    """Quantise a float graph for ``target``, calibrated on ``pictures``, uint8 [1, H, W, 3] of its input's size.

    ``leave`` names layers that stay in float; ``only``, if given, those that do not.
    """
    signed = target == "trt"
    options: dict[str, Any] = {"ActivationSymmetric": signed, "WeightSymmetric": True, "QuantizeBias": not signed}
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, quantized = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
        quantize_static(
            prepared,
            quantized,
            Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=only,
            nodes_to_exclude=sorted({*tail(onnx.load(prepared)), *leave}),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=options,
        )
        return named_as_ours(onnx.load(quantized))


def tail(model: onnx.ModelProto) -> set[str]:
    """Names of the nodes that no convolution depends on."""
    makers = {output: node for node in model.graph.node for output in node.output}
    ahead = [node for node in model.graph.node if node.op_type == "Conv"]
    seen: set[str] = set()
    while ahead:
        node = ahead.pop()
        if node.name not in seen:
            seen.add(node.name)
            ahead += [makers[name] for name in node.input if name in makers]
    return {node.name for node in model.graph.node} - seen
