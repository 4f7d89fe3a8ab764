"""What a picture and its answer are like, in a few numbers: what drift is told by."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.manifest import Manifest
from edge.preprocess import Placement
from edge.quality import brightness, overexposed_share, sharpness
from edge.segmentation import NONE, Segmentation

DARK_BELOW = 8.0
"""Grey values that say nothing of sharpness."""


def picture_statistics(image: NDArray[np.uint8], placement: Placement) -> dict[str, float]:
    """Input statistics of a fitted picture, uint8 [1, H, W, 3] BGR: light, contrast, sharpness, colour and noise."""
    pixels = image[0][placement.region]
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    blue, green, red = (float(value) + 1.0 for value in pixels.reshape(-1, 3).mean(0))
    largest, smallest = pixels.max(2).astype(np.float32), pixels.min(2).astype(np.float32)
    return {
        "brightness": float(brightness(counts)),
        "mean_grey": float(grey.mean()),
        "contrast": float(grey.std()),
        "overexposed": overexposed_share(counts),
        "sharpness": min(sharpness(grey, counts, DARK_BELOW), 1e6),
        "red_by_green": red / green,
        "blue_by_green": blue / green,
        "saturation": float(((largest - smallest) / (largest + 1)).mean()),
        "noise": noise(grey),
    }


def noise(grey: NDArray[np.uint8]) -> float:
    """Standard deviation of the sensor's noise in grey values, by what no edge explains (Immerkær 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel)).mean())


def answer_statistics(inference: Inference, found: Segmentation, manifest: Manifest) -> dict[str, float]:
    """Output statistics: how sure, how much of each class, how many of each thing, how large."""
    said = {f"certainty.{name}": float(inference.certainty[index]) for index, name in enumerate(manifest.classes)}
    for index, name in enumerate(manifest.classes[1:], start=1):
        said[f"share.{name}"] = float(np.mean(found.classes == index))
    for index, thing in enumerate(manifest.things):
        members = found.objects.thing == index
        said[f"count.{thing.name}"] = float(members.sum())
        said[f"score.{thing.name}"] = float(found.objects.score[members].mean()) if members.any() else 0.0
    cells = np.bincount(found.instances[found.instances != NONE])
    said["instance_area"] = float(cells[cells > 0].mean()) if cells.any() else 0.0
    return said
