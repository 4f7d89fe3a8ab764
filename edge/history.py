"""A trait of a plot over days, from what is stored on the device: for the terminal, with its gaps. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import median
from typing import Any

from edge.contract.growth import Rate, daily, relative_growth_rate
from edge.contract.traits import FRUIT_COUNT, PLANT_COUNT, PROJECTED_LEAF_AREA, VOCABULARY, Unit

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
WIDTH = 64
AREAS = {Unit.PX2, Unit.MM2}
ALL_DAY = (0.0, 24.0)
MAIN = (PROJECTED_LEAF_AREA.name, FRUIT_COUNT.name, PLANT_COUNT.name)
"""What a grower asks for first, where there is one of them."""

Reading = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class DayOf:
    """One day: the median of its readings, None without one, and what became of all that was looked at."""

    day: date
    value: float | None
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class History:
    """A trait of a plot.

    Attributes:
        bars: median of the readings in each of equal spans of time, oldest first; None is a gap.
        growth: relative growth rate per day, for areas of three days or more.
    """

    camera: str
    plot: str
    trait: str
    unit: str
    readings: int
    first: datetime
    last: datetime
    newest: float
    least: float
    most: float
    bars: tuple[float | None, ...]
    days: tuple[DayOf, ...]
    growth: Rate | None


def history_of(observations: Iterable[dict[str, Any]], trait: str, zone: tzinfo, width: int = WIDTH) -> list[History]:
    """The history of each camera's plot among ``observations``, as they are stored, that has the trait at all."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in observations:
        found.setdefault((each["camera"], each["plot"]), []).append(each)
    histories = [_history(camera, plot, seen, trait, zone, width) for (camera, plot), seen in sorted(found.items())]
    return [history for history in histories if history is not None]


def traits_in(observations: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """The names of all traits among ``observations``, in their order."""
    return tuple(dict.fromkeys(value["trait"] for each in observations for value in each["traits"]))


def main_trait(there: Sequence[str]) -> str | None:
    """That of ``there`` which is shown if nobody asks for one."""
    return next((name for name in (*MAIN, *there) if name in there), None)


def sparkline(values: Sequence[float | None]) -> str:
    """One character for each value, from the least to the most; a gap is a dot, which is no bar."""
    there = [value for value in values if value is not None]
    if not there:
        return GAP * len(values)
    least, spread = min(there), max(there) - min(there)
    return "".join(
        GAP if value is None else BARS[round((value - least) / spread * (len(BARS) - 1)) if spread else 0]
        for value in values
    )


def _history(
    camera: str, plot: str, seen: Sequence[dict[str, Any]], trait: str, zone: tzinfo, width: int
) -> History | None:
    moments = [(datetime.fromisoformat(each["clock"]["at"].replace("Z", "+00:00")), each) for each in seen]
    moments.sort(key=lambda each: each[0])
    readings = [(at, value) for at, each in moments if (value := _value(each, trait)) is not None]
    if not readings:
        return None
    values = [value for _, value in readings]
    area = VOCABULARY[trait].unit in AREAS if trait in VOCABULARY else False
    return History(
        camera=camera,
        plot=plot,
        trait=trait,
        unit=next(_unit(each, trait) for _, each in reversed(moments) if _value(each, trait) is not None),
        readings=len(readings),
        first=moments[0][0],
        last=moments[-1][0],
        newest=values[-1],
        least=min(values),
        most=max(values),
        bars=_bars(readings, moments[0][0], moments[-1][0], width),
        days=_days(moments, trait, zone),
        growth=relative_growth_rate(daily(readings, ALL_DAY, zone)) if area else None,
    )


def _bars(readings: Sequence[Reading], first: datetime, last: datetime, width: int) -> tuple[float | None, ...]:
    """Fewer where there are fewer readings: a bar that could hold none is no gap."""
    count = max(1, min(width, len(readings)))
    span = max((last - first) / count, timedelta(seconds=1))
    groups: list[list[float]] = [[] for _ in range(count)]
    for at, value in readings:
        groups[min(count - 1, int((at - first) / span))].append(value)
    return tuple(median(group) if group else None for group in groups)


def _days(moments: Sequence[tuple[datetime, dict[str, Any]]], trait: str, zone: tzinfo) -> tuple[DayOf, ...]:
    """Every day from the first to the last, those without a reading too."""
    by_day: dict[date, list[dict[str, Any]]] = {}
    for at, each in moments:
        by_day.setdefault(at.astimezone(zone).date(), []).append(each)
    first, last = min(by_day), max(by_day)
    days = []
    for number in range((last - first).days + 1):
        seen = by_day.get(day := first + timedelta(days=number), [])
        values = [value for each in seen if (value := _value(each, trait)) is not None]
        days.append(DayOf(day, median(values) if values else None, dict(Counter(each["outcome"] for each in seen))))
    return tuple(days)


def _value(observation: dict[str, Any], trait: str) -> float | None:
    return next((float(each["value"]) for each in observation["traits"] if each["trait"] == trait), None)


def _unit(observation: dict[str, Any], trait: str) -> str:
    return next((str(each["unit"] or "") for each in observation["traits"] if each["trait"] == trait), "")
