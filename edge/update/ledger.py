"""The slots in memory and on the disk, and what the device tells of them: events, and a report for the fleet."""

import threading
from collections.abc import Callable

from edge.capture import Detail
from edge.clock import monotonic_s
from edge.contract.control import ModelRef, Phase, Reported
from edge.contract.records import EventKind
from edge.update.report import Progress, report
from edge.update.slots import Slots, Update
from edge.update.slotstore import SlotStore

TELL_EVERY_S = 2.0
"""How often progress alone is a reason to send a report."""

KINDS = {
    Phase.STAGED: (EventKind.MODEL_STAGED, "is on the disk, verified"),
    Phase.ACTIVE: (EventKind.MODEL_ACTIVATED, "measures, on probation"),
    Phase.CONFIRMED: (EventKind.MODEL_CONFIRMED, "is confirmed"),
    Phase.REFUSED: (EventKind.MODEL_REFUSED, "is refused"),
    Phase.ROLLED_BACK: (EventKind.MODEL_ROLLED_BACK, "was rolled back"),
}


class Closed(Exception):
    """The ledger is closed, so nothing can be begun any more."""


Record = Callable[[EventKind, str | None, str, Detail], None]
"""Appends an event to the device's stream: kind, camera, message, detail."""


class Ledger:
    """Keeps the slots; one thread changes them, any thread may read the report.

    Args:
        store: where they are kept.
        hardware: what the device is, for the report.
        factory: names the configured package, if it can be opened.
        held: whether a technician holds updates.
        record: told of every change that somebody should know of.
    """

    def __init__(
        self,
        store: SlotStore,
        hardware: str,
        factory: Callable[[], ModelRef | None],
        held: Callable[[], bool],
        record: Record,
    ) -> None:
        self._store, self._hardware, self._factory, self._held, self._record = store, hardware, factory, held, record
        self._lock = threading.Lock()
        self._slots = store.read(put_aside=True)
        self._progress = Progress()
        self._told_at_s = 0.0
        self._closed = False
        self._reported = self._report()

    @property
    def slots(self) -> Slots:
        """The slots as they are on the disk."""
        return self._slots

    @property
    def reported(self) -> Reported:
        """What the fleet should know; another object when something has changed."""
        return self._reported

    @property
    def active(self) -> ModelRef | None:
        """What is to run."""
        return self._slots.ref(self._slots.active, self._factory())

    def turn(self, slots: Slots, carry_out: Callable[[], None] = lambda: None) -> None:
        """Go over to ``slots``: on the disk first, then in deed by ``carry_out``, and only then is it told.

        Raises:
            StoreError: it cannot be written; nothing has changed.
            Closed: too late.
        """
        with self._lock:
            if self._closed:
                raise Closed
            if slots == self._slots:
                return
            self._store.write(slots)
            before, self._slots = self._slots, slots
        try:
            carry_out()
        finally:
            self._progress = Progress(shadow=self._progress.shadow if _same(before.update, slots.update) else None)
            self.refresh()
            self._tell(before, slots)

    def say(self, share: float | None = None, reason: str = "", progress: Progress | None = None) -> None:
        """Say how far a step is, or what it waits for; not more often than is worth a message."""
        progress = progress or Progress(share, reason)
        soon = monotonic_s() - self._told_at_s < TELL_EVERY_S
        if progress == self._progress or (soon and progress.reason == self._progress.reason and progress.share != 1):
            return
        self._progress = progress
        self.refresh()

    def refresh(self) -> None:
        """Renew the report."""
        self._told_at_s = monotonic_s()
        self._reported = self._report()

    def close(self) -> None:
        """A stop in order: nothing is written any more.

        Raises:
            StoreError: that it was one cannot be noted; the next start takes it for a crash.
        """
        with self._lock:
            self._closed = True
            if (stopped := self._slots.stopped()) != self._slots:
                self._store.write(stopped)
                self._slots = stopped

    def _report(self) -> Reported:
        return report(self._slots, self._hardware, self._factory(), self._progress, held=self._held())

    def _tell(self, before: Slots, after: Slots) -> None:
        """An event for a new phase, or for a model that measures again without one."""
        old, update = before.update, after.update
        if update and update.phase in KINDS and not (old and _same(old, update) and old.phase is update.phase):
            kind, what = KINDS[update.phase]
            self._record(kind, None, f"{_name(update.model)} {what}{_because(update)}", _detail(update.model, update))
        elif before.active is not after.active and (model := self.active):
            self._record(
                EventKind.MODEL_ROLLED_BACK, None, f"{_name(model)} measures again, as was asked for", _detail(model)
            )


def _same(first: Update | None, second: Update | None) -> bool:
    """Whether both are one attempt."""
    return first is not None and second is not None and first.begun == second.begun


def _name(model: ModelRef) -> str:
    return f"{model.name} {model.version}"


def _because(update: Update) -> str:
    return f": {update.reason}" if update.reason else ""


def _detail(model: ModelRef, update: Update | None = None) -> Detail:
    wanted = update.order.wanted if update else None
    return {"version": model.version, "model": model.digest, "rollout": wanted.rollout if wanted else None}
