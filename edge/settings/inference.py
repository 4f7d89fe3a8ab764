"""The model, and what it runs on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.settings.base import Settings


class EngineSettings(Settings):
    """TensorRT engines: where built ones are kept, and what building one may take.

    A build that needs more than ``build_memory_bytes`` is ended rather than the daemon beside it; on a Jetson that is
    memory of CPU and GPU alike. ``workspace_bytes`` bounds what one layer may use for speed.
    """

    folder: Path | None = None
    """Absent: ``engines`` in the state directory, of commands without one in ``~/.cache/canopy``."""
    workspace_bytes: Annotated[int, Field(ge=2**20)] = 512 * 2**20
    build_memory_bytes: Annotated[int, Field(ge=256 * 2**20)] = 3 * 2**30
    build_timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    keep: Annotated[int, Field(ge=1, le=100)] = 4


class InferenceSettings(Settings):
    """Which model runs, on what, and on how much of the machine."""

    package: Path
    backend: Literal["auto", "tensorrt", "cuda", "cpu", "ort-tensorrt", "openvino"] = "auto"
    precision: Literal["auto", "fp32", "fp16", "int8.trt", "int8.cpu"] = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    engine: EngineSettings = EngineSettings()
