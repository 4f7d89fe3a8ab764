"""What PlantCV's analyze.size and analyze.color say of objects, and how long they take: the oracle of our traits.

PlantCV brings its own OpenCV, so it has an environment of its own:

    python -m venv .venv-plantcv && .venv-plantcv/bin/pip install 'plantcv==4.*'
    .venv-plantcv/bin/python benchmarks/plantcv_traits.py < requests.jsonl

Reads one JSON object a line, {"image": PATH, "mask": PATH, "repeat": N}, the mask being black but for the object, and
answers each with a line {"traits": …, "seconds": […]}. Reading the files is not timed, nor is any drawing of pictures:
debug is off.
"""

import json
import sys
import time
from typing import Any

import cv2
import numpy as np
from plantcv import plantcv as pcv

SIZE = (
    "area", "convex_hull_area", "solidity", "perimeter", "width", "height", "center_of_mass", "total_edge_length",
)  # fmt: skip
COLOUR = ("hue_circular_mean", "hue_circular_std", "hue_median", "hue_frequencies")


def analyse(image: Any, mask: Any) -> dict[str, Any]:
    """Both analyses of one object."""
    pcv.outputs.clear()
    pcv.analyze.size(img=image, labeled_mask=mask, n_labels=1, label="object")
    pcv.analyze.color(rgb_img=image, labeled_mask=mask, n_labels=1, label="object")
    observations = pcv.outputs.observations["object_1"]
    return {name: observations[name]["value"] for name in SIZE + COLOUR}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    image = cv2.imread(request["image"], cv2.IMREAD_COLOR)
    mask = (cv2.imread(request["mask"], cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
    seconds = []
    for _ in range(request.get("repeat", 1)):
        started_s = time.perf_counter()
        traits = analyse(image, mask)
        seconds.append(time.perf_counter() - started_s)
    return {"traits": traits, "seconds": seconds}


def main() -> None:
    pcv.params.debug = None
    cv2.setNumThreads(1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)), default=float), flush=True)


if __name__ == "__main__":
    main()
