"""Which slot runs, and where an update stands: a state machine without input and output.

Two slots, ``a`` and ``b``, take turns; ``factory`` is the package in the configuration, which no update touches. All
of it is one value, ``Slots``, that ``edge.update.slotstore`` replaces on the disk as a whole, so the pointer to what
runs and the state of the update can never disagree. A step writes its successor only when all that the successor
vouches for is on the disk; a step that was cut off is done again from its beginning::

    (idle) → downloading → staged → compiling → testing → shadow → active → confirmed
                   └──────────┴─────────┴──────────┴────────┴→ refused  └→ rolled_back
"""

from enum import Enum
from typing import Annotated, Final

from pydantic import Field, model_validator

from edge.contract.control import Failure, ModelRef, Phase, Wanted
from edge.contract.message import Count, Digest, Instant, Message, Text, Wire
from edge.contract.records import Clock

MAX_ATTEMPTS: Final = 2
"""A version that failed so often is refused until somebody asks to try it again."""

MAX_CRASHES: Final = 3
"""Ends of the daemon without a stop, during the probation, that are one too many: a power cut or two may happen."""

MAX_FAILURES: Final = 16
"""Versions whose failures are remembered."""

MAX_REASON_CHARS: Final = 1_000

STEPS: Final = {
    Phase.DOWNLOADING: {Phase.STAGED, Phase.REFUSED},
    Phase.STAGED: {Phase.COMPILING, Phase.REFUSED},
    Phase.COMPILING: {Phase.TESTING, Phase.REFUSED},
    Phase.TESTING: {Phase.SHADOW, Phase.REFUSED},
    Phase.SHADOW: {Phase.ACTIVE, Phase.REFUSED},
    Phase.ACTIVE: {Phase.CONFIRMED, Phase.ROLLED_BACK},
}
"""From where an update may go where. A phase that is no key is an end."""


class Slot(str, Enum):
    """A place for a model package."""

    FACTORY = "factory"
    A = "a"
    B = "b"


class Order(Wire):
    """What the fleet, or a technician, wants of this device.

    ``revision`` is that of the fleet's last message; ``source`` a folder with a repository, empty for the configured
    one; ``back`` says that an older version is meant; ``asked_at`` when a technician asked, who overrules the fleet
    until it says something new. Without ``wanted`` the device keeps what it runs.
    """

    revision: Count = 0
    wanted: Wanted | None = None
    source: Text = ""
    back: bool = False
    asked_at: Instant | None = None

    def is_same(self, other: "Order") -> bool:
        """Whether both are one wish, said once."""
        return (self.revision, self.asked_at) == (other.revision, other.asked_at)


class Update(Wire):
    """One attempt, and how it ended.

    ``crashes`` counts ends of the daemon without a stop while it is ``active``. ``fetch`` false: the slot holds it
    already.
    """

    order: Order
    model: ModelRef
    slot: Slot
    begun: Clock
    phase: Phase = Phase.DOWNLOADING
    fetch: bool = True
    crashes: Count = 0
    failure: Failure | None = None
    reason: Text = ""

    @property
    def busy(self) -> bool:
        """Whether it has not ended."""
        return self.phase in STEPS


class Failed(Wire):
    """What became of the attempts at one version."""

    attempts: Count
    failure: Failure
    reason: Text


