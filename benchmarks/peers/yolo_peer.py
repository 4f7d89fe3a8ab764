"""Ultralytics' side, in an environment of its own: YOLO11n-seg from its yaml, with the weights that chance gives it.

python yolo_peer.py export FOLDER            writes yolo11n-seg.onnx with ultralytics' own exporter
python yolo_peer.py serve ONNX FRAME_PNG     predict() and contours, on one thread as everybody here
"""

import functools
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from ultralytics import YOLO
from worker import serve

SIZE_PX = 512
OBJECTS = 10
CANDIDATES = 20 * OBJECTS


def export(folder: Path) -> None:
    torch.manual_seed(0)
    model = YOLO("yolo11n-seg.yaml", task="segment")
    written = model.export(format="onnx", imgsz=SIZE_PX, opset=18)
    Path(written).replace(folder / "yolo11n-seg.onnx")


def confidence_of_the_best(path: Path, frame: np.ndarray) -> float:
    """A score that so many boxes reach as a trained network gives for ten objects: chance gives scores of its own."""
    image = cv2.resize(frame, (SIZE_PX, SIZE_PX))[None, :, :, ::-1].transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    boxes = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(image, np.float32) / 255})[0][0]
    return float(np.sort(boxes[4:-32].max(0))[-CANDIDATES])


def main() -> None:
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
        return
    path, frame = Path(sys.argv[2]), cv2.imread(sys.argv[3])
    confidence = confidence_of_the_best(path, frame)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    onnxruntime.InferenceSession = functools.partial(onnxruntime.InferenceSession, sess_options=options)
    model = YOLO(str(path), task="segment")

    def predict(least: float) -> int:
        (result,) = model.predict(frame, imgsz=SIZE_PX, conf=least, max_det=OBJECTS, verbose=False, device="cpu")
        contours = result.masks.xy if result.masks is not None else []
        return sum(cv2.contourArea(contour) >= 0 for contour in contours if len(contour))

    predict(confidence)
    serve(
        {"yolo predict": lambda: predict(confidence), "yolo predict nothing": lambda: predict(0.99)},
        ultralytics=__import__("ultralytics").__version__,
        torch=torch.__version__,
    )


if __name__ == "__main__":
    main()
