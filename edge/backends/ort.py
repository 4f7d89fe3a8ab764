"""ONNX Runtime on the CPU."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike, NDArray

from edge.backends import Backend, Tensors, graph_inputs, graph_outputs
from edge.contract.manifest import Manifest, Precision
from edge.errors import PackageInvalid
from edge.package import MEND, ModelPackage
from edge.settings import InferenceSettings

_ERRORS_ONLY = 3
_TYPES: dict[str, DTypeLike] = {"tensor(uint8)": np.dtype(np.uint8), "tensor(float)": np.dtype(np.float32)}


class OrtBackend(Backend):
    """Runs a package's ONNX file. One call at a time uses ``threads`` threads, and none of them spins in between."""

    def __init__(self, package: ModelPackage, precision: Precision, settings: InferenceSettings) -> None:
        super().__init__(package.manifest)
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {precision}"
        path = package.model(precision)
        self._session = _open_session(path, settings.threads)
        _check_interface(path, self._session, package.manifest)
        self._names = list(graph_outputs(package.manifest))

    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        return dict(zip(self._names, self._session.run(self._names, {"image": image}), strict=True))


def _open_session(path: Path, threads: int) -> "onnxruntime.InferenceSession":
    """From the file's bytes, not its path: a graph that refers to data outside of its file is refused."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # one block for all tensors is larger than their blocks, and no faster
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    onnxruntime.disable_telemetry_events()
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's types have no common base; this is the seam where they become ours
        raise PackageInvalid(f"{path} is not a graph that ONNX Runtime can load: {error}; {MEND}") from error


def _check_interface(path: Path, session: "onnxruntime.InferenceSession", manifest: Manifest) -> None:
    for kind, nodes, expected in (
        ("input", session.get_inputs(), graph_inputs(manifest)),
        ("output", session.get_outputs(), graph_outputs(manifest)),
    ):
        found: Tensors = {node.name: (_TYPES.get(node.type), tuple(node.shape)) for node in nodes}
        if found != expected:
            raise PackageInvalid(
                f"{path} has the {kind}s {_listed(found)}, its manifest describes {_listed(expected)}; {MEND}"
            )


def _listed(tensors: Tensors) -> str:
    return ", ".join(f"{name} {dtype and np.dtype(dtype)} {list(shape)}" for name, (dtype, shape) in tensors.items())
