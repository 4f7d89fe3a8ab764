"""The real-time loop: mailbox → observe → outbox. It knows nothing of cameras' troubles, of MQTT or of the fleet."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.clock import read_clock
from edge.contract.messages import Tally
from edge.contract.records import Event, EventKind, Observation
from edge.errors import CanopyError, FrameUnreadable, StoreError
from edge.mailbox import Mailbox, Picture
from edge.observe import Observer
from edge.outbox import Outbox
from edge.settings import OutboxSettings

IDLE_S = 0.5
MAX_REST_S = 5.0
RETRY_S = 1.0
MAX_PENDING_PICTURES = 1_000

log = logging.getLogger(__name__)


class StepTimes:
    """How long the last thousand steps took, from the picture in memory to its observations."""

    def __init__(self) -> None:
        self._recent_ms: deque[float] = deque(maxlen=1000)

    def add(self, duration_s: float) -> None:
        """Note one step."""
        self._recent_ms.append(duration_s * 1e3)

    def forget(self) -> None:
        """Begin anew: another model takes other times."""
        self._recent_ms.clear()

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
    takes nothing the newest ``MAX_PENDING_PICTURES`` wait; older ones are given up, counted as failed, and told of in
    an event once the disk takes something again.

    Args:
        mailbox: where pictures come from.
        observers: what observes each camera's.
        outbox: where observations go.
        settings: when they are committed.
        alive: told of each turn, also of those without a picture; must be quick.
        tell: told of each picture's observations, before they are committed; must be quick.

    Attributes:
        busy_share: how much of its time it may work; the rest it waits while pictures pass. Set from any thread.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        observers: Mapping[str, Observer],
        outbox: Outbox,
        settings: OutboxSettings,
        alive: Callable[[], None] = lambda: None,
        tell: Callable[[list[Observation]], None] = lambda _: None,
    ) -> None:
        self.step_times = StepTimes()
        self.busy_share = 1.0
        self._alive = alive
        self._mailbox = mailbox
        self._observers = observers
        self._outbox = outbox
        self._settings = settings
        self._tell = tell
        self._pending: deque[Look] = deque()
        self._commit_at_s = float("inf")
        self._refused_since_s: float | None = None
        self._given_up = 0
        self._processed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._committed: dict[str, Tally] = {camera: Tally() for camera in observers}

    def run(self) -> None:
        """Take pictures until the mailbox is closed and empty; then commit what is pending."""
        while not self._mailbox.drained:
            self._alive()
            picture = self._mailbox.take(min(IDLE_S, max(0.0, self._commit_at_s - time.monotonic())))
            started_s = time.monotonic()
            if picture is not None:
                self._keep(self._look(picture))
            if self._commit_is_due():
                self._commit()
            if picture is not None and self.busy_share < 1:
                self._rest(time.monotonic() - started_s)
        self._commit([observation for each in self._observers.values() for observation in each.rest()])
        if self._pending:
            log.error("%d pictures are lost with this stop: they could not be stored", len(self._pending))

    def tallies(self) -> dict[str, Tally]:
        """Frames of each camera as last committed: captured = processed + dropped + failed."""
        return self._committed

    def _rest(self, worked_s: float) -> None:
        """Wait for so long that ``worked_s`` is ``busy_share`` of the whole; not past the next commit."""
        share_s = worked_s * (1 / self.busy_share - 1)
        self._mailbox.rest(max(0.0, min(share_s, MAX_REST_S, self._commit_at_s - time.monotonic())))

    def _look(self, picture: Picture) -> Look:
        camera = picture.camera_id
        try:
            return Look(camera, failed=False, observations=self._observe(picture))
        except CanopyError as error:
            log.warning("camera %s, picture %d: %s", camera, picture.frame_id, error)
            why = str(error)
        except Exception as error:  # a defect that one picture brings to light must not end the daemon
            log.exception("camera %s, picture %d", camera, picture.frame_id)
            why = repr(error)
        return Look(camera, failed=True, observations=self._observers[camera].failed(picture, why))

    def _observe(self, picture: Picture) -> list[Observation]:
        if isinstance(picture, FrameUnreadable):
            raise picture
        started_s = time.perf_counter()
        observations = self._observers[picture.camera_id].observe(picture)
        self.step_times.add(time.perf_counter() - started_s)
        return observations

    def _keep(self, look: Look) -> None:
        if not self._pending:
            self._commit_at_s = time.monotonic() + self._settings.commit_after_s
        self._pending.append(look)
        self._tell(look.observations)

    def _commit_is_due(self) -> bool:
        if time.monotonic() >= self._commit_at_s:
            return True
        records = sum(len(look.observations) for look in self._pending)
        return records >= self._settings.commit_records and self._refused_since_s is None

    def _commit(self, last: Sequence[Observation] = ()) -> None:
        """Append everything pending in one transaction, with the tallies that are true once it is committed.

        ``last`` belongs to no picture: what moving cameras have in sight at the end.
        """
        processed = self._processed + Counter(look.camera for look in self._pending if not look.failed)
        failed = self._failed + Counter(look.camera for look in self._pending if look.failed)
        tallies = {camera: self._tally(camera, processed[camera], failed[camera]) for camera in self._observers}
        observations = [observation for look in self._pending for observation in look.observations]
        observations += last
        try:
            self._outbox.append([*self._story_of_refusal(), *observations], tallies)
        except StoreError as error:
            self._wait_for_disk(error)
            return
        self._processed, self._failed, self._committed = processed, failed, tallies
        self._pending.clear()
        self._commit_at_s, self._refused_since_s, self._given_up = float("inf"), None, 0

    def _tally(self, camera: str, processed: int, failed: int) -> Tally:
        passed = self._mailbox.passage(camera)
        return Tally(captured=passed.captured, processed=processed, dropped=passed.dropped, failed=failed)

    def _wait_for_disk(self, error: StoreError) -> None:
        if self._refused_since_s is None:
            log.error("results wait in memory: %s", error)
            self._refused_since_s = time.monotonic()
        while len(self._pending) > MAX_PENDING_PICTURES:
            self._failed[self._pending.popleft().camera] += 1
            self._given_up += 1
        self._commit_at_s = time.monotonic() + max(RETRY_S, self._settings.commit_after_s)

    def _story_of_refusal(self) -> list[Event]:
        """What to tell once the disk takes results again."""
        if self._refused_since_s is None:
            return []
        lasted_s = round(time.monotonic() - self._refused_since_s, 1)
        message = f"the disk took nothing for {lasted_s} s; {self._given_up} pictures were given up"
        detail: dict[str, Any] = {"lasted_s": lasted_s, "pictures_given_up": self._given_up}
        return [Event(kind=EventKind.STORE_FULL, clock=read_clock(), message=message, detail=detail)]
