"""How fast, and at what cost."""

import gc
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.acceptance.checks import traits_of
from edge.acceptance.report import Latency, Speed
from edge.backends import Backend
from edge.contract.manifest import Manifest
from edge.preprocess import fit

WARM_UP_RUNS: Final = 10

Picture = NDArray[np.uint8]


def measure_speed(backend: Backend, manifest: Manifest, pictures: Sequence[Picture], runs: int) -> Speed:
    """Latency of the model alone, of a whole step, and throughput, over ``pictures`` again and again."""
    size = manifest.input
    fitted = [fit(picture, size.height_px, size.width_px)[0] for picture in pictures]
    look = traits_of(manifest)
    for image in islice(cycle(fitted), WARM_UP_RUNS):
        backend.infer(image)
    infer = _latency(backend.infer, fitted, runs)
    step = _latency(lambda picture: look(backend, picture), pictures, max(1, runs // 2))
    rate_hz, cpu_share = _throughput(backend, fitted, runs)
    height_px, width_px = pictures[0].shape[:2]
    return Speed(infer=infer, step=step, step_picture=(height_px, width_px), throughput_hz=rate_hz, cpu_share=cpu_share)


def _latency(work: Callable[[Picture], object], pictures: Sequence[Picture], runs: int) -> Latency:
    gc.collect()
    taken_ms = []
    for picture in islice(cycle(pictures), runs):
        started_s = time.perf_counter()
        work(picture)
        taken_ms.append((time.perf_counter() - started_s) * 1e3)
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(taken_ms, (50, 95, 99)))
    return Latency(runs=runs, p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=round(max(taken_ms), 3))


def _throughput(backend: Backend, fitted: Sequence[Picture], runs: int) -> tuple[float, float]:
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in backend.infer_each(islice(cycle(fitted), runs)):
        pass
    took_s = time.perf_counter() - started_s
    return round(runs / took_s, 2), round((time.process_time() - cpu_s) / took_s, 3)
