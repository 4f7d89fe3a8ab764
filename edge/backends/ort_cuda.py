"""ONNX Runtime on an NVIDIA GPU: by CUDA alone, or with TensorRT for what it can take.

``pip install onnxruntime-gpu`` in place of onnxruntime. On a Jetson, ``edge.backends.tensorrt`` runs the same files
without ONNX Runtime between them and the GPU.
"""

import logging
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.backends import Backend, graph_inputs, graph_outputs
from edge.backends.ort import CPU, Provider, cpu_options, open_session
from edge.contract.manifest import Precision
from edge.errors import BackendMissing
from edge.package import ModelPackage
from edge.settings import InferenceSettings

CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

DEVICE: Final = 0

log = logging.getLogger(__name__)


class OrtCudaBackend(Backend):
    """Runs a package's ONNX file with tensors that stay at fixed addresses on the GPU between calls."""

    def __init__(
        self, package: ModelPackage, precision: Precision, settings: InferenceSettings, provider: str = CUDA
    ) -> None:
        super().__init__(package.manifest)
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {provider}, {precision}"
        wanted = [(TENSORRT, tensorrt_options(package, precision, settings))] if provider == TENSORRT else []
        providers: list[Provider] = [
            *wanted,
            (CUDA, {"device_id": DEVICE, "cudnn_conv_algo_search": "EXHAUSTIVE"}),
            CPU,
        ]
        with redirect_stdout(StringIO()) as said:  # it prints what it did not find, where others expect JSON
            onnxruntime.preload_dlls()  # CUDA and cuDNN where pip has put them
            session = open_session(package.model(precision), package.manifest, cpu_options(settings.threads), providers)
        if provider not in session.get_providers():  # it falls back to the CPU, and to it that is no error
            log.warning("%s", said.getvalue().strip())
            raise BackendMissing(
                f"ONNX Runtime could not use {provider} and would run {precision} on the CPU; "
                "check nvidia-smi, and the versions of CUDA, cuDNN and TensorRT that this onnxruntime-gpu asks for"
            )
        session.disable_fallback()  # what fails later is reported, not run elsewhere
        self._session, self._binding = session, session.io_binding()
        empty = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        dtype, shape = graph_inputs(package.manifest)["image"]
        self._image = empty(shape, dtype, "cuda", DEVICE)
        self._binding.bind_ortvalue_input("image", self._image)
        self._results = {
            name: empty(shape, dtype, "cuda", DEVICE)
            for name, (dtype, shape) in graph_outputs(package.manifest).items()
        }
        for name, value in self._results.items():
            self._binding.bind_ortvalue_output(name, value)

    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        self._image.update_inplace(np.ascontiguousarray(image))
        self._session.run_with_iobinding(self._binding)
        return {name: value.numpy() for name, value in self._results.items()}


def tensorrt_options(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> dict[str, Any]:
    """Options of the TensorRT provider: precision as the file says it, engines kept by the file that they came from.

    ONNX Runtime takes an engine of another model for its own if both lie in one folder (onnxruntime#22244).
    """
    digest = package.manifest.files[package.manifest.models[precision]].sha256.removeprefix("sha256:")
    root = settings.engine.folder or Path.home() / ".cache" / "canopy"
    folder = root / "onnxruntime" / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "device_id": DEVICE,
        "trt_max_workspace_size": settings.engine.workspace_bytes,
        "trt_int8_enable": precision == "int8.trt",
        "trt_fp16_enable": precision == "fp16",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }
