"""The rules: from which value on something needs somebody, and below which it is over. Pure.

Two thresholds and two times keep an alert from flapping: it is raised when a value has stood at or above ``raise_at``
for ``raise_after_s``, and cleared when it has stood below ``clear_below`` for ``clear_after_s``; between the two
thresholds it stays what it was.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import Field, model_validator

from fleet.strict import Settings


class Rule(str, Enum):
    """What is looked at."""

    OFFLINE = "offline"
    GAP = "gap"
    COUNT_DROP = "count_drop"
    DRIFT = "drift"
    UPDATE_FAILED = "update_failed"
    DISK = "disk"
    TEMPERATURE = "temperature"


class Severity(str, Enum):
    """How soon somebody is needed."""

    WARNING = "warning"
    CRITICAL = "critical"


class RuleSettings(Settings):
    """One rule. The unit of the thresholds is the rule's own."""

    enabled: bool = True
    severity: Severity = Severity.WARNING
    raise_at: float
    clear_below: float
    raise_after_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 0.0
    clear_after_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 0.0

    @model_validator(mode="after")
    def _hysteresis(self) -> "RuleSettings":
        if self.clear_below > self.raise_at:
            raise ValueError(f"clear_below {self.clear_below:g} lies above raise_at {self.raise_at:g}: it would flap")
        return self


def _rule(
    raise_at: float, clear_below: float, raise_after_s: float, clear_after_s: float, severity: str
) -> RuleSettings:
    return RuleSettings(
        severity=Severity(severity), raise_at=raise_at, clear_below=clear_below,
        raise_after_s=raise_after_s, clear_after_s=clear_after_s,
    )  # fmt: skip


class RulesSettings(Settings):
    """Every rule and its unit.

    ``offline``: minutes since the device was heard of. ``gap``: records dropped or missing in a day. ``count_drop``:
    share of the plants or fruit that a camera counted a day ago and does not find now. ``drift``: cameras' unexplained
    changes of the last day. ``update_failed``: 1. ``disk``: GB free, as a negative number, so that less is more.
    ``temperature``: °C of the hottest place.
    """

    offline: RuleSettings = _rule(10, 1, 0, 60, "critical")
    gap: RuleSettings = _rule(1, 1, 600, 0, "warning")
    count_drop: RuleSettings = _rule(0.2, 0.1, 1800, 1800, "warning")
    drift: RuleSettings = _rule(1, 1, 0, 0, "warning")
    update_failed: RuleSettings = _rule(1, 1, 0, 0, "warning")
    disk: RuleSettings = _rule(-1.0, -2.0, 300, 300, "critical")
    temperature: RuleSettings = _rule(85, 78, 300, 600, "warning")

    def of(self, rule: Rule) -> RuleSettings:
        """One of them."""
        return getattr(self, rule.value)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What an alert is about: a device, or one of its cameras."""

    rule: Rule
    site: str
    device: str
    camera: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.site, self.device, self.camera) if part)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a subject's value is now, and how a person is told of it."""

    subject: Subject
    value: float
    told: str
