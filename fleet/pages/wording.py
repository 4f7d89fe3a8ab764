"""How the page says things: values with the units that growers write, ages, and what became of a plot. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from edge.contract import traits as vocabulary
from edge.contract.records import Outcome
from edge.contract.traits import VOCABULARY, Unit

SILENT_AFTER_S = 300.0
"""A device that says it is online and sends nothing for so long is shown as silent."""

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
_HEADLINES = tuple(
    trait.name
    for trait in (
        vocabulary.PLANT_COUNT,
        vocabulary.LEAF_COUNT,
        vocabulary.FRUIT_COUNT,
        vocabulary.FRUIT_COUNT_GREEN,
        vocabulary.FRUIT_COUNT_TURNING,
        vocabulary.FRUIT_COUNT_RIPE,
        vocabulary.PROJECTED_LEAF_AREA,
        vocabulary.CANOPY_COVER,
        vocabulary.HEIGHT,
        vocabulary.WIDTH,
        vocabulary.LEAF_LENGTH,
        vocabulary.GREENNESS,
        vocabulary.HUE,
        vocabulary.SYMPTOMATIC_SHARE,
    )
)
"""What a grower reads in a table; the rest is for whoever asks the API."""
_OUTCOMES = {
    Outcome.MEASURED.value: "measured",
    Outcome.NO_PLANT.value: "no plant",
    Outcome.NOT_TAKEN.value: "not taken",
    Outcome.FAILED.value: "failed",
}


def value(trait: Mapping[str, Any]) -> str:
    """A trait's value with its unit: ``7``, ``12 345 px²``, ``43 %``, ``0.214``, ``98°``, ``0.251 /d``."""
    number, unit = float(trait["value"]), trait["unit"]
    if unit == Unit.MM2.value and abs(number) >= 100:
        return f"{count_text(number / 100)}{NARROW_SPACE}cm²"
    form = _FORMS.get(unit)
    return form(number) if form else f"{number:.4g}"


def count_text(number: float) -> str:
    """A number without more digits than it is worth, its thousands apart."""
    digits = 0 if number == int(number) or abs(number) >= 100 else 1
    return f"{number:,.{digits}f}".replace(",", NARROW_SPACE)


def _counted(suffix: str) -> Callable[[float], str]:
    return lambda number: f"{count_text(number)}{NARROW_SPACE}{suffix}"


_FORMS: dict[str, Callable[[float], str]] = {
    Unit.COUNT.value: count_text,
    Unit.PX.value: _counted("px"),
    Unit.PX2.value: _counted("px²"),
    Unit.MM.value: _counted("mm"),
    Unit.MM2.value: _counted("mm²"),
    Unit.DAY.value: _counted("d"),
    Unit.FRACTION.value: lambda number: f"{100 * number:.0f}{NARROW_SPACE}%",
    Unit.DEGREE.value: lambda number: f"{number:.0f}°",
    Unit.INDEX.value: lambda number: f"{number:.3f}",
    Unit.PER_DAY.value: lambda number: f"{number:.3f}{NARROW_SPACE}/d",
}


def method(trait: Mapping[str, Any]) -> str:
    """How a value was got, and how sure it is where that is known: ``centres found by the network; ± 0.9``."""
    uncertainty = trait.get("uncertainty")
    if not uncertainty:
        return str(trait["method"])
    return f"{trait['method']}; ±{NARROW_SPACE}{value({**trait, 'value': uncertainty})}"


def outcome(observation: Mapping[str, Any]) -> str:
    """What became of looking at a plot, with the reason: ``no plant``, ``not taken: dark``, ``failed``."""
    word = _OUTCOMES.get(observation["outcome"], "not known to this release")
    reasons = [str(flag or "not known") for flag in observation["quality"]]
    return f"{word}: {', '.join(reasons)}" if reasons else word


def reading(observation: Mapping[str, Any]) -> dict[str, Any]:
    """An observation as a table shows it: what became of it, each trait with its unit, and how each was got."""
    found = {trait["trait"]: trait for trait in observation["traits"]}
    return {
        **observation,
        "says": outcome(observation),
        "values": {name: value(trait) for name, trait in found.items()},
        "methods": {name: method(trait) for name, trait in found.items()},
    }


def trait_columns(observations: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Name and heading of each trait that is shown: of the vocabulary's the main ones, then those not known to it."""
    found = {trait["trait"] for observation in observations for trait in observation["traits"]}
    known = [(name, VOCABULARY[name].label) for name in _HEADLINES if name in found]
    return known + [(name, name.replace("_", " ")) for name in sorted(found - set(VOCABULARY))]


def age(then: datetime, now: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds // length_s}{NARROW_SPACE}{unit} ago"
    return f"{seconds}{NARROW_SPACE}s ago"


def size(count: float | None) -> str:
    """Bytes as people say them."""
    if count is None:
        return "unknown"
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count_text(count)}{NARROW_SPACE}{unit}"
        count /= 1000
    return f"{count_text(count)}{NARROW_SPACE}GB"


def presence(device: Mapping[str, Any], now: datetime) -> str:
    """``online``, ``silent`` or ``offline``."""
    if not device["online"]:
        return "offline"
    return "silent" if (now - device["last_seen"]).total_seconds() > SILENT_AFTER_S else "online"
