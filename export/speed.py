"""What each file of a package takes on the machine that made it: for the model card, never for the gate."""

import platform
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from edge.contract.manifest import Precision
from edge.package import ModelPackage
from export.backends import open_precision

ROUNDS: Final = 30
WARM_UP: Final = 5
FOR_CPUS: Final[tuple[Precision, ...]] = ("fp32", "fp16", "int8.cpu")


def time_models(package: ModelPackage) -> dict[Precision, float]:
    """Median milliseconds of one core that each file takes which a CPU is meant to run.

    Time of the processor and not of the clock on the wall, which other work on the machine lengthens. They run in turn,
    there and back, because that work empties the caches too.
    """
    backends = {name: open_precision(package, name) for name in FOR_CPUS if name in package.manifest.models}
    size = package.manifest.input
    image = np.random.default_rng(0).integers(0, 256, (1, size.height_px, size.width_px, 3), np.uint8)
    taken_ms: dict[Precision, list[float]] = {name: [] for name in backends}
    for turn in range(ROUNDS):
        order: Iterable[Precision] = backends if turn % 2 else reversed(list(backends))
        for name in order:
            started_s = time.process_time()
            backends[name].infer(image)
            taken_ms[name].append((time.process_time() - started_s) * 1e3)
    return {name: statistics.median(times[WARM_UP:]) for name, times in taken_ms.items()}


def this_machine() -> str:
    """What the times are of."""
    return f"ONNX Runtime {onnxruntime.__version__}, {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
