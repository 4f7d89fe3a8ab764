"""How much faster one ONNX file runs than another: one thread, interleaved, medians, no spinning.

canopy-export onnx packages/rosette model.fp32.onnx
python -m benchmarks.network model.fp32.onnx packages/rosette/model.int8.cpu.onnx
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROUNDS, WARM_UP = 60, 5


def open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="the first is what the others are compared with")
    files = parser.parse_args().files
    sessions = [open_session(path) for path in files]
    image = np.random.default_rng(0).integers(0, 256, sessions[0].get_inputs()[0].shape, np.uint8)
    times_ms: list[list[float]] = [[] for _ in files]
    for turn in range(ROUNDS):
        order = range(len(files)) if turn % 2 else reversed(range(len(files)))
        for index in order:
            start_s = time.perf_counter()
            sessions[index].run(None, {"image": image})
            times_ms[index].append((time.perf_counter() - start_s) * 1e3)
    medians_ms = [float(np.median(taken[WARM_UP:])) for taken in times_ms]
    for path, median_ms in zip(files, medians_ms, strict=True):
        print(
            json.dumps(
                {"file": path.name, "median_ms": round(median_ms, 2), "times": round(medians_ms[0] / median_ms, 2)}
            )
        )


if __name__ == "__main__":
    main()
