"""Traits over time, from a plot's series of readings: growth rate and phyllochron. Standard library only.

They are defined here, beside the other traits, and not on the device: it forgets what was delivered after a day, while
growth takes a week. Whoever has the series computes the same numbers from it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import combinations
from statistics import fmean, median

LEAST_DAYS = 3
"""Two days always lie on a line."""

DAY_S = 86_400.0
Z95 = 1.959964
"""Half of the width of a 95 % interval in standard deviations."""

Day = tuple[float, float]
"""When a day's readings were taken, in days, and their median."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate over days: its value, one standard deviation, a 95 % interval (``None``: open), and of how many days."""

    value: float
    sd: float
    low: float | None
    high: float | None
    days: int


def daily(readings: Iterable[tuple[datetime, float]], hours: tuple[float, float], zone: tzinfo) -> list[Day]:
    """One value a day: the median of what was read between two ``hours`` of the day in ``zone``, the second excluded.

    Leaves rise and fall during the day and light comes from another side, so only equal hours can be compared. A day
    without a reading in them is left out, not filled in.
    """
    days: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for at, value in readings:
        local = at.astimezone(zone)
        if hours[0] <= local.hour + local.minute / 60 + local.second / 3600 < hours[1]:
            days[local.toordinal()].append((at.timestamp() / DAY_S, value))
    return [
        (fmean(time for time, _ in taken), median(value for _, value in taken)) for _, taken in sorted(days.items())
    ]


def relative_growth_rate(areas: Sequence[Day]) -> Rate | None:
    """Slope of the logarithm of area, per day; ``None`` for fewer than three days with an area."""
    return _theil_sen([(time, math.log(area)) for time, area in areas if area > 0])


def phyllochron(leaves: Sequence[Day]) -> Rate | None:
    """Days for one more leaf; ``None`` for fewer than three days, or where leaves do not become more."""
    slope = _theil_sen(leaves)
    if slope is None or slope.value <= 0:
        return None
    low, high = slope.low or 0.0, slope.high or 0.0
    return Rate(
        value=1 / slope.value,
        sd=slope.sd / slope.value**2,
        low=1 / high if high > 0 else None,
        high=1 / low if low > 0 else None,
        days=slope.days,
    )


def _theil_sen(points: Sequence[Day]) -> Rate | None:
    """Median of the slopes between any two points (Theil 1950); its interval from Kendall's statistic (Sen 1968).

    Up to 29 % of the days may be wrong by any amount, and a missed day has no effect but its absence.
    """
    if len(points) < LEAST_DAYS:
        return None
    slopes = sorted((later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(points, 2))
    margin = Z95 * math.sqrt(_kendall_variance([value for _, value in points]))
    first = max(0, math.floor((len(slopes) - margin) / 2))
    low, high = slopes[first], slopes[-1 - first]
    return Rate(median(slopes), (high - low) / (2 * Z95), low, high, len(points))


def _kendall_variance(values: Sequence[float]) -> float:
    """Variance of the number of rising less that of falling pairs if there is no trend, with ties among the values."""
    tied = sum(_pairs_term(count) for count in Counter(values).values())
    return (_pairs_term(len(values)) - tied) / 18


def _pairs_term(count: int) -> int:
    return count * (count - 1) * (2 * count + 5)
