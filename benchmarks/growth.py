"""Growth, areas and counts over a rendered time-lapse of 30 days, by the device's own path, against what was rendered.

    python -m benchmarks.growth [--package packages/rosette] [--seeds 101 102]

Four pictures a day, fitted, inferred, decoded and measured as on the device, on two trays: fifteen small pots, and six
larger ones seen from nearer. Those of noon are read; from all of them leaves are followed. The truth is what is seen of
each plant: pixels that no other leaf covers. Every seventh noon is left out of the growth rate, as if the device had
been off.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import open_backend
from edge.contract.growth import daily, phyllochron, relative_growth_rate
from edge.contract.records import Outcome, TraitValue
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import fit
from edge.region import Region
from edge.segmentation import decode
from edge.settings import GridPlots, InferenceSettings
from edge.shape import SHAPE
from edge.tracking.leaves import LeafMemory
from edge.traits import measure
from training.synthetic.timelapse import Moment, Tray, render_timelapse

DAYS, STEP_H, NOON_H = 30, 6, 12
WINDOW_DAYS = 7
SOWN = datetime(2024, 5, 6, tzinfo=timezone.utc)
TRAYS = {"3 x 5 pots": Tray(), "2 x 3 pots": Tray(rows=2, columns=3, cell_px=340)}
SHAPES = ("convex_hull_area", "solidity", "extent_x", "extent_y")


@dataclass(frozen=True)
class Reading:
    """One plant at one noon: what is there, and what was measured."""

    day: int
    plant: str
    leaves: int
    area_px2: float
    shape: dict[str, float]
    outcome: Outcome
    traits: dict[str, TraitValue]

    def value(self, trait: str) -> float:
        return self.traits[trait].value

    def error(self, trait: str, truth: float) -> float:
        return self.value(trait) / truth - 1


def look(package: ModelPackage, tray: Tray, seed: int) -> Iterator[Reading]:
    """Readings of every plant at every noon."""
    manifest = package.manifest.model_copy(update={"traits": ("top_view",)})
    backend = open_backend(package, InferenceSettings(package=package.path))
    top_left, bottom_right = tray.corners
    plots = Plots(GridPlots(rows=tray.rows, columns=tray.columns, top_left=top_left, bottom_right=bottom_right))
    memory = LeafMemory()
    for moment in render_timelapse(seed, tray, DAYS, STEP_H):
        image, placement = fit(moment.scene.pixels, manifest.input.height_px, manifest.input.width_px)
        found = decode(backend.infer(image), manifest, placement)
        followed = partial(memory.step, at=SOWN + timedelta(hours=moment.hour))
        entries = measure(image, found, plots.on(placement), manifest, followed=followed)
        for entry in entries if moment.hour % 24 == NOON_H else []:
            leaves, area_px2 = moment.truth(entry.plot)
            if leaves:
                shape = true_shape(moment, entry.plot)
                traits = {value.trait: value for value in entry.traits}
                yield Reading(
                    int(moment.hour // 24), f"{seed} {entry.plot}", leaves, area_px2, shape, entry.outcome, traits
                )


def true_shape(moment: Moment, plot: str) -> dict[str, float]:
    """Shape of what is seen of a plant, from its rendered pixels."""
    plants, leaves = moment.scene.labels.instances
    own = ((plants == moment.plots.index(plot) + 1) & (leaves > 0)).astype(np.uint8) * np.uint8(255)
    region = Region(own, moment.scene.pixels)
    estimates = {name: SHAPE[name](region) for name in SHAPES}
    return {name: estimate.value for name, estimate in estimates.items() if estimate}


def area_report(readings: list[Reading]) -> dict[str, Any]:
    seen = [reading for reading in readings if "projected_leaf_area" in reading.traits]
    errors = np.array([reading.error("projected_leaf_area", reading.area_px2) for reading in seen])
    total = sum(reading.value("projected_leaf_area") for reading in seen) / sum(reading.area_px2 for reading in seen)
    return {
        "mean_absolute_relative_error": round(float(np.abs(errors).mean()), 4),
        "bias": round(float(errors.mean()), 4),
        "error_of_the_sum": round(total - 1, 4),
        "by_week": {
            f"days {first} to {first + 6}": week(errors, [reading.day for reading in seen], first)
            for first in range(0, DAYS, 7)
        },
        "plants_not_found_though_there": sum(reading.outcome is Outcome.NO_PLANT for reading in readings),
        "readings": len(readings),
    }


def week(errors: NDArray[np.float64], days: list[int], first: int) -> float | None:
    own = np.abs(errors[[first <= day < first + 7 for day in days]])
    return round(float(own.mean()), 4) if own.size else None


def count_report(readings: list[Reading], trait: str) -> dict[str, Any]:
    seen = [reading for reading in readings if reading.outcome is Outcome.MEASURED]
    errors = np.array([reading.value(trait) - reading.leaves for reading in seen])
    leaves = np.array([reading.leaves for reading in seen])
    return {
        "mean_absolute_error": round(float(np.abs(errors).mean()), 3),
        "bias": round(float(errors.mean()), 3),
        "by_leaves_there": {
            f"{low} to {high}": round(float(np.abs(errors[(low <= leaves) & (leaves <= high)]).mean()), 3)
            for low, high in ((1, 4), (5, 8), (9, 12), (13, 30))
            if ((low <= leaves) & (leaves <= high)).any()
        },
    }


def shape_report(readings: list[Reading]) -> dict[str, float]:
    return {
        name: round(
            float(
                np.mean(
                    [
                        abs(reading.error(name, reading.shape[name]))
                        for reading in readings
                        if name in reading.traits and name in reading.shape
                    ]
                )
            ),
            4,
        )
        for name in SHAPES
    }


def coverage(readings: list[Reading]) -> dict[str, dict[str, float]]:
    """How many errors lie within one and two of the standard deviations that stand beside the values."""
    truths = {
        "projected_leaf_area": lambda reading: reading.area_px2,
        "leaf_count": lambda reading: reading.leaves,
        **{name: (lambda reading, name=name: reading.shape.get(name)) for name in SHAPES},
    }
    report = {}
    for name, truth in truths.items():
        pairs = [
            (abs(reading.value(name) - truth(reading)), reading.traits[name].uncertainty or 0)
            for reading in readings
            if name in reading.traits and truth(reading) is not None and reading.outcome is Outcome.MEASURED
        ]
        errors, sds = np.array(pairs).T
        report[name] = {f"within {k} sd": round(float((errors <= k * sds).mean()), 3) for k in (1, 2)}
    return report


def growth_report(readings: list[Reading]) -> dict[str, Any]:
    """Growth rate of each plant in every window of a week, and over the month; every seventh day is missing."""
    errors, month = [], []
    leaf_days: dict[str, list[float]] = {"leaf_count": [], "leaf_count_followed": []}
    for plant in sorted({reading.plant for reading in readings}):
        own = [
            reading
            for reading in readings
            if reading.plant == plant and reading.day % 7 != 6 and "projected_leaf_area" in reading.traits
        ]
        for first in range(own[0].day, DAYS - WINDOW_DAYS + 1):
            window = [reading for reading in own if first <= reading.day < first + WINDOW_DAYS]
            ours, truth = rates(window)
            if ours and truth:
                errors.append((ours - truth, truth))
        ours, truth = rates(own)
        if ours and truth:
            month.append(ours / truth - 1)
        truth = phyllochron(series(own, None))
        for counted, found in leaf_days.items():
            if (ours := phyllochron(series(own, counted))) and truth:
                found.append(ours.value / truth.value - 1)
    off, true = np.array(errors).T
    return {
        "weeks": len(off),
        "mean_absolute_error_of_a_week_over_mean_rate": round(float(np.abs(off).mean() / true.mean()), 4),
        "mean_rate_per_day": round(float(true.mean()), 4),
        "while_faster_than_0.1_a_day": round(float((np.abs(off) / true)[true > 0.1].mean()), 4),
        "bias_while_faster_than_0.1_a_day": round(float((off / true)[true > 0.1].mean()), 4),
        "month_mean_absolute_relative_error": round(float(np.abs(month).mean()), 4),
        "phyllochron_of_the_month_mean_absolute_relative_error": {
            counted: round(float(np.abs(found).mean()), 4) for counted, found in leaf_days.items()
        },
    }


def rates(readings: list[Reading]) -> tuple[float | None, float | None]:
    """Relative growth rate as measured, and of the truth."""
    found = [relative_growth_rate(series(readings, trait)) for trait in ("projected_leaf_area", "")]
    return tuple(rate.value if rate else None for rate in found)  # type: ignore[return-value]


def series(readings: list[Reading], trait: str | None) -> list[tuple[float, float]]:
    """Daily values of a trait; of the true area for an empty name, of the true count for none."""
    values = [
        reading.leaves if trait is None else reading.value(trait) if trait else reading.area_px2 for reading in readings
    ]
    times = [SOWN + timedelta(days=reading.day, hours=NOON_H) for reading in readings]
    return daily(zip(times, map(float, values), strict=True), (10, 14), timezone.utc)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    package = ModelPackage.open(arguments.package)
    report = {}
    for name, tray in TRAYS.items():
        readings = [reading for seed in arguments.seeds for reading in look(package, tray, seed)]
        report[name] = {
            "area": area_report(readings),
            "growth": growth_report(readings),
            "leaf_count": count_report(readings, "leaf_count"),
            "leaf_count_followed": count_report(readings, "leaf_count_followed"),
            "shape_mean_absolute_relative_error": shape_report(readings),
            "coverage": coverage(readings),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
