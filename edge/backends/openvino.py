"""OpenVINO on the CPU of an x86 mini-PC: ``pip install 'canopy-edge[openvino]'``, ``inference.backend: openvino``."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import DTypeLike, NDArray

from edge.backends import Backend, Inference, Tensors, graph_outputs
from edge.backends.interface import check_interface
from edge.contract.manifest import Precision
from edge.errors import PackageInvalid
from edge.package import MEND, ModelPackage
from edge.settings import InferenceSettings

_NAMES = {"image", *(field.name for field in fields(Inference))}
_TYPES: dict[str, DTypeLike] = {"u8": np.dtype(np.uint8), "f32": np.dtype(np.float32)}


class OpenVinoBackend(Backend):
    """Runs a package's ONNX file with one request at a time on ``threads`` threads."""

    def __init__(self, package: ModelPackage, precision: Precision, settings: InferenceSettings) -> None:
        super().__init__(package.manifest)
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}, {precision}"
        path = package.model(precision)
        compiled = _compile(path, settings.threads)
        check_interface(path, _tensors(compiled.inputs), _tensors(compiled.outputs), package.manifest)
        self._request = compiled.create_infer_request()
        self._ports = {name: compiled.output(name) for name in graph_outputs(package.manifest)}

    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        given = self._request.infer({"image": image}, share_inputs=True)
        return {name: np.array(given[port]) for name, port in self._ports.items()}


def _compile(path: Path, threads: int) -> "openvino.CompiledModel":
    """From the file's bytes, not its path: a graph that refers to data outside of its file is refused.

    What is float stays float32: OpenVINO would take bfloat16 where the CPU has it, and place peaks by it.
    """
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        core = openvino.Core()
        return core.compile_model(core.read_model(path.read_bytes(), b""), "CPU", options)
    except Exception as error:  # the runtime raises RuntimeError for everything; this is the seam where it becomes ours
        raise PackageInvalid(f"{path} is not a graph that OpenVINO can load: {error}; {MEND}") from error


def _tensors(ports: Iterable[Any]) -> Tensors:
    return {_name(port): (_TYPES.get(port.get_element_type().get_type_name()), _shape(port)) for port in ports}


def _name(port: Any) -> str:
    """The contract's, if it has several: a tensor that passes through an Identity has those of both sides."""
    return str(max(port.get_names(), key=lambda name: name in _NAMES))


def _shape(port: Any) -> tuple[int, ...]:
    return tuple(side.get_length() if side.is_static else -1 for side in port.get_partial_shape())
