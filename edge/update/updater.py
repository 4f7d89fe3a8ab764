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
from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported, Wanted
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
from edge.update.orders import due, is_late, is_older, obey
from edge.update.probation import Reading
from edge.update.request import Request, is_held, refuse, take
from edge.update.slots import Order, Slot, Update
from edge.update.slotstore import SlotStore
from edge.update.steps import Steps

LOOK_EVERY_S = 0.5
TROUBLE_S = 30.0
"""How long to leave everything alone when the disk takes nothing, or a defect has shown."""

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
                self._stopping.wait(TROUBLE_S)
            except Exception:  # whatever it is, the device must go on and hear what is wanted of it next
                log.exception("the update waits")
                self._stopping.wait(TROUBLE_S)

    def _turn(self) -> None:
        """Take in what is wanted, then do one step."""
        self._woken.clear()
        self._heed()
        update = self._ledger.slots.busy
        if update is None:
            self._begin_if_due()
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
        slots = obey(self._ledger.slots, order, peek(self._store.path(Slot.FACTORY)))
        self._retry_at_s = 0.0
        if slots.active is self._ledger.slots.active:
            self._ledger.turn(slots)
        else:
            log.info("going back to slot %s", slots.active.value)
            self._ledger.turn(slots, self._steps.run_active)

    def _grant(self, request: Request) -> None:
        if request.what != "roll_back" and self._is_held():
            raise UpdateError("updates are held on this device; release them first: canopy update hold --release")
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

    def _begin_if_due(self) -> None:
        slots, active = self._ledger.slots, self._ledger.active
        order = due(slots, active)
        if order is None or order.wanted is None or self._is_held() or monotonic_s() < self._retry_at_s:
            return
        model = order.wanted.model
        begun = slots.begun(order, model, read_clock())
        if active and not order.back and is_older(model, active):
            reason = f"{model.version} is older than {active.version}, which runs; to go back, ask for that"
            self._ledger.turn(begun.refused(Failure.REJECTED, reason, final=True))
        else:
            log.info("updating to %s %s", model.name, model.version)
            self._ledger.turn(begun)

    def _give_up_if_late(self, update: Update) -> None:
        wanted = update.order.wanted
        if wanted is None or not is_late(update, read_clock()):
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
            if self._stopping.is_set() or self._heard or self._asked or (update and is_late(update, read_clock())):
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

    def _is_held(self) -> bool:
        return is_held(self._state_dir)

    def _active(self) -> ModelRef:
        active = self._ledger.active
        if active is None:
            raise UpdateError("no model runs, so it is not known which is to be updated; see canopy model list")
        return active
