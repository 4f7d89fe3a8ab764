"""How soon drift is noticed, and what PSI and a daily Kolmogorov-Smirnov test would have said of the same pictures.

    python -m benchmarks.drift_faults [--package packages/rosette] [--cameras 6] [--output drift_faults.json]

Each camera is a rendered tray that grows for three weeks under lamps, sun and clouds that last, looked at every hour by
day with the package's own network. On the last day it meets each fault at each strength, in the same pictures. PSI
(above 0.2, ten bins) and KS (p below 0.05) compare the last day with the days before it, any statistic counting.
"""

import argparse
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from edge.backends import open_backend
from edge.contract.drift import DriftWindow
from edge.contract.records import Clock, Event
from edge.drift.reference import distribution, psi
from edge.drift.watch import DriftWatch
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import DriftSettings, InferenceSettings
from fleet.drift.cause import seen_by
from training.synthetic.faults import FAULTS, STRENGTHS
from training.synthetic.timelapse import Tray, render_timelapse

DAYS, HOURS = 22, range(6, 20, 1)
FIRST_DAY = 10
SOWN = datetime(2024, 5, 6, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Shot:
    """A picture, uint8 [H, W, 3] BGR, and where its plants are, bool [H, W]."""

    at: datetime
    pixels: NDArray[np.uint8]
    plants: NDArray[np.bool_]


def shots(seed: int) -> Iterator[Shot]:
    """A tray under weather: clouds that stay for hours, and for days."""
    rng, cloud, day_cloud = np.random.default_rng((5, seed)), 0.0, 0.0
    for moment in render_timelapse(seed, Tray(), FIRST_DAY + DAYS, 1):
        hour = int(moment.hour)
        if hour % 24 == 0:
            day_cloud = 0.7 * day_cloud + 0.7 * rng.normal()
        cloud = 0.75 * cloud + 0.65 * rng.normal()
        if hour < FIRST_DAY * 24 or hour % 24 not in HOURS:
            continue
        light = 1 - 0.18 / (1 + np.exp(-(cloud + 1.5 * day_cloud)))
        colour = 1 + 0.04 * (1 - light) * np.array([1.0, 0.0, -1.0])
        pixels = np.clip(moment.scene.pixels * (light * colour), 0, 255).astype(np.uint8)
        yield Shot(SOWN + timedelta(hours=hour), pixels, moment.scene.labels.instances[0] > 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    package = ModelPackage.open(options.package)
    rows = [row for seed in range(options.cameras) for row in watch(package, 300 + seed)]
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1))
    print(json.dumps(summary(rows), indent=1))


def watch(package: ModelPackage, seed: int) -> Iterator[dict[str, Any]]:
    """One row for each fault and strength, and one for the last day as it is."""
    backend = open_backend(package, InferenceSettings(package=package.path))
    size = package.manifest.input

    def look(drift: DriftWatch, shot: Shot, pixels: NDArray[np.uint8]) -> None:
        image, placement = fit(pixels, size.height_px, size.width_px)
        inference = backend.infer(image)
        clock = Clock(at=shot.at, monotonic_s=0.0, boot_id="benchmark", clock_ok=True)
        drift.look(clock, package, image, placement, inference, decode(inference, package.manifest, placement))

    drift = _Memoryless(DriftSettings())
    last: list[Shot] = []
    for shot in shots(seed):
        if shot.at < SOWN + timedelta(days=FIRST_DAY + DAYS - 1):
            look(drift, shot, shot.pixels)
        else:
            last.append(shot)
    before = drift.alarmed_on
    for name, strength, change in _cases():
        tried = deepcopy(drift)
        for shot in last:
            look(tried, shot, change(shot.pixels, shot.plants, strength, seed))
        yield {
            "camera": seed,
            "fault": name,
            "strength": strength,
            "days_alarmed_before": len(before),
            "noticed_after": tried.captures_to_alarm(len(last)),
            "alarms": tried.alarms,
            "cause": tried.cause(),
            "scores": tried.scores,
            "changes": tried.changes,
            **tried.others(len(last)),
        }


def _cases() -> Iterator[tuple[str, float, Any]]:
    yield "none", 0.0, lambda pixels, *_: pixels
    for name, fault in FAULTS.items():
        for strength in STRENGTHS.values():
            yield name, strength, fault


class _Memoryless(DriftWatch):
    """A watch that keeps nothing on a disk, and every value that it has seen."""

    def __init__(self, settings: DriftSettings) -> None:
        self.seen: list[dict[str, float]] = []
        self.alarming: list[tuple[str, ...]] = []
        self.alarmed_on: set[int] = set()
        self.windows: list[DriftWindow] = []
        super().__init__("camera", settings, Path("/nonexistent"), self._keep)

    def _keep(self, record: DriftWindow | Event) -> None:
        if isinstance(record, DriftWindow):
            self.windows.append(record)

    def cause(self) -> str:
        """What the fleet makes of the last day."""
        self._close_windows()
        return seen_by(self.windows[-1])[0].value

    def _save(self) -> None:
        self.alarming.append(self.alarms)
        if self.alarms:
            self.alarmed_on.add(len(self.alarming) // len(HOURS))

    def take(self, clock: Clock, model: str, light: str, values: dict[str, float], *rest: Any, **named: Any) -> None:
        self.seen.append(dict(values))
        super().take(clock, model, light, values, *rest, **named)

    @property
    def alarms(self) -> tuple[str, ...]:
        return self._memory.notes.alarms

    def captures_to_alarm(self, last: int) -> int | None:
        return next((index for index, alarms in enumerate(self.alarming[-last:], start=1) if alarms), None)

    def others(self, last: int) -> dict[str, bool]:
        names = [name for name in self.seen[-1] if name != "features"]
        past = {name: [row[name] for row in self.seen[:-last]] for name in names}
        today = {name: [row[name] for row in self.seen[-last:]] for name in names}
        said = {"psi": False, "ks": False}
        for name in names:
            law = distribution(past[name])
            bins = np.bincount(np.searchsorted(law.edges, today[name], side="right"), minlength=10)
            said["psi"] |= psi(bins.tolist(), law.shares) > 0.2
            said["ks"] |= float(ks_2samp(past[name], today[name]).pvalue) < 0.05
        return {key: bool(value) for key, value in said.items()}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of the cameras on which each was noticed within the day."""
    cases = sorted({(row["fault"], row["strength"]) for row in rows})
    return {
        f"{fault} {strength}": {
            "noticed": float(np.mean([row["noticed_after"] is not None for row in mine])),
            "captures": float(np.median([row["noticed_after"] or np.inf for row in mine])),
            "named": [row["cause"] for row in mine if row["noticed_after"] is not None],
            "psi": float(np.mean([row["psi"] for row in mine])),
            "ks": float(np.mean([row["ks"] for row in mine])),
        }
        for fault, strength in cases
        for mine in [[row for row in rows if (row["fault"], row["strength"]) == (fault, strength)]]
    }


if __name__ == "__main__":
    main()
