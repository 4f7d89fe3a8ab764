"""Canopy's side, and every network in the same ONNX Runtime: one thread, no spinning.

python -m benchmarks.peers.ours PACKAGE YOLO_ONNX CLIP_PNG FOLDER
"""

import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from benchmarks.peers.worker import Task, serve
from demo.setup import CLIP
from edge.clock import monotonic_s, utc_now
from edge.frame import Frame
from edge.model import Model
from edge.observe import Observer
from edge.outbox import Outbox
from edge.settings import CameraSettings, InferenceSettings, OutboxSettings
from export.to_onnx import to_float_graph, with_border
from training.checkpoint import load_network

CALIBRATION = 8


class Crops(CalibrationDataReader):
    """Pieces of the frame as YOLO takes them: float32 [1, 3, H, W], RGB in 0…1."""

    def __init__(self, name: str, side_px: int, frame: NDArray[np.uint8]) -> None:
        rng = np.random.default_rng(0)
        corners = [
            (rng.integers(frame.shape[0] - side_px), rng.integers(frame.shape[1] - side_px)) for _ in range(CALIBRATION)
        ]
        self._feeds = iter([{name: as_yolo_takes_it(frame[y : y + side_px, x : x + side_px])} for y, x in corners])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def as_yolo_takes_it(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(crop[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def session_of(path: Path, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def quantize_yolo(yolo: Path, out: Path, frame: NDArray[np.uint8]) -> Path:
    """YOLO's best INT8 that still finds something: U8 activations, per-channel weights, convolutions alone."""
    given = onnx.load(yolo).graph.input[0]
    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(yolo, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        out,
        Crops(given.name, given.type.tensor_type.shape.dim[3].dim_value, frame),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv"],
        calibrate_method=CalibrationMethod.MinMax,
    )
    return out


def float_convolutions(path: Path, folder: Path) -> int:
    """Convolutions that ONNX Runtime still computes in float once it has rewritten the graph."""
    session_of(path, folder / "optimized.onnx")
    kinds = Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)
    return kinds["Conv"] + kinds["FusedConv"]


def step_of(package: Path, frame: NDArray[np.uint8], folder: Path) -> Task:
    """From a frame to its rows on the disk, one transaction for each frame; says how many plants it found."""
    camera = CameraSettings.model_validate(CLIP)
    model = Model(InferenceSettings(package=package))
    model.use()
    observer, outbox = Observer(camera, model, live=False), Outbox(folder / "outbox.sqlite", OutboxSettings())
    numbers = iter(range(10**9))

    def step() -> float:
        records = observer.observe(Frame(frame, next(numbers), camera.name, utc_now(), monotonic_s()))
        outbox.append(records)
        return float(sum(trait.value for record in records for trait in record.traits if trait.trait == "plant_count"))

    return step


def main() -> None:
    package, yolo, picture, folder = map(Path, sys.argv[1:])
    cv2.setNumThreads(1)
    frame = np.asarray(cv2.imread(str(picture)), np.uint8)
    fp32, int8 = folder / "ours.fp32.onnx", package / "model.int8.cpu.onnx"
    onnx.save(with_border(to_float_graph(load_network(package), 512, 512, 512)), fp32)
    files = {
        "canopy fp32": fp32,
        "canopy int8": int8,
        "yolo fp32": yolo,
        "yolo int8": quantize_yolo(yolo, folder / "yolo.int8.onnx", frame),
    }
    crop = np.ascontiguousarray(frame[:512, :512])
    tasks: dict[str, Task] = {}
    for name, path in files.items():
        session = session_of(path)
        feed = {session.get_inputs()[0].name: crop[None] if "canopy" in name else as_yolo_takes_it(crop)}
        tasks[name] = lambda session=session, feed=feed: session.run(None, feed) and None
    tasks["canopy step"] = step_of(package, frame, folder)
    serve(tasks, onnxruntime=onnxruntime.__version__, float_convolutions=float_convolutions(int8, folder))


if __name__ == "__main__":
    main()
