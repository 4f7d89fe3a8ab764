"""A trait of a camera now against yesterday, in the words of a page. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.contract.traits import VOCABULARY, Unit
from fleet.pages.wording import NARROW_SPACE, count_text, value
from fleet.questions.overview import Headline

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A heading, the value with its unit, and how it differs from yesterday's; each may be empty."""

    name: str
    text: str = ""
    delta: str = ""


def figure(headlines: Sequence[Headline], traits: Iterable[str], name: str) -> Figure:
    """The first of ``traits`` that there is."""
    for trait in traits:
        found = [headline for headline in headlines if headline.trait == trait]
        if found:
            best = max(found, key=lambda headline: headline.unit == Unit.MM2.value)
            label = VOCABULARY[trait].label
            return Figure(
                label[:1].upper() + label[1:], _text(best.now, best.unit), _delta(best.now, best.yesterday, best.unit)
            )
    return Figure(name)


def total(headlines: Iterable[Headline], name: str) -> Figure:
    """Of several cameras together; pixels of different cameras are not added up."""
    added = [headline for headline in headlines if headline.unit in {Unit.COUNT.value, Unit.MM2.value}]
    if not added:
        return Figure(name)
    unit = added[0].unit
    both = [headline for headline in added if headline.yesterday is not None]
    delta = _delta(sum(one.now for one in both), sum(one.yesterday or 0 for one in both), unit) if both else ""
    return Figure(name, _text(sum(one.now for one in added), unit), delta)


def _text(number: float, unit: str | None) -> str:
    return value({"value": number, "unit": unit})


def _delta(now: float, before: float | None, unit: str | None) -> str:
    """Counts by how many, everything else by which share."""
    if before is None:
        return ""
    if unit == Unit.COUNT.value:
        difference = round(now) - round(before)
        return "±0" if not difference else f"{_sign(difference)}{count_text(abs(difference))}"
    if not before:
        return ""
    share = 100 * (now / before - 1)
    return f"{_sign(share)}{abs(share):.0f}{NARROW_SPACE}%" if abs(share) >= 0.5 else f"±0{NARROW_SPACE}%"


def _sign(number: float) -> str:
    return "+" if number > 0 else MINUS
