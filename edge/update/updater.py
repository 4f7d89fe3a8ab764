"""Keeps the device at the model that is wanted of it, in a thread of its own that never raises.

It hears what the fleet wants, and what a technician asks for; it carries an update from phase to phase, and the ledger
tells what became of it. The camera loop knows nothing of it, and meets another model between two pictures.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from edge.clock import monotonic_s, read_clock
from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported, Wanted, numbers
from edge.contract.records import Clock
from edge.errors import (
    CanopyError,
    ModelError,
    StoreError,
    UpdateError,
    UpdateExpired,
    UpdateRefused,
    UpdateUnreachable,
)
from edge.model import Model
from edge.package import peek
from edge.settings import DeviceSettings, UpdateSettings
from edge.sights import Sights
from edge.update.ledger import Closed, Ledger
from edge.update.probation import Reading
from edge.update.request import Request, is_held, refuse, take
from edge.update.slots import Order, Slot, Slots, Update
from edge.update.slotstore import SlotStore
from edge.update.steps import Steps

LOOK_EVERY_S = 0.5
NICENESS = 10

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The step is to be left: the daemon ends, or something else is wanted."""


class Updater:
    """The thread of the updates.

    Args:
        settings: the device; it must have ``update``.
        limits: the same ``update``.
        store: the slots' folders.
        ledger: the slots' state.
        model: what the loop measures with.
        sights: what the loop sees.
        read: the device's counters now.
        forget: called at a switch.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        limits: UpdateSettings,
        store: SlotStore,
        ledger: Ledger,
        model: Model,
        sights: Sights,
        *,
        read: Callable[[], Reading],
        forget: Callable[[], None],
    ) -> None:
        self._state_dir, self._limits, self._store, self._ledger = settings.state_dir, limits, store, ledger
        self._model = model
        self._steps = Steps(
            limits,
            settings.inference,
            store,
            ledger,
            model,
            sights,
            read=read,
            forget=forget,
            pause=self._pause,
            held=self._is_held,
        )
        self._lock = threading.Lock()
        self._heard: Desired | None = None
        self._asked: Request | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._retry_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="updater", daemon=True)

    @property
    def reported(self) -> Reported:
        """What the fleet should know; another object when something has changed."""
        return self._ledger.reported

    def start(self) -> None:
        """Begin, or go on with what the last daemon left."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End within ``timeout_s``. A step that takes longer is cut off, as by a power cut, and done again."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def hear(self, desired: Desired) -> None:
        """What the fleet wants; from any thread. What was heard before changes nothing."""
        order = self._ledger.slots.order
        if order is None or order.revision != desired.revision:
            with self._lock:
                self._heard = desired
            self._woken.set()

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._stopping.is_set():
            try:
                self._turn()
            except (Interrupted, Closed):
                continue
            except StoreError as error:
                log.error("the update waits: %s", error)  # noqa: TRY400
                self._wait(self._limits.retry_after_s)
            except Exception:  # whatever it is, the device must go on and hear what is wanted of it next
                log.exception("the update waits")
                self._wait(self._limits.retry_after_s)

    def _turn(self) -> None:
        """Take in what is wanted, then do one step."""
        self._woken.clear()
        self._heed()
        update = self._ledger.slots.busy
        if update is None:
            self._begin_if_wanted()
            self._woken.wait(LOOK_EVERY_S)
            self._look()
            return
        try:
            self._give_up_if_late(update)
            self._steps.take(update)
        except (Interrupted, Closed, StoreError):
            raise
        except (UpdateUnreachable, UpdateExpired) as error:  # nothing was wrong with it yesterday, nor may be tomorrow
            log.info("%s", error)
            self._ledger.say(reason=str(error))
            self._pause(self._limits.retry_after_s)
        except Exception as error:
            if not isinstance(error, CanopyError):
                log.exception("the update fails")
            self._fail(error)

    def _heed(self) -> None:
        """Make what was heard and asked for the order."""
        with self._lock:
            heard, self._heard = self._heard, None
            asked, self._asked = self._asked, None
        order = self._ledger.slots.order
        if heard and (order is None or heard.revision != order.revision):
            self._order(Order(revision=heard.revision, wanted=heard.wanted, back=heard.roll_back))
        if asked:
            try:
                self._grant(asked)
            except CanopyError as error:
                log.error("cannot %s: %s", asked.what, error)  # noqa: TRY400
                refuse(self._state_dir, str(error))

    def _order(self, order: Order) -> None:
        """Go by ``order`` from now on; an update that it does not want any more is left, unless it measures already."""
        slots, update = self._ledger.slots.ordered(order), self._ledger.slots.busy
        if order.back:
            slots = self._gone_back(slots, order.wanted)
        elif update and update.phase is not Phase.ACTIVE and (not order.wanted or update.model != order.wanted.model):
            slots = slots.abandoned()
        self._retry_at_s = 0.0
        if slots.active is self._ledger.slots.active:
            self._ledger.turn(slots)
        else:
            log.info("going back to slot %s", slots.active.value)
            self._ledger.turn(slots, self._steps.run_active)

    def _gone_back(self, slots: Slots, wanted: Wanted | None) -> Slots:
        """Back to the model before, or to the one that is named: from the slot that holds it, else as an update."""
        if wanted is None:
            return slots.gone_back()
        holds = {slot: slots.ref(slot, self._factory()) for slot in Slot}
        there = [slot for slot, ref in holds.items() if ref and ref.digest == wanted.model.digest]
        if slots.active in there or not there:
            return slots.abandoned() if slots.busy and slots.busy.phase is not Phase.ACTIVE else slots
        return slots.gone_back(there[0])

    def _grant(self, request: Request) -> None:
        refuse(self._state_dir, "")
        revision = self._ledger.slots.order.revision if self._ledger.slots.order else 0
        if request.what == "roll_back":
            self._order(Order(revision=revision, back=True, asked_at=request.at))
        elif request.what == "activate":
            self._activate(request, revision)
        else:
            from edge.update.access import open_client, wanted_newest  # noqa: PLC0415 - python-tuf is 15 MB in memory

            client = open_client(self._limits, self._state_dir, request.source)
            wanted = wanted_newest(client, self._limits.hardware, self._active().name)
            active = self._ledger.active
            if active and active.digest == wanted.model.digest:
                raise UpdateError(f"{active.name} {active.version} is the newest that is offered, and it measures")
            self._order(Order(revision=revision, wanted=wanted, source=request.source, asked_at=request.at))

    def _activate(self, request: Request, revision: int) -> None:
        """Take up what a slot holds: through all tests, but for the factory's package, which needs none."""
        slots = self._ledger.slots
        if request.version is None:
            order = Order(revision=revision, asked_at=request.at)
            self._ledger.turn(slots.ordered(order).gone_back(Slot.FACTORY), self._steps.run_active)
            return
        slot = next((slot for slot, ref in slots.held.items() if ref.version == request.version), None)
        if slot is None or slot is slots.active:
            raise UpdateError(f"no slot but the active one holds {request.version}; see canopy model list")
        if slots.busy:
            raise UpdateError(f"{slots.busy.model.version} is under way; wait for it, or roll it back")
        model = slots.held[slot]
        wanted = Wanted(model=model, target=f"{self._limits.hardware}/{model.name}-{model.version}.zip", retry=True)
        order = Order(revision=revision, wanted=wanted, asked_at=request.at)
        self._ledger.turn(slots.ordered(order).begun(order, model, read_clock(), held_in=slot))

    def _begin_if_wanted(self) -> None:
        slots = self._ledger.slots
        order, wanted = slots.order, slots.order.wanted if slots.order else None
        if order is None or wanted is None or not self._is_due(slots, order, wanted):
            return
        begun = slots.begun(order, wanted.model, read_clock())
        active = self._ledger.active
        if active and not order.back and _is_older(wanted.model, active):
            reason = f"{wanted.model.version} is older than {active.version}, which runs; to go back, ask for that"
            self._ledger.turn(begun.refused(Failure.REJECTED, reason, final=True))
        else:
            log.info("updating to %s %s", wanted.model.name, wanted.model.version)
            self._ledger.turn(begun)

    def _is_due(self, slots: Slots, order: Order, wanted: Wanted) -> bool:
        """Whether an attempt is to be made now.

        What was rolled back is not tried again for the same order: it has measured, and it has measured badly.
        """
        active = self._ledger.active
        if (active and active.digest == wanted.model.digest) or slots.refuses(wanted.model.digest):
            return False
        if slots.update and slots.update.phase is Phase.ROLLED_BACK and slots.update.order == order:
            return False
        return not self._is_held() and monotonic_s() >= self._retry_at_s

    def _give_up_if_late(self, update: Update) -> None:
        wanted = update.order.wanted
        if wanted is None or not _is_late(update, read_clock()):
            return
        reason = f"not done within {wanted.give_up_after_s:.0f} s, which the fleet allows; it was {update.phase.value}"
        if update.phase is Phase.ACTIVE:
            self._steps.roll_back(reason)
        else:
            self._ledger.turn(self._ledger.slots.refused(Failure.TIMED_OUT, reason, final=True))
        raise Interrupted

    def _fail(self, error: Exception) -> None:
        """The attempt has failed; another one is made later if there is to be one."""
        update = self._ledger.slots.busy
        if update is None:
            return
        reason = str(error) or repr(error)
        log.warning("%s %s: %s", update.model.name, update.model.version, reason)
        self._retry_at_s = monotonic_s() + self._limits.retry_after_s
        if update.phase is Phase.ACTIVE:
            self._steps.roll_back(reason)
        else:
            rejected = isinstance(error, UpdateRefused | ModelError)
            failure = Failure.REJECTED if rejected else Failure.FAILED
            self._ledger.turn(self._ledger.slots.refused(failure, reason))

    def _pause(self, duration_s: float) -> None:
        """Wait inside a step.

        Raises:
            Interrupted: the daemon ends, or somebody wants something else.
        """
        until_s = time.monotonic() + duration_s
        while True:
            self._woken.wait(min(LOOK_EVERY_S, max(0.0, until_s - time.monotonic())))
            self._look()
            update = self._ledger.slots.busy
            if self._stopping.is_set() or self._heard or self._asked or (update and _is_late(update, read_clock())):
                raise Interrupted
            if time.monotonic() >= until_s:
                return

    def _look(self) -> None:
        """Take a technician's request, and let the report show whether updates are held."""
        if self._ledger.reported.held != self._is_held():
            self._ledger.refresh()
        if (asked := take(self._state_dir)) is not None:
            with self._lock:
                self._asked = asked
            self._woken.set()

    def _wait(self, duration_s: float) -> None:
        self._stopping.wait(duration_s)

    def _is_held(self) -> bool:
        return is_held(self._state_dir)

    def _factory(self) -> ModelRef | None:
        return peek(self._store.path(Slot.FACTORY))

    def _active(self) -> ModelRef:
        active = self._ledger.active
        if active is None:
            raise UpdateError("no model runs, so it is not known which is to be updated; see canopy model list")
        return active


def _is_older(model: ModelRef, than: ModelRef) -> bool:
    return model.name == than.name and numbers(model.version) < numbers(than.version)


def _is_late(update: Update, now: Clock) -> bool:
    """Whether the fleet's patience has ended. Over a reboot the wall clock tells, if it was right and is."""
    wanted, begun = update.order.wanted, update.begun
    if wanted is None:
        return False
    if begun.boot_id == now.boot_id:
        return now.monotonic_s - begun.monotonic_s >= wanted.give_up_after_s
    return begun.clock_ok and now.clock_ok and (now.at - begun.at).total_seconds() >= wanted.give_up_after_s
