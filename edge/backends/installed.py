"""What of the runtimes is installed here, looked up without loading any of it."""

from importlib.util import find_spec
from pathlib import Path

from edge.contract.manifest import Precision


def without_provider(provider: str) -> str | None:
    """What ONNX Runtime lacks for a provider, by its library: None if it is there."""
    found = find_spec("onnxruntime")
    folders = list(found.submodule_search_locations or ()) if found else []
    if any((Path(folder) / "capi" / f"libonnxruntime_providers_{provider}.so").exists() for folder in folders):
        return None
    return f"this ONNX Runtime has no {provider} provider; install onnxruntime-gpu in its place"


def without_openvino() -> str | None:
    """None if it is installed."""
    return None if find_spec("openvino") else "OpenVINO is not installed; pip install 'canopy-edge[openvino]'"


def cpu_precisions(machine: str) -> tuple[Precision, ...]:
    """Files that ONNX Runtime runs on a CPU, fastest first; ``machine`` as ``platform.machine`` names it.

    On x86 its kernels want unsigned activations, and signed ones are slower than FP32. Arm's dot products are signed on
    both sides. CPUs compute FP16 by way of FP32.
    """
    if machine in {"aarch64", "arm64"}:
        return ("int8.trt", "int8.cpu", "fp32", "fp16")
    return ("int8.cpu", "fp32", "fp16", "int8.trt")
