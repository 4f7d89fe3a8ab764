"""Watches one camera for drift: looks at a capture now and then, closes a window each day, tells of a change.

It is part of the loop's step and costs little: a capture is looked at once in ``every_s``, by day, if its picture was
good enough to measure.
"""

import logging
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.drift import DriftWindow, discoveries
from edge.contract.message import Digest
from edge.contract.records import Clock, Event, EventKind
from edge.contract.reference import REFERENCE_FILE, Distribution, Reference
from edge.drift.count_errors import estimated
from edge.drift.flicker import Flicker
from edge.drift.memory import Memory, OpenWindow
from edge.drift.recent import median
from edge.drift.reference import Fourier, by_band, digest_of, jensen_shannon, psi, sums_of
from edge.drift.statistics import answer_statistics, light_band, picture_statistics
from edge.package import ModelPackage
from edge.preprocess import Placement
from edge.segmentation import Segmentation
from edge.settings.drift import DriftSettings

FEATURES = "features"
"""The statistic that the graph's features give: their squared distance from the last days' at this hour."""

FOLLOW = 0.2
"""How much of a new capture goes into the mean of its hour: about the last five days."""

FLICKER = "flicker"

MOST_CLEAN = 1_000

Record = Callable[[DriftWindow | Event], None]
log = logging.getLogger(__name__)


