"""What the packages measure on photographs of real plants, through the device's own code.

    python -m benchmarks.real ../shared/data --masks build/plantcv [--pictures FOLDER] [--only NAME …]

Of the tomatoes only what training held back is used, and everything else is for measuring alone: nothing here trains,
calibrates or chooses a model. plantcv_masks.py makes the masks.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import open_backend
from edge.contract.manifest import Manifest
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import Placement, fit
from edge.refine import refine
from edge.segmentation import NONE, Segmentation, decode
from edge.settings import GridPlots, InferenceSettings
from edge.traits import measure
from training import metrics
from training.args import load_settings
from training.datasets import open_dataset
from training.datasets.split import split
from training.overlay import overlay

MULTIPLANT = GridPlots(rows=3, columns=6, top_left=(0.0, 0.15), bottom_right=(1.0, 0.83))
TRAYS = {
    # by eye: where the pots are, and which of them show no plant
    "2016-09-27_1025_ch129-pos01.jpg": (
        GridPlots(rows=4, columns=5, top_left=(0.03, 0.0), bottom_right=(0.91, 0.975)),
        [],
    ),
    "2016-09-27_1340_ch129-pos01.jpg": (
        GridPlots(rows=4, columns=5, top_left=(0.03, 0.0), bottom_right=(0.91, 0.975)),
        [],
    ),
    "arabidopsis_tray.jpg": (
        GridPlots(rows=4, columns=5, top_left=(0.065, 0.0), bottom_right=(0.945, 0.965)),
        ["R1C4"],
    ),
}
SEEDLINGS = GridPlots(rows=9, columns=5, top_left=(0.07, 0.02), bottom_right=(0.94, 0.99))
DARK = ("VIS_TV_AA0168", "VIS_TV_AA0233")
MOMENTS = {"bare": [0], "first shoots": [231, 237], "next": list(range(344, 360)), "cotyledons": [679, 682]}
"""Frames of the seedling tray: two at night, the others by what they show; sixteen of them are minutes apart."""


@dataclass(frozen=True)
class Seen:
    """What a package found in a file; places are in cells of the graph's grid, ``mask`` is on the input's pixels."""

    found: Segmentation
    mask: NDArray[np.uint8]
    placement: Placement
    traits: dict[str, dict[str, float]]

    def trait(self, name: str, plot: str = "frame") -> float:
        return self.traits.get(plot, {}).get(name, 0.0)

    def fitted(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask of the file's size on the grid; numbers stay numbers."""
        rows, columns = self.placement.grid_region
        size = columns.stop - columns.start, rows.stop - rows.start
        return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)

    def overlap(self, mask: NDArray[np.uint8]) -> float:
        """Of the plant's pixels with those of a mask of the file's size."""
        return iou(self.plant, self.drawn(mask))

    @property
    def plant(self) -> NDArray[np.bool_]:
        """Plant pixels of the input where the picture lies."""
        return np.asarray(self.mask[self.placement.region] > 0)

    def drawn(self, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """A mask of the file's size on the same pixels."""
        size = self.plant.shape[::-1]
        return np.asarray(cv2.resize((mask > 0) * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 127)

    def inside(self, plane: NDArray[np.generic]) -> NDArray[Any]:
        return plane[self.placement.grid_region]


class Eye:
    """A package, looking at files; draws what it saw into ``pictures``, if given."""

    def __init__(self, path: Path, pictures: Path | None) -> None:
        self.package = ModelPackage.open(path)
        self.backend = open_backend(self.package, InferenceSettings(package=path))
        self.pictures = pictures

    @property
    def manifest(self) -> Manifest:
        return self.package.manifest

    def see(self, path: Path, plots: GridPlots | None = None) -> Seen:
        pixels = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        image, placement = fit(pixels, self.manifest.input.height_px, self.manifest.input.width_px)
        found = decode(self.backend.infer(image), self.manifest, placement)
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(
                str(self.pictures / f"{path.parent.name}-{path.stem}.png"), overlay(image[0], found, self.manifest)
            )
        measured = measure(image, found, Plots(plots).on(placement), self.manifest)
        return Seen(
            found,
            refine(image, found.plant, placement),
            placement,
            {plot.plot: {v.trait: v.value for v in plot.traits} for plot in measured},
        )


def spearman(values: Iterable[float]) -> float:
    """Rank correlation of values with their order."""
    ranks = np.argsort(np.argsort(list(values)))
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])


