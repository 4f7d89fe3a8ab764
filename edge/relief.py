"""Watches the chip's heat and relieves it: tells the loop to rest, and exchanges the model for a smaller one."""

import logging
from collections.abc import Callable
from pathlib import Path

from edge.capture import Detail
from edge.chip import Chip, ChipState
from edge.clock import monotonic_s
from edge.contract.records import EventKind
from edge.errors import ModelError
from edge.heat import HeatPolicy, Relief
from edge.model import LoadedModel, Model
from edge.settings import HeatSettings, InferenceSettings

log = logging.getLogger(__name__)

Record = Callable[[EventKind, str | None, str, Detail], None]
"""Appends an event to the device's stream: kind, camera, message, detail."""


class HeatGuard:
    """Keeps the chip from throttling; ``watch`` belongs to one thread.

    Attributes:
        chip: as last seen.
    """

    def __init__(
        self,
        settings: HeatSettings,
        inference: InferenceSettings,
        model: Model,
        rest: Callable[[float], None],
        record: Record,
        chip: Chip | None = None,
    ) -> None:
        self._settings, self._inference, self._model = settings, inference, model
        self._rest, self._record = rest, record
        self._sensors = chip or Chip()
        self._policy = HeatPolicy(settings)
        self._former: Path | None = None
        self._smaller: str | None = None
        self.chip = ChipState()

    @property
    def relief(self) -> Relief:
        """What is done now."""
        return self._policy.relief

    def watch(self, *, may_exchange: bool) -> None:
        """Look at the chip, and do what its heat asks for.

        ``may_exchange``: nothing else is under way with the model, an update on probation say.
        """
        self.chip = self._sensors.read()
        before = self._policy.relief
        policy = self._policy.after(self.chip, monotonic_s())
        if Relief.SMALLER_MODEL in {before, policy.relief} and before != policy.relief and not may_exchange:
            return
        self._policy = policy
        if policy.relief == before:
            return
        self._rest(policy.relief.busy_share)
        self._exchange(policy.relief)
        self._tell(before, policy.relief)

    def _exchange(self, now: Relief) -> None:
        """Bring in the smaller model, or what ran before it; what fails is tried again with the next step."""
        try:
            if now is Relief.SMALLER_MODEL and self._settings.package and (loaded := self._model.loaded):
                self._smaller = self._switch_to(self._settings.package)
                self._former = loaded.package.path
            elif now is not Relief.SMALLER_MODEL and self._former:
                if (current := self._model.loaded) and current.package.digest == self._smaller:
                    self._switch_to(self._former)
                self._former = None
        except ModelError as error:
            log.error("the model stays as it is in this heat: %s", error)  # noqa: TRY400

    def _switch_to(self, package: Path) -> str:
        loaded = LoadedModel.load(package, self._inference)
        loaded.warm_up()
        self._model.switch(loaded)
        return loaded.package.digest

    def _tell(self, before: Relief, now: Relief) -> None:
        hottest = max(self.chip.temperatures_c.items(), key=lambda each: each[1], default=None)
        heat = f"{hottest[0]} has {hottest[1]:.0f} °C" if hottest else "the chip throttles"
        kind = EventKind.HOT if now > before else EventKind.COOL
        doing = f"measuring {now.told}" if now else "measuring every picture again"
        detail: Detail = {
            "relief": now.name.lower(),
            "headroom_c": self.chip.headroom_c,
            "throttled": self.chip.throttled,
            "hottest_c": hottest[1] if hottest else None,
        }
        self._record(kind, None, f"{heat}: {doing}", detail)
