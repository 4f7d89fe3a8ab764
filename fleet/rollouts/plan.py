"""What a rollout is told: which devices in which wave, when a wave is good, when to stop. Checked, never repaired."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.contract.control import Failure, Window
from edge.contract.message import Label, Name
from fleet.errors import PlanError

MAX_FILE_BYTES = 100_000
DAY_S = 86_400.0

Share = Annotated[float, Field(ge=0, le=1)]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(=[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")]
"""What people say of a device: ``north`` or ``crop=tomato``. One with a value is a group that failures can share."""

Where = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A device by its whole name: ``site/device``."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Selector(_Part):
    """Some of the devices: any of the values of each field that names some; without fields, all devices."""

    sites: tuple[Name, ...] = ()
    hardware: tuple[Name, ...] = ()
    tags: tuple[Tag, ...] = ()
    devices: tuple[Where, ...] = ()


class Errors(_Part):
    """The largest shares of a wave's executed devices that may fail: ``any`` of all kinds together, then by kind."""

    any: Share = 0.1
    failed: Share | None = None
    rejected: Share | None = None
    timed_out: Share | None = None
    rolled_back: Share | None = None

    def limits(self) -> dict[Failure | None, float]:
        """Each limit that is set, by the kind of failure; None stands for all kinds together."""
        by_kind = {kind: getattr(self, kind.value) for kind in Failure}
        return {None: self.any} | {kind: limit for kind, limit in by_kind.items() if limit is not None}


class Wave(_Part):
    """One step of a rollout.

    Attributes:
        percent: share of the selected devices that have the model once this wave is over, earlier waves included.
        min_executed: so many devices must have ended, well or badly, before shares mean anything; a wave that has fewer
            devices waits for all of them.
        success_threshold: share of the devices that can be reached that must have confirmed.
        errors: what halts the rollout.
        soak_s: how long the wave must stay good before the next one begins.
    """

    name: Label = ""
    select: Selector = Selector()
    percent: Annotated[float, Field(gt=0, le=100)] = 100.0
    min_executed: Annotated[int, Field(ge=1, le=100_000)] = 3
    success_threshold: Annotated[float, Field(gt=0, le=1)] = 0.95
    errors: Errors = Errors()
    soak_s: Annotated[float, Field(ge=0, le=90 * DAY_S)] = 3_600.0


class Correlation(_Part):
    """When failures that share a hardware or a kind of camera stop everything, however few they are.

    ``alpha``: how likely it may be that they do by chance; ``min_failures``: fewer of them stop nothing.
    """

    alpha: Annotated[float, Field(ge=0, le=0.2)] = 0.02
    min_failures: Annotated[int, Field(ge=1, le=1_000)] = 2


class Plan(_Part):
    """A whole rollout.

    Attributes:
        select: the devices that take part at all.
        on_halt: what a halt does with devices that have the new model already; those under way are always called off.
        window: when a device may switch, by its own clock and light; the device keeps to it.
        give_up_after_s: what a device has for the whole update, waiting for its window included.
        grace_s: how much longer the fleet waits for the device to say so itself.
        retry: offer it also to devices that refused this version before.
        may_disagree: devices need not find that it agrees with the model before, because that one is known to err.
    """

    waves: Annotated[tuple[Wave, ...], Field(min_length=1, max_length=20)]
    select: Selector = Selector()
    on_halt: Literal["roll_back", "stop"] = "roll_back"
    window: Window | None = None
    give_up_after_s: Annotated[float, Field(gt=0, le=90 * DAY_S)] = 2 * DAY_S
    grace_s: Annotated[float, Field(ge=0, le=DAY_S)] = 600.0
    correlation: Correlation = Correlation()
    retry: bool = False
    may_disagree: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> "Plan":
        if self.window is not None and self.give_up_after_s <= DAY_S:
            raise ValueError(
                f"a window comes once a day, but give_up_after_s is {self.give_up_after_s:g}; give more than {DAY_S:g}"
            )
        reached: dict[Selector, float] = {}
        for number, wave in enumerate(self.waves, start=1):
            before = reached.get(wave.select, 0.0)
            if wave.percent <= before:
                raise ValueError(
                    f"wave {number} adds nobody: {wave.percent:g} % after {before:g} %; each counts the earlier ones in"
                )
            reached[wave.select] = wave.percent
        return self


def load_plan(path: Path) -> Plan:
    """Read a plan from YAML.

    Raises:
        PlanError: it cannot be read, or a value is wrong (each is named).
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise PlanError(f"{path} has more than {MAX_FILE_BYTES} bytes; that is no plan")
        tree = yaml.safe_load(content)
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error}; name an existing YAML file with --plan") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(f"{path} is not YAML: {error}") from error
    return make_plan(tree, str(path))


def make_plan(tree: Any, source: str) -> Plan:
    """A plan from plain data.

    Raises:
        PlanError: a value is wrong (each is named).
    """
    try:
        return Plan.model_validate(tree)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"  {'.'.join(map(str, problem['loc'])) or 'plan'}: {problem['msg']}" for problem in problems]
        raise PlanError(f"{source} is no plan of a rollout:\n" + "\n".join(lines)) from error
