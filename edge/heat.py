"""What the device does against heat, before the chip slows down by itself: fewer pictures, then a smaller model.

Pure: temperatures and the time come from outside.
"""

from dataclasses import dataclass
from enum import IntEnum

from edge.chip import ChipState
from edge.settings import HeatSettings


class Relief(IntEnum):
    """What is done, from nothing to all that can be done."""

    NONE = 0
    HALF_RATE = 1
    QUARTER_RATE = 2
    SMALLER_MODEL = 3

    @property
    def busy_share(self) -> float:
        """How much of its time the loop may work; in the rest it waits, and pictures pass it by."""
        return {Relief.NONE: 1.0, Relief.HALF_RATE: 0.5}.get(self, 0.25)

    @property
    def told(self) -> str:
        """For a person; empty where nothing is needed."""
        return _TOLD[self]


_TOLD = {
    Relief.NONE: "",
    Relief.HALF_RATE: "half the pictures",
    Relief.QUARTER_RATE: "a quarter of the pictures",
    Relief.SMALLER_MODEL: "a quarter of the pictures, by the smaller model",
}


@dataclass(frozen=True, slots=True)
class HeatPolicy:
    """Decides, step by step.

    Attributes:
        settings: at what distance from throttling to act.
        relief: what is done now.
        since_s: monotonic time of the last step; None before the first.
    """

    settings: HeatSettings
    relief: Relief = Relief.NONE
    since_s: float | None = None

    def after(self, chip: ChipState, now_s: float) -> "HeatPolicy":
        """The policy once it has seen the chip: one step further, one step back, or as it was.

        A chip that throttles already skips a step. A machine without sensors is left alone.
        """
        headroom_c = self._headroom_c(chip)
        held = self.since_s is not None and now_s - self.since_s < self.settings.hold_s
        hot = chip.throttled is True or (headroom_c is not None and headroom_c < self.settings.margin_c)
        cool = not hot and (headroom_c is None or headroom_c > self.settings.margin_c + self.settings.hysteresis_c)
        if held or not (hot or cool):
            return self
        step = (2 if chip.throttled and self.relief is Relief.NONE else 1) if hot else -1
        relief = Relief(min(max(self.relief + step, Relief.NONE), self._most))
        return self if relief == self.relief else HeatPolicy(self.settings, relief, now_s)

    @property
    def _most(self) -> Relief:
        return Relief.SMALLER_MODEL if self.settings.package else Relief.QUARTER_RATE

    def _headroom_c(self, chip: ChipState) -> float | None:
        if chip.headroom_c is not None:
            return chip.headroom_c
        hottest_c = max(chip.temperatures_c.values(), default=None)
        return None if hottest_c is None else self.settings.limit_c - hottest_c
