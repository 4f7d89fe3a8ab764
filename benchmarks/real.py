"""What a package measures on photographs of real plants, through the device's own code.

    python -m benchmarks.real packages/rosette ../shared/data [--pictures FOLDER]

The photographs are for measuring only: nothing here trains, calibrates or chooses a model.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import open_backend
from edge.contract.records import Outcome
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import Segmentation, decode
from edge.settings import GridPlots, InferenceSettings
from edge.traits import measure
from training.metrics import absolute_difference_in_count, difference_in_count
from training.predict import overlay

TRAY = GridPlots(rows=3, columns=6, top_left=(0.0, 0.15), bottom_right=(1.0, 0.83))
"""The pots of tray/multiplant.jpg."""


class Eye:
    """A package, looking at files; draws what it saw into ``pictures``, if given."""

    def __init__(self, path: Path, pictures: Path | None) -> None:
        self.package = ModelPackage.open(path)
        self.backend = open_backend(self.package, InferenceSettings(package=path))
        self.pictures = pictures

    def traits(self, path: Path, plots: GridPlots | None = None) -> dict[str, dict[str, float]]:
        """The traits of each plot that holds a plant."""
        manifest = self.package.manifest
        pixels = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        image, placement = fit(pixels, manifest.input.height_px, manifest.input.width_px)
        found = decode(self.backend.infer(image), manifest, placement)
        self._draw(path, image[0], found)
        measured = measure(image, found, Plots(plots).on(placement), manifest)
        return {
            plot.plot: {value.trait: value.value for value in plot.traits}
            for plot in measured
            if plot.outcome is Outcome.MEASURED
        }

    def _draw(self, path: Path, image: NDArray[np.uint8], found: Segmentation) -> None:
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(self.pictures / f"{path.parent.name}-{path.stem}.png"), overlay(image, found))


def spearman(values: list[float]) -> float:
    """Rank correlation of values with their order."""
    ranks = np.argsort(np.argsort(values))
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def timelapse(eye: Eye, folder: Path) -> dict[str, object]:
    """One rosette over twelve days: area must rise, leaves are counted by eye."""
    with (folder / "leaf_counts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    traits = [eye.traits(folder / row["file"]).get("frame", {}) for row in rows]
    areas = [entry.get("projected_leaf_area", 0.0) for entry in traits]
    leaves = [entry.get("leaf_count", 0.0) for entry in traits]
    truth = [float(row["leaves"]) for row in rows]
    return {
        "area_spearman": spearman(areas),
        "area_px2": [round(area) for area in areas],
        "leaves": leaves,
        "leaves_by_eye": truth,
        "DiC": difference_in_count(leaves, truth),
        "|DiC|": absolute_difference_in_count(leaves, truth),
        "plants": [entry.get("plant_count", 0.0) for entry in traits],
    }


def tray(eye: Eye, path: Path) -> dict[str, object]:
    """Eighteen pots, a plant in each."""
    plots = eye.traits(path, TRAY)
    return {
        "pots_with_leaf": len(plots),
        "pots_with_a_plant_centre": sum(traits["plant_count"] >= 1 for traits in plots.values()),
        "plants": sum(traits["plant_count"] for traits in plots.values()),
    }


def whole(eye: Eye, paths: Iterator[Path]) -> list[tuple[str, float, float, float]]:
    """File, plants, leaves and canopy cover of whole pictures."""
    rows = []
    for path in sorted(paths):
        traits = eye.traits(path).get("frame", {})
        counts = (traits.get("plant_count", 0.0), traits.get("leaf_count", 0.0))
        rows.append((path.name, *counts, round(traits.get("canopy_cover", 0.0), 4)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for the pictures with what was found drawn in")
    arguments = parser.parse_args()
    eye, data = Eye(arguments.package, arguments.pictures), arguments.data
    empty = whole(eye, (data / "empty-pot").glob("*.png"))
    seedlings = whole(eye, (data / "seedling-tray").glob("*.png"))
    report = {
        "arabidopsis-timelapse": timelapse(eye, data / "arabidopsis-timelapse"),
        "tray": tray(eye, data / "tray/multiplant.jpg"),
        "arabidopsis-trays": whole(eye, (data / "arabidopsis-trays").glob("*.jpg")),
        "empty-pot": {"frames": len(empty), "with_a_plant": [row for row in empty if row[1]]},
        "seedling-tray": seedlings,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
