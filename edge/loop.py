"""The real-time loop: mailbox → observe → outbox. It knows nothing of cameras' troubles, of MQTT or of the fleet."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.contract.messages import Tally
from edge.contract.records import Observation
from edge.errors import CanopyError, FrameUnreadable, StoreFull
from edge.mailbox import Mailbox, Picture
from edge.observe import Observer
from edge.outbox import Outbox
from edge.settings import OutboxSettings

IDLE_S = 0.5
MAX_PENDING_PICTURES = 1_000

log = logging.getLogger(__name__)


class StepTimes:
    """How long the last thousand steps took, from the picture in memory to its observations."""

    def __init__(self) -> None:
        self._recent_ms: deque[float] = deque(maxlen=1000)

    def add(self, duration_s: float) -> None:
        """Note one step."""
        self._recent_ms.append(duration_s * 1e3)

    def percentile_ms(self, percent: float) -> float | None:
        """A percentile of the recent steps; None before the first."""
        recent = list(self._recent_ms)
        return float(np.percentile(recent, percent)) if recent else None


@dataclass(frozen=True, slots=True)
class Look:
    """What came of one picture."""

    camera: str
    failed: bool
    observations: list[Observation]


class Loop:
    """Turns pictures into committed observations.

    Observations wait in memory for at most ``commit_after_s``, so that one transaction, and one fsync, serves many
    pictures. A picture counts as processed or failed in the transaction that commits its observations. While the disk
    is full the newest ``MAX_PENDING_PICTURES`` wait; older ones are given up and counted as failed.
    """

    def __init__(
        self, mailbox: Mailbox, observers: Mapping[str, Observer], outbox: Outbox, settings: OutboxSettings
    ) -> None:
        self.step_times = StepTimes()
        self.given_up = 0
        self._mailbox = mailbox
        self._observers = observers
        self._outbox = outbox
        self._settings = settings
        self._pending: deque[Look] = deque()
        self._commit_at_s = float("inf")
        self._processed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._committed: dict[str, Tally] = {camera: Tally() for camera in observers}

    def run(self, stop: threading.Event) -> None:
        """Take pictures until ``stop`` is set or the mailbox is closed and empty; then commit what is pending."""
        while not stop.is_set() and not self._mailbox.drained:
            picture = self._mailbox.take(min(IDLE_S, max(0.0, self._commit_at_s - time.monotonic())))
            if picture is not None:
                self._keep(self._look(picture))
            if self._commit_is_due():
                self._commit()
        self._commit()

    def tallies(self) -> dict[str, Tally]:
        """Frames of each camera as last committed: captured = processed + dropped + failed."""
        return self._committed

    def _look(self, picture: Picture) -> Look:
        camera = picture.camera_id
        observer = self._observers[camera]
        try:
            if isinstance(picture, FrameUnreadable):
                raise picture
            started_s = time.perf_counter()
            observations = observer.observe(picture)
            self.step_times.add(time.perf_counter() - started_s)
        except CanopyError as error:
            log.warning("camera %s, picture %d: %s", camera, picture.frame_id, error)
            return Look(camera, failed=True, observations=observer.failed(picture, error))
        return Look(camera, failed=False, observations=observations)

    def _keep(self, look: Look) -> None:
        if not self._pending:
            self._commit_at_s = time.monotonic() + self._settings.commit_after_s
        self._pending.append(look)

    def _commit_is_due(self) -> bool:
        records = sum(len(look.observations) for look in self._pending)
        return records >= self._settings.commit_records or time.monotonic() >= self._commit_at_s

    def _commit(self) -> None:
        """Append everything pending in one transaction, with the tallies that are true once it is committed."""
        if not self._pending:
            return
        processed = self._processed + Counter(look.camera for look in self._pending if not look.failed)
        failed = self._failed + Counter(look.camera for look in self._pending if look.failed)
        tallies = {camera: self._tally(camera, processed[camera], failed[camera]) for camera in self._observers}
        try:
            self._outbox.append([obs for look in self._pending for obs in look.observations], tallies)
        except StoreFull as error:
            self._wait_for_room(error)
            return
        self._processed, self._failed, self._committed = processed, failed, tallies
        self._pending.clear()
        self._commit_at_s = float("inf")

    def _tally(self, camera: str, processed: int, failed: int) -> Tally:
        passed = self._mailbox.passage(camera)
        return Tally(captured=passed.captured, processed=processed, dropped=passed.dropped, failed=failed)

    def _wait_for_room(self, error: StoreFull) -> None:
        log.error("%d pictures wait in memory: %s", len(self._pending), error)
        while len(self._pending) > MAX_PENDING_PICTURES:
            self._failed[self._pending.popleft().camera] += 1
            self.given_up += 1
        self._commit_at_s = time.monotonic() + max(1.0, self._settings.commit_after_s)
