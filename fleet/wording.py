"""How the page says things: values with the units that growers write, ages, and what became of a plot. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from edge.contract.records import Outcome
from edge.contract.traits import CENTROID_X, CENTROID_Y, VOCABULARY, Unit

SILENT_AFTER_S = 300.0
"""A device that says it is online and sends nothing for so long is shown as silent."""

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
_POSITIONS = {CENTROID_X.name, CENTROID_Y.name}
_OUTCOMES = {
    Outcome.MEASURED.value: "measured",
    Outcome.NO_PLANT.value: "no plant",
    Outcome.NOT_TAKEN.value: "not taken",
    Outcome.FAILED.value: "failed",
}
_SUFFIXES = {Unit.PX.value: "px", Unit.PX2.value: "px²", Unit.MM.value: "mm", Unit.MM2.value: "mm²"}


def value(trait: Mapping[str, Any]) -> str:
    """A trait's value with its unit: ``7``, ``12 345 px²``, ``43 %``, ``0.214``, ``98°``."""
    number, unit = float(trait["value"]), trait["unit"]
    if unit == Unit.FRACTION.value:
        return f"{100 * number:.0f}{NARROW_SPACE}%"
    if unit == Unit.DEGREE.value:
        return f"{number:.0f}°"
    if unit == Unit.MM2.value and abs(number) >= 100:
        return f"{count_text(number / 100)}{NARROW_SPACE}cm²"
    if unit in _SUFFIXES:
        return f"{count_text(number)}{NARROW_SPACE}{_SUFFIXES[unit]}"
    if unit == Unit.INDEX.value:
        return f"{number:.3f}"
    return count_text(number) if unit == Unit.COUNT.value else f"{number:.4g}"


def count_text(number: float) -> str:
    """A number without more digits than it is worth, its thousands apart."""
    digits = 0 if number == int(number) or abs(number) >= 100 else 1
    return f"{number:,.{digits}f}".replace(",", NARROW_SPACE)


def outcome(observation: Mapping[str, Any]) -> str:
    """What became of looking at a plot, with the reason: ``no plant``, ``not taken: dark``, ``failed``."""
    word = _OUTCOMES.get(observation["outcome"], "not known to this release")
    reasons = [str(flag or "not known") for flag in observation["quality"]]
    return f"{word}: {', '.join(reasons)}" if reasons else word


def trait_columns(observations: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Name and heading of each trait that is shown: the vocabulary's in its order, then others; positions are not."""
    found = {trait["trait"] for observation in observations for trait in observation["traits"]}
    known = [(name, trait.label) for name, trait in VOCABULARY.items() if name in found - _POSITIONS]
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
