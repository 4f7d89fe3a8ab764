"""What the packages measure on rendered scenes of seeds that nothing else uses, all of them and by how much is in them.

    python -m benchmarks.rendered [--packages packages] [--count 200]

The leaf segmentation challenge (CVPPP) has one plant in a picture; on a tray a leaf is a few pixels wide. So figures
of scenes with up to four plants and of trays are given apart. FP32 is the network in torch, the other what ships.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends import open_backend
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from training.checkpoint import load_network
from training.evaluate import Report, evaluate_look, torch_look, visible
from training.labels import Labels
from training.spec import ModelSpec
from training.synthetic import renderer_of

SEED = 5_000_000
FEW = 4


def scenes(spec: ModelSpec, size_px: int, count: int) -> Iterator[tuple[NDArray[np.uint8], Labels]]:
    renderer = renderer_of(spec.classes, spec.thing_names)
    for seed in range(SEED, SEED + count):
        scene = renderer.render(seed, size_px, size_px)
        yield scene.pixels, scene.labels


def part(report: Report, chosen: list[bool]) -> dict[str, float]:
    findings = [finding for finding, taken in zip(report.findings, chosen, strict=True) if taken]
    return {name: round(value, 4) for name, value in Report(report.spec, findings).metrics().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, default=Path("packages"))
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    report = {}
    for folder in sorted(arguments.packages.iterdir()):
        package = ModelPackage.open(folder)
        manifest, spec = package.manifest, ModelSpec.of(package.manifest)
        examples = list(scenes(spec, manifest.input.width_px, arguments.count))
        many = [visible(labels, 0) > FEW for _, labels in examples]
        looks = {
            "fp32": torch_look(load_network(folder), manifest.top_k),
            "int8.cpu": open_backend(package, InferenceSettings(package=folder)).infer,
        }
        for precision, look in looks.items():
            measured = evaluate_look(look, manifest, examples)
            report[f"{manifest.name} {precision}"] = {
                "all": part(measured, [True] * len(many)),
                f"up to {FEW} {spec.thing_names[0]}s": part(measured, [not each for each in many]),
                f"more {spec.thing_names[0]}s": part(measured, many),
            }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