def iou(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


def timelapse(eye: Eye, data: Path, masks: Path) -> dict[str, Any]:
    """One rosette over twelve days, against leaves counted by eye, PlantCV's mask, and a Mask R-CNN's leaves."""
    folder = data / "arabidopsis-timelapse"
    with (folder / "leaf_counts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = [float(row["leaves"]) for row in rows]
    seen = [eye.see(folder / row["file"]) for row in rows]
    theirs = [cv2.imread(str(masks / folder.name / f"{Path(row['file']).stem}.png"), 0) for row in rows]
    leaves = [cv2.imread(str(folder / "masks" / f"{Path(row['file']).stem}.png"), cv2.IMREAD_UNCHANGED) for row in rows]
    overlaps = [each.overlap(mask) for each, mask in zip(seen, theirs, strict=True)]
    areas = [each.trait("projected_leaf_area") for each in seen]
    counts = [each.trait("leaf_count") for each in seen]
    return {
        "leaves": counts,
        "leaves_by_eye": truth,
        "DiC": metrics.difference_in_count(counts, truth),
        "|DiC|": metrics.absolute_difference_in_count(counts, truth),
        "plants": [each.trait("plant_count") for each in seen],
        "mask_iou_plantcv": [round(value, 3) for value in overlaps],
        "mean_mask_iou_plantcv": float(np.mean(overlaps)),
        "area_r_plantcv": float(np.corrcoef(areas, [float((mask > 0).sum()) for mask in theirs])[0, 1]),
        "area_spearman_with_time": spearman(areas),
        "SBD_mask_rcnn": float(
            np.mean(
                [
                    metrics.symmetric_best_dice(each.inside(each.found.instances) - NONE, each.fitted(mask))
                    for each, mask in zip(seen, leaves, strict=True)
                ]
            )
        ),
    }


def pots(eye: Eye, path: Path, grid: GridPlots, empty: list[str]) -> dict[str, Any]:
    """Plants against pots."""
    whole, seen = eye.see(path), eye.see(path, grid)
    planted = [plot for plot in seen.traits if plot not in empty]
    total = grid.rows * grid.columns - len(empty)
    return {
        "pots_with_a_plant": total,
        "plants": whole.trait("plant_count"),
        "pots_where_one_was_found": sum(seen.trait("plant_count", plot) >= 1 for plot in planted),
        "share": round(sum(seen.trait("plant_count", plot) >= 1 for plot in planted) / total, 3),
        "missed": [plot for plot in planted if seen.trait("plant_count", plot) < 1],
        "in_an_empty_pot": [plot for plot in empty if seen.trait("plant_count", plot) >= 1],
    }


def trays(eye: Eye, data: Path, _: Path) -> dict[str, Any]:
    report = {"multiplant.jpg": pots(eye, data / "tray/multiplant.jpg", MULTIPLANT, [])}
    for name, (grid, empty) in TRAYS.items():
        report[name] = pots(eye, data / "arabidopsis-trays" / name, grid, empty)
    return report


def seedlings(eye: Eye, data: Path, _: Path) -> dict[str, Any]:
    """Bare soil, then germination, then cotyledons that touch."""
    paths = [path for path in sorted((data / "seedling-tray").glob("*.png")) if path.stem not in DARK]
    whole = {path.stem: eye.see(path) for path in paths}
    covers = {name: seen.trait("canopy_cover") for name, seen in whole.items()}
    cells = {
        path.stem: sum(traits.get("canopy_cover", 0) > 0.002 for traits in eye.see(path, SEEDLINGS).traits.values())
        for path in paths
    }
    moments = {
        moment: {
            "cells_with_leaf": float(np.mean([cells[f"VIS_TV_AA{number:04d}"] for number in numbers])),
            "plants": float(np.mean([whole[f"VIS_TV_AA{number:04d}"].trait("plant_count") for number in numbers])),
            "cover": round(float(np.mean([covers[f"VIS_TV_AA{number:04d}"] for number in numbers])), 4),
        }
        for moment, numbers in MOMENTS.items()
    }
    return {
        "moments": moments,
        "plants_in_the_dark": [eye.see(data / f"seedling-tray/{name}.png").trait("plant_count") for name in DARK],
        "cells_spearman_over_frames": spearman(cells.values()),
        "cover_spearman_over_frames": spearman(covers.values()),
        "cover_spearman_over_moments": spearman(moment["cover"] for moment in moments.values()),
    }


def empty_pots(eye: Eye, data: Path, _: Path) -> dict[str, Any]:
    seen = [(path.name, eye.see(path).trait("plant_count")) for path in sorted((data / "empty-pot").glob("*.png"))]
    return {"frames": len(seen), "with_a_plant": [name for name, plants in seen if plants]}


def against_plantcv(eye: Eye, data: Path, masks: Path) -> dict[str, Any]:
    """Photographs with a colour card, a mat and shoes, and of a plant from the side."""
    report = {}
    for folder in ("colour-card", "side-view"):
        for path in sorted((data / folder).glob("*.jpg")):
            seen = eye.see(path)
            theirs = seen.drawn(cv2.imread(str(masks / folder / f"{path.stem}.png"), 0))
            ours = seen.plant
            outside = cv2.dilate(theirs.astype(np.uint8), np.ones((33, 33), np.uint8)) == 0
            report[path.name] = {
                "mask_iou": round(iou(ours, theirs), 3),
                "share_of_ours_far_from_the_plant": round(float((ours & outside).sum() / max(ours.sum(), 1)), 4),
            }
    heights = [eye.see(path).trait("extent_y") for path in sorted((data / "side-view-days").glob("*.jpg"))]
    return report | {"side-view-days heights": heights}


def tomatoes(eye: Eye, data: Path, _: Path) -> dict[str, Any]:
    """Fruit in greenhouses, in blocks that training never saw: the count, and whether each centre lies in a box."""
    dataset = split(open_dataset(data / "tomato"), load_settings(Path("configs/training/fruit.yaml")).data)[1]
    counts, truth, matched = [], [], np.zeros(3, int)
    for picture in dataset.pictures:
        seen = eye.see(dataset.folder / picture.name)
        objects = seen.found.objects
        order = np.argsort(-objects.score, kind="stable")
        boxes = np.array([annotation.box for annotation in picture.annotations], np.float64).reshape(-1, 4)
        corners = np.stack([boxes[:, 1], boxes[:, 0], boxes[:, 1] + boxes[:, 3], boxes[:, 0] + boxes[:, 2]], 1)
        y_px = ((objects.y + 0.5) * 4 - seen.placement.top_px) / seen.placement.scale
        x_px = ((objects.x + 0.5) * 4 - seen.placement.left_px) / seen.placement.scale
        hits = metrics.centres_matched(y_px[order], x_px[order], corners)
        matched += (hits.sum(), (~hits).sum(), len(boxes) - hits.sum())
        counts.append(len(objects))
        truth.append(len(boxes))
    return {
        "pictures": len(counts),
        "fruit": int(np.sum(truth)),
        "count_mae": metrics.absolute_difference_in_count(counts, truth),
        "count_difference": metrics.difference_in_count(counts, truth),
        "count_r2": metrics.coefficient_of_determination(counts, truth),
        "centre_f1": metrics.f1(*(int(number) for number in matched)),
    }


PARTS: dict[str, tuple[str, Callable[[Eye, Path, Path], dict[str, Any]]]] = {
    "arabidopsis-timelapse": ("rosette", timelapse),
    "trays": ("rosette", trays),
    "seedling-tray": ("rosette", seedlings),
    "empty-pot": ("rosette", empty_pots),
    "plantcv": ("rosette", against_plantcv),
    "tomato": ("fruit", tomatoes),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("packages"))
    parser.add_argument("--masks", type=Path, default=Path("build/plantcv"), help="what plantcv_masks.py made")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures with what was found drawn in")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    report = {}
    for name in arguments.only:
        package, part = PARTS[name]
        report[name] = part(Eye(arguments.packages / package, arguments.pictures), arguments.data, arguments.masks)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
