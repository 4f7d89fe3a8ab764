"""What a picture and its answer are like, in a few numbers: what drift is told by."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.drift import MAX_STATISTICS
from edge.contract.manifest import Manifest
from edge.preprocess import Placement
from edge.quality import OVEREXPOSED_FROM
from edge.segmentation import NONE, Segmentation

DETAIL_PX = 256
"""Sharpness and noise are of the middle of the picture, at the network's scale."""

LEAST_PLANT_CELLS = 20

OF_PICTURE = 16
"""So many of the statistics that a window can hold are kept free for the picture's own and for the features."""
OF_PLANTS = 3
MAX_THINGS = 8
MAX_NAME_CHARS = 64

_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)

LIT_FROM, BRIGHT_FROM, DARKER_THAN = 60.0, 140.0, 25.0
LAMP_RATIO = 1.8
"""Blue or red by green from which the light is a lamp's: daylight and white lamps lie below 1.4 on a grey world."""


def light_band(statistics: dict[str, float]) -> str:
    """The light that a picture was taken in, by its own ``picture_statistics``."""
    grey = statistics["mean_grey"]
    if grey < DARKER_THAN:
        return "night"
    if max(statistics["red_by_green"], statistics["blue_by_green"]) > LAMP_RATIO:
        return "lamp"
    return "dim" if grey < LIT_FROM else "day" if grey < BRIGHT_FROM else "bright"


def picture_statistics(image: NDArray[np.uint8], placement: Placement) -> dict[str, float]:
    """Input statistics of a fitted picture, uint8 [1, H, W, 3] BGR: light, contrast, sharpness, colour and noise."""
    small = _on_grid(image, placement)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    mean, deviation = cv2.meanStdDev(grey)
    blue, green, red = (value + 1.0 for value in cv2.mean(small)[:3])
    detail = cv2.cvtColor(_middle(image[0][placement.region]), cv2.COLOR_BGR2GRAY)
    return {
        "mean_grey": float(mean[0, 0]),
        "contrast": float(deviation[0, 0]),
        "overexposed": float(np.count_nonzero(grey >= OVEREXPOSED_FROM) / grey.size),
        "sharpness": sharpness(detail),
        "red_by_green": red / green,
        "blue_by_green": blue / green,
        "saturation": cv2.mean(cv2.cvtColor(small, cv2.COLOR_BGR2HSV))[1] / 255,
        "noise": noise(detail),
    }


def _on_grid(image: NDArray[np.uint8], placement: Placement) -> NDArray[np.uint8]:
    """The picture at the size of the graph's grid, each cell of its four middle pixels: for means that is enough."""
    height, width = placement.grid_shape
    small = cv2.resize(image[0], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small[placement.grid_region], np.uint8)


def sharpness(grey: NDArray[np.uint8]) -> float:
    """log10 of the Laplacian's power by the picture's variance: fog and focus lower it, a cloud does not.

    The variance of the Laplacian (Pech-Pacheco et al. 2000) alone grows with the contrast that the light gives.
    """
    deviation = float(cv2.meanStdDev(grey)[1][0, 0])
    power = float(cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L2SQR)) / grey.size
    return math.log10((power + 1e-3) / (deviation**2 + 1.0))


def noise(grey: NDArray[np.uint8]) -> float:
    """Standard deviation of the sensor's noise in grey values, by what no edge explains (Immerkær 1996)."""
    rough = cv2.filter2D(grey, cv2.CV_16S, _NOISE)
    return float(math.sqrt(math.pi / 2) / 6 * cv2.norm(rough, cv2.NORM_L1) / grey.size)


def answer_statistics(
    image: NDArray[np.uint8], placement: Placement, inference: Inference, found: Segmentation, manifest: Manifest
) -> dict[str, float]:
    """Output statistics: how sure, how much of each class, how many of each thing, how large, of which colour.

    Of a model with more things or classes than a window can hold, those that its manifest names first.
    """
    region = placement.grid_region
    classes = np.bincount(found.classes[region].ravel(), minlength=len(manifest.classes)) / found.classes[region].size
    watched = list(enumerate(manifest.classes))[: _most_classes(manifest)]
    said = {_named("certainty", name): float(inference.certainty[index]) for index, name in watched}
    said |= {_named("share", name): float(classes[index]) for index, name in watched if index}
    for index, thing in enumerate(manifest.things[:MAX_THINGS]):
        members = found.objects.thing == index
        said[_named("count", thing.name)] = float(members.sum())
        said[_named("score", thing.name)] = float(found.objects.score[members].mean()) if members.any() else 0.0
    cells = np.bincount(found.instances[found.instances != NONE])
    said["instance_area"] = float(cells[cells > 0].mean()) if cells.any() else 0.0
    return said | _plant_colour(_on_grid(image, placement), found.plant[region])


def _most_classes(manifest: Manifest) -> int:
    """Each has two statistics, the background one; each thing two."""
    return (MAX_STATISTICS - OF_PICTURE - OF_PLANTS - 2 * min(len(manifest.things), MAX_THINGS) + 1) // 2


def _named(group: str, name: str) -> str:
    """A statistic's name, cut to what a name may have."""
    return f"{group}.{name}"[:MAX_NAME_CHARS]


def _plant_colour(small: NDArray[np.uint8], plant: NDArray[np.bool_]) -> dict[str, float]:
    """Colour of what is plant; of hardly any, grey, which says nothing."""
    mask = plant.astype(np.uint8)
    if np.count_nonzero(mask) < LEAST_PLANT_CELLS:
        return {"plant.red_by_green": 1.0, "plant.blue_by_green": 1.0}
    blue, green, red = (value + 1.0 for value in cv2.mean(small, mask)[:3])
    return {"plant.red_by_green": red / green, "plant.blue_by_green": blue / green}


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    top, left = max(0, (height - DETAIL_PX) // 2), max(0, (width - DETAIL_PX) // 2)
    return pixels[top : top + DETAIL_PX, left : left + DETAIL_PX]
