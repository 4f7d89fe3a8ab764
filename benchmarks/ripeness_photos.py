"""Fruit by ripeness on photographs of a greenhouse that training never saw, against one person's eye.

    python -m benchmarks.ripeness_photos ../shared/data/tomato

Nobody measured how ripe these fruit are. They were classed by eye before their colours were, by the share of the skin
that is seen; those that the eye cannot place are left out. The first twelve photographs were taken at even distances
among those held back, the others because green fruit are in them.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.model import LoadedModel
from edge.preprocess import Placement, fit
from edge.ripeness import Stage, stages_of
from edge.segmentation import NONE, Segmentation
from edge.settings import InferenceSettings
from training.datasets import open_dataset
from training.datasets.annotations import Annotation

BY_EYE = {
    "tomato408.jpg": "rrrr",
    "tomato414.jpg": "rrrr",
    "tomato425.jpg": "tt-t-t",
    "tomato433.jpg": "rrrrrr-",
    "tomato440.jpg": "rrr",
    "tomato448.jpg": "rrrrrrrrrr",
    "tomato457.jpg": "rrrrr",
    "tomato484.jpg": "rrr",
    "tomato497.jpg": "rrrtrrrt",
    "tomato690.jpg": "rr-",
    "tomato697.jpg": "trrrr",
    "tomato859.jpg": "rrr",
    "tomato407.jpg": "--gggggrrrrr",
    "tomato422.jpg": "tr",
    "tomato447.jpg": "rtt--tr",
    "tomato461.jpg": "r--gg",
    "tomato480.jpg": "rggggggrrrrg",
    "tomato488.jpg": "rrt-ggr-rr-",
    "tomato868.jpg": "rrrg-t-rrrr",
    "tomato887.jpg": "rrrggggggg",
}
"""Stage of each box, in the order of the annotations: green, turning, ripe, or not to be told."""

STAGES = {"g": Stage.GREEN, "t": Stage.TURNING, "r": Stage.RIPE}


def fruit_in(box: Annotation, found: Segmentation, placement: Placement) -> int:
    """Row of the object nearest to the middle of the box among those in it; ``NONE`` where there is none."""
    left, top, width, height = box.box
    y, x = placement.to_picture(found.objects.y, found.objects.x)
    aside: NDArray[np.float64] = np.maximum(
        np.abs(x - left - width / 2) / (width / 2), np.abs(y - top - height / 2) / (height / 2)
    )
    return int(np.argmin(aside)) if aside.size and aside.min() < 1 else NONE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--package", type=Path, default=Path("packages/fruit"))
    arguments = parser.parse_args()
    model = LoadedModel.load(arguments.package, InferenceSettings(package=arguments.package))
    size, dataset = model.manifest.input, open_dataset(arguments.photographs)
    confused, missed = np.zeros((len(Stage), len(Stage) + 1), np.int64), 0
    for picture in dataset.pictures:
        stages_seen = BY_EYE.get(Path(picture.name).name, "")
        if not stages_seen:
            continue
        pixels = np.asarray(cv2.imread(str(dataset.folder / picture.name), cv2.IMREAD_COLOR), np.uint8)
        image, placement = fit(pixels, size.height_px, size.width_px)
        found = model.segment(image, placement)
        stages = stages_of(image, found, None)[0]
        for box, seen in zip(picture.annotations, stages_seen, strict=True):
            row = fruit_in(box, found, placement)
            if seen in STAGES and row != NONE:
                confused[STAGES[seen], stages[row]] += 1  # NONE is the last column
            missed += seen in STAGES and row == NONE
    columns = ("green", "turning", "ripe", "no class")
    table = {
        stage.name.lower(): dict(zip(columns, line, strict=True))
        for stage, line in zip(Stage, confused.tolist(), strict=True)
    }
    right = float(np.trace(confused[:, :3]) / confused[:, :3].sum())
    print(json.dumps({"by_eye_by_found": table, "right_of_those_in_a_class": round(right, 3), "missed": missed}))


if __name__ == "__main__":
    main()
