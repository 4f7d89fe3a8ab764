"""What an update does in each of its phases. Each step may be cut off at any instant and is then done again."""

import logging
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge.archive import unpack
from edge.backends import prepare
from edge.clock import is_believable, monotonic_s, utc_now
from edge.contract.control import Phase, Wanted
from edge.disk import flush, free_bytes
from edge.errors import CandidateRejected, ModelError, NoRoom, UpdateRefused
from edge.model import Model
from edge.package import ModelPackage
from edge.settings import InferenceSettings, UpdateSettings
from edge.sights import Sights
from edge.update.boot import load, run_active
from edge.update.gate import self_test
from edge.update.ledger import Ledger
from edge.update.probation import Period, Reading, Verdict, between, judge
from edge.update.report import Progress
from edge.update.shadow import Shadow
from edge.update.slots import Slot, Update
from edge.update.slotstore import SlotStore
from edge.update.trial import Trial
from edge.update.window import why_not_now

if TYPE_CHECKING:
    from edge.update.client import Target

DOWNLOADS = "download"
LOOK_EVERY_S = 0.5

log = logging.getLogger(__name__)


class Steps:
    """Carries an update from phase to phase.

    Args:
        limits: the configuration's ``update``.
        inference: how models run.
        store: the slots' folders.
        ledger: the slots' state.
        model: what the loop measures with.
        sights: what the loop sees.
        read: the device's counters now.
        forget: called at a switch; times of steps before it say nothing of those after it.
        pause: waits, and raises when the update is to be left alone: the daemon ends, or somebody wants something else.
        held: whether a technician holds updates.
    """

    def __init__(
        self,
        limits: UpdateSettings,
        inference: InferenceSettings,
        store: SlotStore,
        ledger: Ledger,
        model: Model,
        sights: Sights,
        *,
        read: Callable[[], Reading],
        forget: Callable[[], None],
        pause: Callable[[float], None],
        held: Callable[[], bool],
    ) -> None:
        self._limits, self._inference = limits, inference
        self._store, self._ledger, self._model, self._sights = store, ledger, model, sights
        self._read, self._forget, self._pause, self._held = read, forget, pause, held
        self._since = read()
        self._before = Period()
        self._steps = {
            Phase.DOWNLOADING: self._fetch,
            Phase.STAGED: lambda _: ledger.turn(ledger.slots.advanced(Phase.COMPILING)),
            Phase.COMPILING: self._compile,
            Phase.TESTING: self._test,
            Phase.SHADOW: self._shadow_and_switch,
            Phase.ACTIVE: self._watch,
        }

    def take(self, update: Update) -> None:
        """Do what the update's phase asks for; on return it has come to another one.

        Raises:
            UpdateError: the repository, or what it offers.
            ModelError: the candidate.
            StoreError: the slots' state cannot be written.
        """
        self._steps[update.phase](update)

    def _fetch(self, update: Update) -> None:
        from edge.update.access import open_client  # noqa: PLC0415 - python-tuf is 15 MB in memory

        wanted = update.order.wanted
        assert wanted is not None  # noqa: S101 - nothing else is fetched
        client = open_client(self._limits, self._store.folder.parent, update.order.source)
        target = client.target(wanted.target)
        self._check(target, wanted)
        zipped = client.download(target, self._store.folder / DOWNLOADS, self._report_download)
        self._unpack(zipped, target, update)
        zipped.unlink(missing_ok=True)

    def _report_download(self, share: float) -> None:
        self._pause(0)
        self._ledger.say(share)

    def _check(self, target: "Target", wanted: Wanted) -> None:
        hardware, model = target.release.hardware, target.release.model
        if hardware != self._limits.hardware:
            raise UpdateRefused(f"{target.path} is for {hardware}, this device is {self._limits.hardware}")
        if model != wanted.model:
            raise UpdateRefused(
                f"{target.path} is signed as {model.name} {model.version} {model.digest[:19]}, and what is wanted is "
                f"{wanted.model.name} {wanted.model.version} {wanted.model.digest[:19]}: the order and the repository "
                "must come from one fleet"
            )

    def _unpack(self, zipped: Path, target: "Target", update: Update) -> None:
        """The slot's old content goes first: a small disk need not hold three packages."""
        self._ledger.turn(self._ledger.slots.cleared())
        folder = self._store.path(update.slot)
        shutil.rmtree(folder, ignore_errors=True)
        needs_bytes = target.length_bytes + self._limits.reserve_bytes
        if (free := free_bytes(self._store.folder)) < needs_bytes:
            raise NoRoom(
                f"{self._store.folder} has {free >> 20} MiB free, unpacking takes {needs_bytes >> 20}; make room"
            )
        package = unpack(zipped, folder)
        if package.digest != update.model.digest:
            raise UpdateRefused(f"{target.path} holds {package.digest}, and {update.model.digest} was signed for it")
        flush(self._store.folder)
        self._ledger.turn(self._ledger.slots.staged())

    def _compile(self, update: Update) -> None:
        package = ModelPackage.open(self._store.path(update.slot))
        prepare(package, self._inference, self._report_build)
        self._ledger.turn(self._ledger.slots.advanced(Phase.TESTING))

    def _report_build(self, share: float, what: str) -> None:
        self._pause(0)
        self._ledger.say(share, what)

    def _test(self, update: Update) -> None:
        self._wait_for_sights()
        loaded = self._model.loaded
        sights = self._sights.recent(loaded.package.digest) if loaded else []
        limits = self._limits_of(update)
        passed = self_test(self._store.path(update.slot), update.model, self._inference, limits, sights)
        log.info(
            "%s %s: %s, %.0f ms, %d MiB, agrees on %d of %d pictures",
            update.model.name,
            update.model.version,
            passed.backend,
            passed.latency_ms,
            passed.peak_bytes >> 20,
            passed.agreement.agreed,
            passed.agreement.pictures,
        )
        self._ledger.turn(self._ledger.slots.advanced(Phase.SHADOW))

    def _wait_for_sights(self) -> None:
        """Where no model runs there is nothing to agree with, and a new one can only do good."""
        needed = self._limits.recent_pictures
        while loaded := self._model.loaded:
            there = len(self._sights.recent(loaded.package.digest))
            if there >= needed:
                return
            self._ledger.say(there / needed, f"waits for pictures fit to measure: {there} of {needed}")
            self._pause(LOOK_EVERY_S)

    def _shadow_and_switch(self, update: Update) -> None:
        progress = Progress()
        if self._limits.shadow_pictures and self._model.loaded:
            progress = self._shadow(update)
        self._wait_for_the_moment(update, progress)
        self._switch(update, progress)

    def _shadow(self, update: Update) -> Progress:
        with closing(self._shadow_of(update.slot, update)) as shadow:
            while not shadow.done:
                self._pause(0)
                shadow.watch(LOOK_EVERY_S)
                self._ledger.say(progress=Progress(shadow.progress, shadow=shadow.report()))
            if objection := shadow.objection():
                self._ledger.say(progress=Progress(1.0, shadow=shadow.report()))
                raise CandidateRejected(f"beside the model in force {objection}")
            return Progress(1.0, shadow=shadow.report())

    def _shadow_of(self, slot: Slot, update: Update) -> Shadow:
        loaded = self._model.loaded
        assert loaded is not None  # noqa: S101 - both callers have seen it
        limits = self._limits_of(update)
        trial = Trial(self._store.path(slot), self._inference, limits.memory_bytes, limits.answer_within_s)
        return Shadow(trial, self._sights, loaded.package.digest, update.model, limits)

    def _limits_of(self, update: Update) -> UpdateSettings:
        """What a model must prove; to agree with one that is known to err is nothing that it must."""
        wanted = update.order.wanted
        if wanted is None or not wanted.may_disagree:
            return self._limits
        agreement = self._limits.agreement.model_copy(update={"share": 0.0})
        return self._limits.model_copy(update={"agreement": agreement})

    def _wait_for_the_moment(self, update: Update, progress: Progress) -> None:
        wanted = update.order.wanted
        while True:
            seen_s = self._sights.last_at_s
            lit_s_ago = None if seen_s is None else monotonic_s() - seen_s
            now, clock_ok = datetime.now().astimezone(), is_believable(utc_now())
            reason = "updates are held on this device" if self._held() else ""
            reason = reason or why_not_now(wanted.window if wanted else None, now, lit_s_ago, clock_ok=clock_ok)
            if not reason:
                return
            self._ledger.say(progress=Progress(progress.share, reason, progress.shadow))
            self._pause(LOOK_EVERY_S)

    def _switch(self, update: Update, progress: Progress) -> None:
        """Everything that takes time comes first; then the disk learns of it, then the loop, between two pictures."""
        loaded = load(self._store, update.slot, self._ledger, self._inference)
        loaded.warm_up()

        def switch() -> None:
            self._model.switch(loaded)
            self._begin_period()

        self._ledger.turn(self._ledger.slots.activated(), switch)
        log.info("switched to %s", loaded)
        self._ledger.say(progress=progress)

    def _watch(self, update: Update) -> None:
        """The probation, with the model that ran before beside this one."""
        before, self._before = self._before, Period()
        first, shadow = self._read(), self._reversed_shadow(update)
        try:
            while True:
                self._pause(0 if shadow else LOOK_EVERY_S)
                shadow = self._compared(shadow)
                since = between(first, self._read())
                verdict, reason = judge(before, since, self._limits, shadow.objection() if shadow else "")
                if verdict is Verdict.CONFIRM:
                    self._ledger.turn(self._ledger.slots.confirmed())
                    return
                if verdict is Verdict.ROLL_BACK:
                    self.roll_back(reason)
                    return
                share = min(1.0, since.lasted_s / max(1e-9, self._limits.probation_s))
                self._ledger.say(progress=Progress(share, reason, shadow.report() if shadow else None))
        finally:
            if shadow:
                shadow.close()

    def roll_back(self, reason: str) -> None:
        """End the probation: what ran before measures again."""
        self._ledger.turn(self._ledger.slots.rolled_back(reason), self.run_active)

    def run_active(self) -> None:
        """Measure with what the slots say.

        Raises:
            ModelError: nothing of it can be opened; what measures now goes on.
        """
        run_active(self._ledger, self._store, self._model, self._inference)
        self._begin_period()

    def _begin_period(self) -> None:
        """Another model measures: what is counted from now on is its own."""
        now = self._read()
        self._before, self._since = between(self._since, now), now
        self._forget()

    def _reversed_shadow(self, update: Update) -> Shadow | None:
        """The fallback beside the model in force; None where there is none to compare with."""
        fallback, loaded = self._ledger.slots.fallback, self._model.loaded
        if fallback is None or loaded is None or not self._limits.shadow_pictures:
            return None
        return self._shadow_of(fallback, update)

    def _compared(self, shadow: Shadow | None) -> Shadow | None:
        """Compare one picture. A model from before that does not run any more says nothing against the new one."""
        if shadow is None:
            return None
        try:
            shadow.watch(LOOK_EVERY_S)
        except ModelError as error:
            log.warning("the model from before cannot be compared with: %s", error)
            shadow.close()
            return None
        return shadow
