"""ONNX Runtime on the CPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike, NDArray

from edge.backends import Backend, Tensors, graph_outputs
from edge.backends.interface import check_interface
from edge.contract.manifest import Manifest, Precision
from edge.errors import PackageInvalid
from edge.package import MEND, ModelPackage
from edge.settings import InferenceSettings

Provider = tuple[str, dict[str, Any]]
"""Its name and its options."""

CPU: Final[Provider] = ("CPUExecutionProvider", {})

_ERRORS_ONLY = 3
_TYPES: dict[str, DTypeLike] = {"tensor(uint8)": np.dtype(np.uint8), "tensor(float)": np.dtype(np.float32)}


class OrtBackend(Backend):
    """Runs a package's ONNX file. One call at a time uses ``threads`` threads, and none of them spins in between."""

    def __init__(self, package: ModelPackage, precision: Precision, settings: InferenceSettings) -> None:
        super().__init__(package.manifest)
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {precision}"
        self._session = open_session(package.model(precision), package.manifest, cpu_options(settings.threads), [CPU])
        self._names = list(graph_outputs(package.manifest))

    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        return dict(zip(self._names, self._session.run(self._names, {"image": image}), strict=True))


def cpu_options(threads: int) -> "onnxruntime.SessionOptions":
    """How a session uses the CPU beside a daemon that has other things to do."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # one block for all tensors is larger than their blocks, and no faster
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    return options


def open_session(
    path: Path, manifest: Manifest, options: "onnxruntime.SessionOptions", providers: Sequence[Provider]
) -> "onnxruntime.InferenceSession":
    """Load a graph from the file's bytes, not its path: one that refers to data outside of its file is refused.

    Raises:
        PackageInvalid: it is no graph, or another than ``manifest`` describes.
    """
    onnxruntime.disable_telemetry_events()
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=list(providers))
    except Exception as error:  # the runtime's types have no common base; this is the seam where they become ours
        raise PackageInvalid(f"{path} is not a graph that ONNX Runtime can load: {error}; {MEND}") from error
    check_interface(path, _tensors(session.get_inputs()), _tensors(session.get_outputs()), manifest)
    return session


def _tensors(nodes: Sequence["onnxruntime.NodeArg"]) -> Tensors:
    return {node.name: (_TYPES.get(node.type), tuple(node.shape)) for node in nodes}
