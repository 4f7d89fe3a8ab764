"""How near the estimated error of counts comes to the true one, on pictures with known truth, through every fault.

    python -m benchmarks.estimated_error [--package packages/rosette] [--trays 3]

The package must know how its counts err (``canopy-train count-errors``). Rendered trays of other seeds, one of them of
a layout that the package was not measured on, grow for a month and meet each fault at strengths of their own. What a
camera knows of its last days is here the same picture without the fault.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.backends import open_backend
from edge.contract.drift import Moments, WindowSums
from edge.contract.reference import REFERENCE_FILE, Reference
from edge.drift.count_errors import estimated
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from training.count_errors import grown, look
from training.synthetic.faults import FAULTS, STRENGTHS
from training.synthetic.timelapse import Tray

SEED = 6_000_000
TRAYS = (Tray(), Tray(rows=3, columns=4, cell_px=250), Tray(rows=4, columns=6, cell_px=170))
"""The second layout is one that no package was measured on."""

Seen = tuple[str, float, int]


@dataclass(frozen=True)
class Day:
    """A thing on one tray's day under one fault: the true error, and what was estimated of it."""

    tray: int
    picture: int
    fault: str
    thing: str
    true: float
    error: float
    low: float
    high: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--trays", type=int, default=len(TRAYS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    days = list(looked_at(ModelPackage.open(options.package), options.trays))
    things = sorted({day.thing for day in days})
    parts = {thing: [day for day in days if day.thing == thing] for thing in things}
    found = {thing: said_of(own) for thing, own in parts.items()}
    for thing, own in parts.items():
        found[f"{thing}, what a fault adds"] = said_of(added(own))
        for number in range(options.trays):
            found[f"{thing}, tray {number}"] = said_of([day for day in own if day.tray == number])
    print(json.dumps(found, indent=1))


def looked_at(package: ModelPackage, trays: int) -> Iterator[Day]:
    """Every tray on every day under every fault; what has no estimate is left out."""
    known = Reference.model_validate_json((package.path / REFERENCE_FILE).read_bytes()).count_errors
    backend = open_backend(package, InferenceSettings(package=package.path))
    for number, tray in enumerate(TRAYS[:trays]):
        for index, picture in enumerate(grown(SEED + number, tray)):
            before: list[Seen] = []
            cases = [("none", picture.pixels)]
            cases += [
                (name, fault(picture.pixels, picture.plants, strength, index))
                for name, fault in FAULTS.items()
                for strength in STRENGTHS.values()
            ]
            for name, pixels in cases:
                seen = list(look(package, backend, pixels))
                before = seen if name == "none" else before
                for thing, error in estimated(_sums(seen), _changes(before, seen), known).items():
                    true = abs(error.found - picture.counts[thing])
                    yield Day(number, index, name, thing, true, error.error, error.low, error.high)


def added(days: list[Day]) -> list[Day]:
    """What lies between each picture under a fault and the same picture without it."""
    without = {(day.tray, day.picture): day for day in days if day.fault == "none"}
    found = []
    for day in days:
        plain = without.get((day.tray, day.picture))
        if plain is not None and day is not plain:
            low, high = day.low - plain.true, day.high - plain.true
            found.append(replace(day, true=day.true - plain.true, error=day.error - plain.error, low=low, high=high))
    return found


def _changes(before: list[Seen], now: list[Seen]) -> dict[str, float]:
    changes = {}
    for (thing, score, count), (_, score_before, count_before) in zip(now, before, strict=True):
        changes |= {f"count.{thing}": float(count - count_before), f"score.{thing}": score - score_before}
    return changes


def _sums(seen: list[Seen]) -> WindowSums:
    moments = {}
    for thing, score, found in seen:
        moments[f"score.{thing}"] = Moments(count=1, mean=score, m2=0.0)
        moments[f"count.{thing}"] = Moments(count=1, mean=found, m2=0.0)
    return WindowSums(captures=1, moments=moments)


def said_of(days: list[Day]) -> dict[str, float]:
    """``r2``: of the true errors' variance the share that the estimates tell; ``typical``: always the mean's error."""
    true, error, low, high = (
        np.array([getattr(day, name) for day in days]) for name in ("true", "error", "low", "high")
    )
    apart = np.abs(true - error)
    numbers = {
        "days": len(days),
        "true error": true.mean(),
        "estimated error": error.mean(),
        "off by": apart.mean(),
        "the mean would be off by": np.abs(true - true.mean()).mean(),
        "r2": 1 - np.sum((true - error) ** 2) / max(1e-9, np.sum((true - true.mean()) ** 2)),
        "within the interval": np.mean((true >= low) & (true <= high)),
        "interval": (high - low).mean(),
    }
    return {name: round(float(value), 3) for name, value in numbers.items()}


if __name__ == "__main__":
    main()
