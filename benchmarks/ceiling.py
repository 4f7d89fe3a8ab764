"""What the leaves of rendered scenes would score if a part of the network's answer were the truth.

    python -m benchmarks.ceiling [--package packages/rosette] [--count 200]

It tells where the error is: in the class of a cell, in where centres are, in the centre that a cell points to, or in
the grid of a quarter of the resolution and the decoder, which is all that is left when everything is true.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered import scenes
from edge.backends import Inference
from edge.package import ModelPackage
from edge.segmentation import decode
from training.augment import fitted
from training.checkpoint import load_network
from training.evaluate import Report, torch_look
from training.labels import Labels
from training.spec import ModelSpec
from training.targets import make_targets

TRUE_PEAK = 0.999
PARTS = ((), ("classes",), ("centers",), ("offsets",), ("classes", "centers", "offsets"))


def with_truth(answer: Inference, labels: Labels, parts: tuple[str, ...]) -> Inference:
    """The answer with ``parts`` of it replaced by what is there."""
    targets = make_targets(labels)
    true: dict[str, NDArray[np.generic]] = {
        "classes": targets.allowed.argmax(0).astype(np.uint8),
        "offsets": np.where(targets.inside > 0, targets.offsets, answer.offsets),
        "centers": np.array(
            [
                (row, column, 1.0, thing)
                for thing, heat in enumerate(targets.heat)
                for row, column in zip(*np.nonzero(heat > TRUE_PEAK), strict=True)
            ],
            np.float32,
        ).reshape(-1, 4),
    }
    return dataclasses.replace(answer, **{part: true[part] for part in parts})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    manifest = ModelPackage.open(arguments.package).manifest
    look = torch_look(load_network(arguments.package), manifest.top_k)
    spec = ModelSpec.of(manifest)
    reports = {parts: Report(spec) for parts in PARTS}
    for pixels, labels in scenes(spec, manifest.input.width_px, arguments.count):
        image, placed, placement = fitted(pixels, labels, manifest.input.height_px)
        answer = look(image)
        for parts, report in reports.items():
            told = with_truth(answer, placed, parts)
            report.add(decode(told, manifest, placement), told.certainty, placed)
    for parts, report in reports.items():
        said = report.metrics()
        shown = {name: round(said[name], 4) for name in ("mean_iou", "symmetric_best_dice", "panoptic_quality")}
        print(json.dumps({"true": " ".join(parts) or "nothing"} | shown))


if __name__ == "__main__":
    main()