class DriftWatch:
    """Drift of one camera.

    Args:
        camera: its name.
        settings: how it is watched.
        folder: where what is known of it is kept.
        record: takes windows and events; called in the loop's thread.
    """

    def __init__(self, camera: str, settings: DriftSettings, folder: Path, record: Record) -> None:
        self._camera, self._settings, self._record = camera, settings, record
        self._path = folder / f"{camera}.npz"
        self._memory = Memory.load(self._path)
        self._flicker = Flicker()
        self._lock = threading.Lock()
        self._reference: Reference | None = None
        self._fourier: Fourier | None = None
        self._package = ""

    def due(self, clock: Clock) -> bool:
        """Whether a picture of this time is to be looked at; none is while the clock is not believed."""
        last = self._memory.notes.looked_at
        return clock.clock_ok and (last is None or abs(clock.at - last) >= timedelta(seconds=self._settings.every_s))

    def glance(self, clock: Clock, image: NDArray[np.uint8], placement: Placement) -> None:
        """Note how bright a fitted picture is, due or not."""
        self._flicker.take(clock, image, placement)

    def look(
        self,
        clock: Clock,
        package: ModelPackage,
        image: NDArray[np.uint8],
        placement: Placement,
        inference: Inference,
        found: Segmentation,
    ) -> None:
        """Look at a fitted picture, uint8 [1, H, W, 3], and what was found in it. A defect here costs no reading."""
        try:
            self._look(clock, package, image, placement, inference, found)
        except Exception:  # the reading that is being made matters more
            log.exception("camera %s could not be looked at for drift", self._camera)

    def _look(
        self,
        clock: Clock,
        package: ModelPackage,
        image: NDArray[np.uint8],
        placement: Placement,
        inference: Inference,
        found: Segmentation,
    ) -> None:
        seen = picture_statistics(image, placement) | {FLICKER: self._flicker.told()}
        values = seen | answer_statistics(image, placement, inference, found, package.manifest)
        self._open(package)
        terms = self._terms(inference)
        values[FEATURES] = self._distance(clock.at.hour, terms)
        answers = frozenset(values) - frozenset(seen)
        self.take(clock, package.digest, light_band(seen), values, terms, answers=answers)

    def take(
        self,
        clock: Clock,
        model: Digest,
        light: str,
        values: dict[str, float],
        terms: NDArray[np.float64],
        answers: frozenset[str] = frozenset(),
    ) -> None:
        """Take a capture that was looked at: by its light, its statistics, and its features' Fourier terms.

        ``answers`` are the statistics that begin anew with another model and another stage of the crop.
        """
        with self._lock:
            self._take(clock, model, light, values, terms, answers)

    def _take(
        self,
        clock: Clock,
        model: Digest,
        light: str,
        values: dict[str, float],
        terms: NDArray[np.float64],
        answers: frozenset[str],
    ) -> None:
        memory, notes = self._memory, self._memory.notes
        stage = self._settings.stage_on(clock.at.date())
        self._begin_anew_if_other(tuple(values), model, stage, answers)
        if notes.day is not None and notes.day != clock.at.date():
            self._close_windows()
        notes.day, notes.looked_at = clock.at.date(), clock.at
        now = np.array(list(values.values()))
        score = memory.recent.score(clock.at.hour, now)
        memory.today[:, clock.at.hour] = score, memory.recent.change(clock.at.hour, now)
        memory.detector.take(score)
        memory.recent.keep(clock.at.hour, now)
        mean = memory.fourier[clock.at.hour]
        memory.fourier[clock.at.hour] = np.where(np.isfinite(mean), mean + FOLLOW * (terms - mean), terms)
        self._grow_windows(clock, light if stage is None else f"{light}.{stage}", values, terms)
        self._tell_of_change(clock)
        self._save()

    def forget(self, command: str) -> bool:
        """Forget what the camera showed until now: what it shows from now on is how it is. For any thread.

        Returns:
            Whether anything was to be done: a command that is heard twice forgets once, also after a restart.

        Raises:
            OSError: it cannot be kept, so it counts as not done.
        """
        with self._lock:
            notes = self._memory.notes
            if notes.forgot_for == command:
                return False
            self._memory.start_over()
            notes.windows = [window for window in notes.windows if not window.rebased]
            notes.own, notes.clean, notes.clean_since, notes.alarms = {}, [], None, ()
            before, notes.forgot_for = notes.forgot_for, command
            try:
                self._write()
            except OSError:
                notes.forgot_for = before
                raise
        return True

    @property
    def evidence(self) -> dict[str, float]:
        """How much speaks for a change of each statistic."""
        return dict(zip(self._memory.notes.names, self._memory.detector.evidence.tolist(), strict=True))

    @property
    def alarms(self) -> dict[str, float]:
        """The evidence of the statistics that have changed."""
        return {name: value for name, value in self.evidence.items() if name in self._memory.notes.alarms}

    @property
    def scores(self) -> dict[str, float]:
        """How far today's middle capture lies from the last days, in their spread."""
        return self._middle_of_today(0)

    @property
    def changes(self) -> dict[str, float]:
        """The same in each statistic's own unit."""
        return self._middle_of_today(1)

    def _middle_of_today(self, row: int) -> dict[str, float]:
        middle = median(self._memory.today[row].astype(np.float64))
        known = zip(self._memory.notes.names, middle.tolist(), strict=True)
        return {name: float(f"{value:.4g}") for name, value in known if np.isfinite(value)}

    def _open(self, package: ModelPackage) -> None:
        """Take another model's reference."""
        if package.digest == self._package:
            return
        self._package = package.digest
        path = package.path / REFERENCE_FILE
        self._reference = Reference.model_validate_json(path.read_bytes()) if path.is_file() else None
        self._fourier = (
            Fourier(self._reference.features_mean, self._reference.features_deviation) if self._reference else None
        )

    def _terms(self, inference: Inference) -> NDArray[np.float64]:
        if self._fourier is None:
            self._fourier = Fourier((0.0,) * len(inference.features), (1.0,) * len(inference.features))
        return self._fourier.terms(inference.features)

    def _distance(self, hour: int, terms: NDArray[np.float64]) -> float:
        """From the mean of the last days at this hour; NaN before there is one."""
        return float(np.sum((terms - self._memory.fourier[hour]) ** 2))

    def _begin_anew_if_other(
        self, names: tuple[str, ...], model: Digest, stage: str | None, answers: frozenset[str]
    ) -> None:
        memory, notes = self._memory, self._memory.notes
        same_model, same_stage = model == notes.package, stage == notes.stage
        if names != notes.names:
            memory.begin(names)
        elif not (same_model and same_stage):
            memory.forget(np.array([name in answers for name in names]))
        if names != notes.names or not same_model:
            notes.own, notes.windows = {}, []
        if not (same_model and same_stage):
            notes.clean, notes.clean_since = [], None
        notes.names, notes.package, notes.stage = names, model, stage

    def _grow_windows(self, clock: Clock, band: str, values: dict[str, float], terms: NDArray[np.float64]) -> None:
        notes = self._memory.notes
        for reference, rebased in ((self._of_package(band), False), (notes.own.get(band, {}), True)):
            if not reference:
                continue
            digest, sums = digest_of(reference), sums_of(values, terms, reference)
            for window in notes.windows:
                if (window.band, window.reference) == (band, digest):
                    window.take(clock, sums)
                    break
            else:
                notes.windows.append(
                    OpenWindow(band=band, reference=digest, rebased=rebased, since=clock, until=clock, sums=sums)
                )
        if band not in notes.own and len(notes.clean) < MOST_CLEAN:
            notes.clean.append((band, {name: value for name, value in values.items() if np.isfinite(value)}))

    def _of_package(self, band: str) -> dict[str, Distribution]:
        return self._reference.of(band.split(".", maxsplit=1)[0]) if self._reference else {}

    def _close_windows(self) -> None:
        """The day is over: what it was like goes out, and it may have been the last of the first clean days.

        A window that cannot be told is gone with its day; the days after it are not.
        """
        notes = self._memory.notes
        windows, notes.windows = notes.windows, []
        for window in windows:
            try:
                self._record(self._closed(window))
            except ValueError:
                log.exception("camera %s: a window of drift cannot be told", self._camera)
        self._memory.today[:] = np.nan
        self._rebase(notes.day)

    def _closed(self, window: OpenWindow) -> DriftWindow:
        notes = self._memory.notes
        reference = notes.own.get(window.band, {}) if window.rebased else self._of_package(window.band)
        counted = {name: bins for name, bins in window.sums.histograms.items() if name in reference}
        return DriftWindow(
            camera=self._camera, model=notes.package, reference=window.reference, rebased=window.rebased,
            band=window.band, since=window.since, until=window.until, sums=window.sums,
            psi={name: psi(bins, reference[name].shares) for name, bins in counted.items()},
            js={name: jensen_shannon(bins, reference[name].shares) for name, bins in counted.items()},
            scores=self.scores, changes=self.changes,
            evidence={name: value for name, value in self.evidence.items() if value > 0}, alarms=notes.alarms,
            count_errors=estimated(
                window.sums, self.changes, self._reference.count_errors if self._reference else {}
            ),
        )  # fmt: skip

    def _rebase(self, day: date | None) -> None:
        notes = self._memory.notes
        if notes.alarms or notes.clean_since is None:
            notes.clean, notes.clean_since = [], day
        elif day is not None and (day - notes.clean_since).days >= self._settings.rebase_days and notes.clean:
            notes.own = by_band(notes.clean) | notes.own
            notes.clean = [(band, values) for band, values in notes.clean if band not in notes.own]

    def _tell_of_change(self, clock: Clock) -> None:
        notes = self._memory.notes
        alarms = discoveries(self.evidence, self._settings.alpha)
        fresh = [name for name in alarms if name not in notes.alarms]
        notes.alarms = alarms
        if fresh:
            message = f"camera {self._camera} has changed: {', '.join(fresh)} unlike the last days at this hour"
            detail = {name: f"{self.evidence[name]:.3g}" for name in fresh[:32]}
            self._record(Event(kind=EventKind.DRIFT, clock=clock, message=message, camera=self._camera, detail=detail))

    def _save(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.warning("what is known of drift of camera %s cannot be kept: %s", self._camera, error)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._memory.save(self._path)
