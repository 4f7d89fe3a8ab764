"""How soon drift is noticed, and what PSI and a daily Kolmogorov-Smirnov test would have said of the same pictures.

    python -m benchmarks.drift_faults [--package packages/rosette] [--cameras 6] [--faults exposure …]
        [--output drift_faults.json]

Each camera is a rendered tray that grows for three weeks under lamps, sun and clouds that last, looked at every hour by
day with the package's own network; of the pictures in between, one in ten minutes, only the brightness counts. On the
last day it meets each fault at each strength, in the same pictures. ``--faults`` takes some of them only. PSI
(above 0.2, ten bins) and KS (p below 0.05) compare the last day with the days before it, any statistic counting.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
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
from edge.contract.manifest import GraphInput
from edge.contract.records import Clock, Event
from edge.drift.reference import distribution, psi
from edge.drift.watch import DriftWatch
from edge.package import ModelPackage
from edge.preprocess import Placement, fit
from edge.segmentation import decode
from edge.settings import DriftSettings, InferenceSettings
from fleet.drift.cause import seen_by
from training.synthetic.faults import FAULTS, STRENGTHS
from training.synthetic.timelapse import Tray, render_timelapse

DAYS, HOURS = 22, range(6, 20, 1)
FIRST_DAY = 10
SOWN = datetime(2024, 5, 6, tzinfo=timezone.utc)
BETWEEN = 5
BETWEEN_STRIDE_PX = 8

Change = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]
"""What befalls a picture, by where its plants are."""


@dataclass(frozen=True)
class Shot:
    """A picture, uint8 [H, W, 3] BGR, and where its plants are, bool [H, W].

    ``lights``: how bright the pictures of the ten minutes before were against it, ``BETWEEN`` of them.
    """

    at: datetime
    pixels: NDArray[np.uint8]
    plants: NDArray[np.bool_]
    lights: NDArray[np.float64]


def shots(seed: int) -> Iterator[Shot]:
    """A tray under weather: clouds that stay for hours, and for days."""
    rng, cloud, day_cloud = np.random.default_rng((5, seed)), 0.0, 0.0
    passing = np.random.default_rng((6, seed))
    moments = render_timelapse(seed, Tray(), FIRST_DAY + DAYS, 1, wanted=_looked_at)
    for hour in range((FIRST_DAY + DAYS) * 24):
        if hour % 24 == 0:
            day_cloud = 0.7 * day_cloud + 0.7 * rng.normal()
        before, cloud = cloud, 0.75 * cloud + 0.65 * rng.normal()
        if not _looked_at(hour):
            continue
        moment = next(moments)
        light = _light(cloud + 1.5 * day_cloud)
        clouds = np.linspace(before, cloud, BETWEEN + 2)[1:-1] + 0.25 * passing.normal(size=BETWEEN)
        lights = _light(clouds + 1.5 * day_cloud) / light * (1 + 0.01 * passing.normal(size=BETWEEN))
        colour = 1 + 0.04 * (1 - light) * np.array([1.0, 0.0, -1.0])
        pixels = np.clip(moment.scene.pixels * (light * colour), 0, 255).astype(np.uint8)
        yield Shot(SOWN + timedelta(hours=hour), pixels, moment.scene.labels.instances[0] > 0, lights)


def _looked_at(hour: float) -> bool:
    return hour >= FIRST_DAY * 24 and int(hour) % 24 in HOURS


def _light(clouds: Any) -> Any:
    return 1 - 0.18 / (1 + np.exp(-clouds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    package = ModelPackage.open(options.package)
    rows = [row for seed in range(options.cameras) for row in watch(package, 300 + seed, options.faults)]
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1))
    print(json.dumps(summary(rows), indent=1))


def watch(package: ModelPackage, seed: int, faults: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One row for each fault and strength, and one for the last day as it is."""
    backend = open_backend(package, InferenceSettings(package=package.path))
    size = package.manifest.input

    def look(drift: DriftWatch, shot: Shot, change: Change) -> None:
        for image, placement, clock in _between(shot, change, size):
            drift.glance(clock, image, placement)
        image, placement = fit(change(shot.pixels, shot.plants), size.height_px, size.width_px)
        inference = backend.infer(image)
        clock = _clock(shot.at)
        drift.glance(clock, image, placement)
        drift.look(clock, package, image, placement, inference, decode(inference, package.manifest, placement))

    drift = _Memoryless(DriftSettings())
    last: list[Shot] = []
    for shot in shots(seed):
        if shot.at < SOWN + timedelta(days=FIRST_DAY + DAYS - 1):
            look(drift, shot, lambda pixels, _: pixels)
        else:
            last.append(shot)
    before = drift.alarmed_on
    for name, strength, change in _cases(faults, seed):
        tried = deepcopy(drift)
        for shot in last:
            look(tried, shot, change)
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


def _between(shot: Shot, change: Change, size: GraphInput) -> Iterator[tuple[NDArray[np.uint8], Placement, Clock]]:
    """The pictures of the ten minutes before, fitted: small, since only their brightness is looked at."""
    pixels, plants = (whole[::BETWEEN_STRIDE_PX, ::BETWEEN_STRIDE_PX] for whole in (shot.pixels, shot.plants))
    for number, light in enumerate(shot.lights):
        lit = np.clip(pixels * light, 0, 255).astype(np.uint8)
        image, placement = fit(change(lit, plants), size.height_px, size.width_px)
        yield image, placement, _clock(shot.at - timedelta(minutes=10 * (BETWEEN - number)))


def _clock(at: datetime) -> Clock:
    return Clock(at=at, monotonic_s=at.timestamp(), boot_id="benchmark", clock_ok=True)


def _cases(faults: Sequence[str], seed: int) -> Iterator[tuple[str, float, Change]]:
    yield "none", 0.0, lambda pixels, _: pixels
    for name in faults:
        for strength in STRENGTHS.values():
            yield (
                name,
                strength,
                lambda pixels, plants, name=name, strength=strength: FAULTS[name](pixels, plants, strength, seed),
            )


class _Memoryless(DriftWatch):
    """A watch that keeps nothing on a disk, and every value that it has seen."""

    def __init__(self, settings: DriftSettings) -> None:
        self.seen: list[dict[str, float]] = []
        self.alarming: list[tuple[str, ...]] = []
        self.alarmed_on: set[int] = set()
        self.windows: list[DriftWindow] = []
        super().__init__("camera", settings, Path("/nonexistent"), self._keep)

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Memoryless":
        """With the same lock, which nobody else wants."""
        copied = memo[id(self)] = copy(self)
        vars(copied).update({name: deepcopy(value, memo) for name, value in vars(self).items() if name != "_lock"})
        return copied

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
        past, today = (
            {name: [row[name] for row in rows if np.isfinite(row[name])] for name in names}
            for rows in (self.seen[:-last], self.seen[-last:])
        )
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
