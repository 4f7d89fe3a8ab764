"""Keeps the frames of one camera that the next model should see.

The loop asks the policy and hands a chosen frame over; a thread of its own makes it a JPEG and writes it. A few frames
may wait for it; while they do no other is looked at.
"""

import hashlib
import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Full, Queue

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.clock import utc_now
from edge.contract.frames import MAX_DESCRIPTION_BYTES, KeptFrame, Reason
from edge.contract.manifest import Manifest
from edge.contract.message import Digest
from edge.contract.records import Clock
from edge.frame import Frame
from edge.harvest import policy
from edge.harvest.labels import categories_of, labels_of
from edge.harvest.policy import Candidate, Keep
from edge.harvest.privacy import blanked, visible
from edge.harvest.privacy_filter import FilterFailed, filtered
from edge.harvest.shelf import Shelf
from edge.preprocess import Placement
from edge.segmentation import Segmentation
from edge.settings import PlotSettings
from edge.settings.harvest import HarvestSettings

WAITING = 2
LOWER_QUALITIES = (85, 70, 55, 40)
RECENT = 500
"""Doubts that a new one is compared with, and the fewest that are enough."""
LEAST_RECENT = 50
NEAR_THRESHOLD = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A frame and everything that was made of it.

    ``evidence``: of each statistic that has an alarm, how much speaks for its change.
    """

    frame: Frame
    clock: Clock
    placement: Placement
    manifest: Manifest
    model: Digest
    inference: Inference
    found: Segmentation
    plots: PlotSettings | None
    calibration: Digest | None
    evidence: dict[str, float]


class Harvester:
    """Of one camera.

    Args:
        place: site, device and camera.
        settings: what is kept.
        shelf: where.
        doubted: whether a model in a shadow run has just disagreed on this camera's pictures; asking answers it.
        rng: draws.
    """

    def __init__(
        self,
        place: tuple[str, str, str],
        settings: HarvestSettings,
        shelf: Shelf,
        doubted: Callable[[], bool] = lambda: False,
        rng: random.Random | None = None,
    ) -> None:
        self._place, self._settings, self._shelf, self._doubted = place, settings, shelf, doubted
        self._rng = rng or random.Random()
        self._lock = threading.Lock()
        shelf.sweep()
        self._budget = shelf.read_budget(utc_now())
        self._doubts: deque[float] = deque(maxlen=RECENT)
        self._waiting: Queue[tuple[Measured, Keep] | None] = Queue(WAITING)
        self._told = ""
        self._thread = threading.Thread(target=self._run, name=f"harvest {place[2]}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Write what waits; what takes longer is left, and is not kept."""
        if self._thread.is_alive():
            with suppress(Full):
                self._waiting.put(None, timeout=timeout_s)
                self._thread.join(timeout_s)

    def look(self, seen: Measured) -> None:
        """Keep a frame, or not; in the loop's thread. A defect here costs no reading."""
        try:
            self._look(seen)
        except Exception:  # the reading that is being made matters more
            log.exception("a frame of camera %s could not be kept", self._place[2])

    def _look(self, seen: Measured) -> None:
        if not seen.clock.clock_ok:  # a budget for each day needs to know the day
            return
        candidate = Candidate(seen.clock.at, self._reasons(seen))
        with self._lock:
            self._budget = policy.entered(self._budget, candidate.at)
            if self._waiting.full():
                self._budget = replace(self._budget, uncovered=self._budget.uncovered + 1)
                return
            self._budget = policy.covered(candidate, self._budget, self._settings)
            keep = policy.choose(candidate, self._budget, self._settings, self._rng)
            if keep is None:
                return
            self._budget = policy.reserved(self._budget, keep, candidate.at, self._settings)
        self._waiting.put_nowait((seen, keep))

    def _reasons(self, seen: Measured) -> tuple[Reason, ...]:
        reasons = [Reason.DISAGREEING] if self._doubted() else []
        if seen.evidence:
            reasons.append(Reason.DRIFTED)
        if self._is_uncertain(doubt(seen.inference, seen.manifest)):
            reasons.append(Reason.UNCERTAIN)
        return tuple(reasons)

    def _is_uncertain(self, now: float) -> bool:
        """Whether it lies among the highest of this camera's last; it is then one of them."""
        known = len(self._doubts) >= LEAST_RECENT
        limit = float(np.quantile(self._doubts, 1 - self._settings.uncertain_share)) if known else np.inf
        self._doubts.append(now)
        return now > limit

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            try:
                self._keep(*waiting)
                self._told = ""
            except (OSError, ValueError, cv2.error) as error:
                if str(error) != self._told:
                    log.warning("a frame of camera %s could not be kept: %s", self._place[2], error)
                self._told = str(error)
            except Exception:
                log.exception("a frame of camera %s could not be kept", self._place[2])
        try:
            self._save()
        except OSError as error:
            log.warning("what camera %s has kept today cannot be noted: %s", self._place[2], error)

    def _keep(self, seen: Measured, keep: Keep) -> None:
        """Write a frame. What it may take was noted before: after a kill too little is kept, never too much."""
        self._save()
        self._shelf.trim(self._settings, utc_now())
        size_bytes = 0
        try:
            jpeg, description = self._described(seen, keep)
            size_bytes = self._shelf.write(description, jpeg).size_bytes
        except FilterFailed:
            with self._lock:
                self._budget = replace(self._budget, unfiltered=self._budget.unfiltered + 1)
            raise
        finally:
            with self._lock:
                self._budget = policy.settled(self._budget, keep, size_bytes, self._settings)
            self._save()

    def _save(self) -> None:
        with self._lock:
            budget = self._budget
        self._shelf.write_budget(budget)

    def _described(self, seen: Measured, keep: Keep) -> tuple[bytes, KeptFrame]:
        height, width = seen.frame.pixels.shape[:2]
        privacy = self._settings.privacy
        shown = visible(height, width, privacy, seen.plots)
        pixels = blanked(seen.frame.pixels, shown)
        if privacy.command:
            pixels = filtered(pixels, privacy.command, privacy.within_s)
        jpeg = encoded(pixels, self._settings.quality, self._settings.frame_bytes)
        cells = _visible_cells(shown, seen.placement)
        site, device, camera = self._place
        description = KeptFrame(
            site=site, device=device, camera=camera,
            captured_at=seen.clock.at, clock_ok=seen.clock.clock_ok,
            image=f"sha256:{hashlib.sha256(jpeg).hexdigest()}", image_bytes=len(jpeg), height_px=height, width_px=width,
            model=seen.model, model_name=f"{seen.manifest.name} {seen.manifest.version}"[:256],
            calibration=seen.calibration, reason=keep.reason, probability=keep.probability,
            certainty=_certainty(seen), evidence=_bounded(seen.evidence),
            plots=seen.plots.model_dump(mode="json") if seen.plots else None, blanked=shown is not None,
            filtered=bool(privacy.command),
            categories=categories_of(seen.manifest), grid=(cells.shape[0], cells.shape[1]),
            cell_px=seen.placement.cell_px, labels=labels_of(seen.found, seen.placement, seen.manifest, cells),
        )  # fmt: skip
        if len(description.encode()) > MAX_DESCRIPTION_BYTES:
            raise ValueError(f"{len(description.labels)} labels take more than {MAX_DESCRIPTION_BYTES} bytes")
        return jpeg, description


