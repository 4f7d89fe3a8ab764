"""Ultralytics' side, in an environment of its own: YOLO11n-seg from its yaml, with the weights that chance gives it.

python yolo_peer.py export FOLDER            writes yolo11n-seg.onnx with ultralytics' own exporter
python yolo_peer.py serve ONNX FRAME_PNG     predict() and contours, on one thread as everybody here
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
import torchvision  # ultralytics takes its NMS, which is faster than its own, only if it is there already
import ultralytics
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils import ops
from worker import serve

SIZE_PX = 512
OBJECTS = 30
"""Fewer than the leaves in the frame, which is what a network that segments instances would be asked for."""
CANDIDATES = 20 * OBJECTS


def export(folder: Path) -> None:
    torch.manual_seed(0)
    model = YOLO("yolo11n-seg.yaml", task="segment")
    written = model.export(format="onnx", imgsz=SIZE_PX, opset=18)
    Path(written).replace(folder / "yolo11n-seg.onnx")


def confidence_of_the_best(path: Path, frame: np.ndarray) -> float:
    """A score that so many boxes reach as a trained network gives for its objects: chance gives scores of its own."""
    image = LetterBox((SIZE_PX, SIZE_PX))(image=frame)[None, :, :, ::-1].transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    boxes = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(image, np.float32) / 255})[0][0]
    return float(np.sort(boxes[4:-32].max(0))[-CANDIDATES])


def leaves() -> torch.Tensor:
    """Masks to take contours from, [OBJECTS, H, W]: ellipses of a leaf's size.

    Weights of chance draw empty masks: predict() computes them, and then drops the objects that have one.
    """
    rng = np.random.default_rng(0)
    masks = np.zeros((OBJECTS, SIZE_PX * 9 // 16, SIZE_PX), np.uint8)
    for mask in masks:
        middle = int(rng.integers(40, SIZE_PX - 40)), int(rng.integers(40, SIZE_PX * 9 // 16 - 40))
        cv2.ellipse(mask, middle, (24, 12), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return torch.from_numpy(masks)


def one_threaded(session_of: Callable[..., onnxruntime.InferenceSession]) -> Callable[..., Any]:
    """ONNX Runtime as the others here use it; ultralytics has no setting for that."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return lambda weight, _=None, **given: session_of(weight, options, **given)


def main() -> None:
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
        return
    path, frame = Path(sys.argv[2]), cv2.imread(sys.argv[3])
    confidence = confidence_of_the_best(path, frame)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    onnxruntime.InferenceSession = one_threaded(onnxruntime.InferenceSession)
    model = YOLO(str(path), task="segment")

    drawn = leaves()

    def predict(least: float, *, contours: bool) -> int:
        model.predict(frame, imgsz=SIZE_PX, conf=least, max_det=OBJECTS, verbose=False, device="cpu")
        outlines = ops.masks2segments(drawn) if contours else []
        return sum(cv2.contourArea(outline) > 0 for outline in outlines)

    predict(confidence, contours=True)
    serve(
        {
            "yolo predict": lambda: predict(confidence, contours=True),
            "yolo predict nothing": lambda: predict(0.99, contours=False),
        },
        ultralytics=ultralytics.__version__,
        torch=torch.__version__,
        torchvision=torchvision.__version__,
    )


if __name__ == "__main__":
    main()