class Slots(Message):
    """The slots of a device. Every method gives the next state and leaves this one alone.

    ``active`` runs, ``fallback`` is what a rollback brings back, ``held`` says which slot holds which whole package.
    ``open`` says that a daemon has run with this probation and not ended in order.

    Raises:
        ValueError: the parts contradict each other, or a step is not one of ``STEPS``.
    """

    active: Slot = Slot.FACTORY
    fallback: Slot | None = None
    held: dict[Slot, ModelRef] = Field(default_factory=dict)
    order: Order | None = None
    update: Update | None = None
    failures: Annotated[dict[Digest, Failed], Field(max_length=MAX_FAILURES)] = Field(default_factory=dict)
    open: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Slots":
        if Slot.FACTORY in self.held:
            raise ValueError("the factory's package is no slot's")
        for slot in (self.active, self.fallback):
            if slot not in {None, Slot.FACTORY, *self.held}:
                raise ValueError(f"slot {slot} is to run and holds nothing")
        if self.fallback == self.active:
            raise ValueError(f"{self.active.value} would fall back on itself")
        update = self.update
        if update and update.busy and (update.slot == self.active) != (update.phase is Phase.ACTIVE):
            raise ValueError(f"{update.slot.value} is {update.phase.value}, and {self.active.value} runs")
        return self

    @property
    def free(self) -> Slot:
        """The slot that the next update goes into: not what runs, and what is fallen back on only if it must be."""
        if self.active is Slot.FACTORY:
            return Slot.A if self.fallback is not Slot.A else Slot.B
        return Slot.B if self.active is Slot.A else Slot.A

    def ref(self, slot: Slot, factory: ModelRef | None = None) -> ModelRef | None:
        """What a slot holds."""
        return factory if slot is Slot.FACTORY else self.held.get(slot)

    @property
    def busy(self) -> Update | None:
        """The update under way, if one is."""
        return self.update if self.update and self.update.busy else None

    def candidates(self) -> tuple[Slot, ...]:
        """What may run, in this order: the next one is for the case that one before cannot be opened."""
        return tuple(dict.fromkeys((self.active, self.fallback or Slot.FACTORY, Slot.FACTORY)))

    def refuses(self, digest: str) -> Failed | None:
        """Why a version is not tried any more, if so."""
        failed = self.failures.get(digest)
        return failed if failed and failed.attempts >= MAX_ATTEMPTS else None

    def ordered(self, order: Order | None) -> "Slots":
        """Somebody wants something else from now on."""
        forgiven = order and order.wanted and order.wanted.retry and order.wanted.model.digest
        failures = {digest: failed for digest, failed in self.failures.items() if digest != forgiven}
        return self._with(order=order, failures=failures)

    def begun(self, order: Order, model: ModelRef, at: Clock, held_in: Slot | None = None) -> "Slots":
        """An attempt begins: at ``model`` from the order's repository, or from the slot that holds it."""
        if self.busy:
            raise ValueError(f"{self.busy.model.version} is under way")
        update = Update(order=order, model=model, slot=held_in or self.free, begun=at)
        if held_in:
            update = update.model_copy(update={"fetch": False, "phase": Phase.STAGED})
        return self._with(update=update)

    def cleared(self) -> "Slots":
        """The update's slot is about to be overwritten."""
        slot = self._under_way(Phase.DOWNLOADING).slot
        held = {each: ref for each, ref in self.held.items() if each is not slot}
        return self._with(held=held, fallback=None if self.fallback is slot else self.fallback)

    def staged(self) -> "Slots":
        """The update's slot holds the whole package, verified and on the disk."""
        update = self._under_way(Phase.DOWNLOADING)
        return self._stepped(Phase.STAGED, held={**self.held, update.slot: update.model})

    def advanced(self, phase: Phase) -> "Slots":
        """The update comes to its next phase; ``activated``, ``confirmed`` and the ends have methods of their own."""
        if phase not in {Phase.COMPILING, Phase.TESTING, Phase.SHADOW}:
            raise ValueError(f"{phase} is no step of itself")
        return self._stepped(phase)

    def activated(self) -> "Slots":
        """The update's slot is what runs from now on."""
        slot = self._under_way(Phase.SHADOW).slot
        return self._stepped(Phase.ACTIVE, active=slot, fallback=self.active, open=True)

    def confirmed(self) -> "Slots":
        """The update has stood its probation."""
        update = self._under_way(Phase.ACTIVE)
        failures = {digest: failed for digest, failed in self.failures.items() if digest != update.model.digest}
        return self._stepped(Phase.CONFIRMED, failures=failures)

    def rolled_back(self, reason: str) -> "Slots":
        """What ran before runs again: the update's probation has failed."""
        update = self._under_way(Phase.ACTIVE)
        return _fallen_back(self._ended(update, Phase.ROLLED_BACK, Failure.ROLLED_BACK, reason))

    def refused(self, failure: Failure, reason: str, *, final: bool = False) -> "Slots":
        """The update ends before it ever ran; ``final``: another attempt would end the same way."""
        update = self.busy
        if update is None or update.phase is Phase.ACTIVE:
            raise ValueError("nothing under way can be refused")
        return self._ended(update, Phase.REFUSED, failure, reason, MAX_ATTEMPTS if final else 1)

    def goes_on(self, order: Order) -> "Slots":
        """What is under way is what ``order`` wants, too."""
        if self.busy is None:
            raise ValueError("nothing is under way")
        order = order.model_copy(update={"source": self.busy.order.source})
        return self._with(update=self.busy.model_copy(update={"order": order}))

    def abandoned(self) -> "Slots":
        """The update is not wanted any more; that is nobody's failure."""
        if self.busy is None or self.busy.phase is Phase.ACTIVE:
            raise ValueError("nothing under way can be abandoned")
        return self._with(update=None)

    def went_back(self, to: Slot | None = None) -> "Slots":
        """What ran before, or what ``to`` holds, runs again because somebody wants it."""
        if self.busy:
            raise ValueError(f"{self.busy.model.version} is under way")
        return _changed(self, update=None, active=to or self.fallback or Slot.FACTORY, fallback=None)

    def gone_back(self, to: Slot | None = None) -> "Slots":
        """What ran before runs again because somebody wants it, whatever is under way.

        A probation that somebody ends so has failed; an update in an earlier phase is nobody's failure. ``to`` names
        the slot if another than the fallback is meant.
        """
        if self.busy and self.busy.phase is Phase.ACTIVE:
            back = self.rolled_back("somebody asked for the model before it")
            return back if to in {None, back.active} else back.went_back(to)
        idle = self.abandoned() if self.busy else self
        return idle if idle.active in {to, to or idle.fallback or Slot.FACTORY} else idle.went_back(to)

    def without(self, slot: Slot, reason: str) -> "Slots":
        """The package in a slot cannot be used any more: files were lost or altered."""
        changed = self
        if self.busy and self.busy.slot is slot and self.busy.phase is not Phase.DOWNLOADING:
            changed = self.rolled_back(reason) if self.active is slot else self.refused(Failure.FAILED, reason)
        elif self.active is slot:
            changed = _fallen_back(self)
        held = {each: ref for each, ref in changed.held.items() if each is not slot}
        return _changed(changed, held=held, fallback=None if changed.fallback is slot else changed.fallback)

    def started(self) -> "Slots":
        """A daemon starts. During a probation it is counted whether the last one ended in order."""
        update = self.busy
        if update is None or update.phase is not Phase.ACTIVE:
            return self
        if not self.open:
            return self._with(open=True)
        update = update.model_copy(update={"crashes": update.crashes + 1})
        crashed = self._with(update=update)
        if update.crashes >= MAX_CRASHES:
            return crashed.rolled_back(f"the daemon ended {update.crashes} times without a stop")
        return crashed

    def stopped(self) -> "Slots":
        """A daemon ends in order."""
        return self._with(open=False) if self.open else self

    def _under_way(self, phase: Phase) -> Update:
        if self.busy is None or self.busy.phase is not phase:
            raise ValueError(f"no update is {phase.value}")
        return self.busy

    def _stepped(self, phase: Phase, **more: object) -> "Slots":
        update = self.busy
        if update is None or phase not in STEPS[update.phase]:
            raise ValueError(f"no update can become {phase.value}")
        return self._with(update=update.model_copy(update={"phase": phase}), **more)

    def _ended(self, update: Update, phase: Phase, failure: Failure, reason: str, attempts: int = 1) -> "Slots":
        """An attempt has failed, which is remembered; of other versions the oldest memories go."""
        reason = reason[:MAX_REASON_CHARS]
        failures = dict(self.failures)
        before = failures.pop(update.model.digest, None)
        attempts += before.attempts if before else 0
        failures[update.model.digest] = Failed(attempts=attempts, failure=failure, reason=reason)
        kept = dict(list(failures.items())[-MAX_FAILURES:])
        ended = update.model_copy(update={"phase": phase, "failure": failure, "reason": reason})
        return self.model_copy(update={"update": ended, "failures": kept})

    def _with(self, **changes: object) -> "Slots":
        return _changed(self, **changes)


def _fallen_back(slots: Slots) -> Slots:
    return _changed(slots, active=slots.fallback or Slot.FACTORY, fallback=None)


def _changed(slots: Slots, **changes: object) -> Slots:
    """A copy that was checked like one that was read."""
    return Slots.model_validate(slots.model_copy(update=changes).model_dump())