def doubt(inference: Inference, manifest: Manifest) -> float:
    """How unsure a model is of a picture: of the classes of its plants, and of peaks near their thresholds."""
    scores = inference.centers[:, 2]
    margins = np.array([thing.threshold for thing in manifest.things])[inference.centers[:, 3].astype(np.int64)]
    near = np.count_nonzero((scores > 0) & (np.abs(scores - margins) < NEAR_THRESHOLD))
    sure = np.count_nonzero(scores >= margins + NEAR_THRESHOLD)
    here = np.bincount(inference.classes.ravel(), minlength=len(manifest.classes)) > 0
    plants = np.array([name in manifest.plant_classes for name in manifest.classes]) & here
    unsure = 1 - float(inference.certainty[plants].mean()) if plants.any() else 0.0
    return float(near / (1 + near + sure)) + unsure


def encoded(pixels: NDArray[np.uint8], quality: int, max_bytes: int) -> bytes:
    """A picture as JPEG, at less quality where it would be too large.

    Raises:
        ValueError: it is too large all the same.
    """
    for tried in (quality, *(lower for lower in LOWER_QUALITIES if lower < quality)):
        _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, tried])
        if len(content) <= max_bytes:
            return content.tobytes()
    raise ValueError(f"a JPEG has {len(content)} bytes, and harvest.frame_bytes is {max_bytes}; raise it")


def _visible_cells(shown: NDArray[np.bool_] | None, placement: Placement) -> NDArray[np.bool_]:
    """Whether the middle of each of the picture's cells may be seen, bool [h, w]."""
    rows, columns = (np.arange(part.start, part.stop) for part in placement.grid_region)
    if shown is None:
        return np.ones((len(rows), len(columns)), np.bool_)
    y, x = placement.to_picture(rows, columns)
    inside_y = np.clip(y.astype(np.int64), 0, placement.height_px - 1)
    inside_x = np.clip(x.astype(np.int64), 0, placement.width_px - 1)
    found: NDArray[np.bool_] = shown[np.ix_(inside_y, inside_x)]
    return found


def _certainty(seen: Measured) -> dict[str, float]:
    values = zip(seen.manifest.classes, seen.inference.certainty.tolist(), strict=True)
    return {name: round(value, 4) for name, value in values}


def _bounded(evidence: dict[str, float]) -> dict[str, float]:
    return dict(sorted(evidence.items(), key=lambda item: -item[1])[:64])
