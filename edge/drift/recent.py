"""How a camera's last days were at each hour: what the next capture is scored against."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

HOURS = 24
DAYS = 14
LEAST_DAYS = 5
PRIOR_DAYS = 7.0
"""How much the spread over all hours counts beside that of one hour's few values."""

STEADY = 1.4826
"""Median absolute deviation to standard deviation, of a normal law."""

LEAST_WEIGHT = 0.01
"""The spread is that of about the last hundred captures."""

MOST_SPREADS = 3.0
"""A capture farther away than so many spreads widens it as if it were so far."""

RELATIVE_FLOOR, ABSOLUTE_FLOOR = 0.01, 1e-3
"""No spread is believed to be smaller: a value that hardly moves must not alarm by its last digit."""


@dataclass(slots=True)
class Recent:
    """The last ``DAYS`` values of each statistic at each hour of the day.

    Attributes:
        values: float32 [HOURS, DAYS, count], NaN where there is none.
        place: which of the days is written next, for each hour, int64 [HOURS].
        spread: typical distance from the expected value over all hours, float64 [count]; NaN before the first.
        followed: how many captures the spread has followed, int64 [count].
    """

    count: int
    values: NDArray[np.float32] = field(init=False)
    place: NDArray[np.int64] = field(init=False)
    spread: NDArray[np.float64] = field(init=False)
    followed: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.full((HOURS, DAYS, self.count), np.nan, np.float32)
        self.place = np.zeros(HOURS, np.int64)
        self.spread = np.full(self.count, np.nan)
        self.followed = np.zeros(self.count, np.int64)

    def score(self, hour: int, now: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each statistic lies from the median of its last days at this hour, in their spread, [count].

        NaN for a statistic that has fewer than ``LEAST_DAYS`` of them.
        """
        past = self.values[hour].astype(np.float64)
        days = np.isfinite(past).sum(axis=0)
        enough = (days >= LEAST_DAYS) & np.isfinite(self.spread)
        middle = median(past)
        own = STEADY * median(np.abs(past - middle))
        spread = np.sqrt((days * own**2 + PRIOR_DAYS * self.spread**2) / (days + PRIOR_DAYS))
        return np.where(enough, (now - middle) / (spread + RELATIVE_FLOOR * np.abs(middle) + ABSOLUTE_FLOOR), np.nan)

    def change(self, hour: int, now: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each statistic lies from the median of its last days at this hour, in its own unit, [count]."""
        return now - median(self.values[hour].astype(np.float64))

    def keep(self, hour: int, now: NDArray[np.float64]) -> None:
        """Take a capture among the last days."""
        past = self.values[hour].astype(np.float64)
        apart = np.abs(now - median(past))
        self._widen(apart, np.isfinite(past).sum(axis=0) >= LEAST_DAYS)
        self.values[hour, self.place[hour] % DAYS] = now
        self.place[hour] += 1

    def forget(self, which: NDArray[np.bool_]) -> None:
        """Begin anew with some statistics; how much they vary is still believed."""
        self.values[:, :, which] = np.nan

    def _widen(self, apart: NDArray[np.float64], enough: NDArray[np.bool_]) -> None:
        """Follow the spread slowly; one wild capture moves it little."""
        known = np.isfinite(self.spread)
        bounded = np.minimum(apart, np.where(known, MOST_SPREADS * self.spread, np.inf))
        weight = np.maximum(LEAST_WEIGHT, 1.0 / (self.followed + 1))
        spread = np.sqrt((1 - weight) * np.where(known, self.spread, 0.0) ** 2 + weight * bounded**2)
        follows = enough & np.isfinite(apart)
        self.spread = np.where(follows, spread, self.spread)
        self.followed += follows


def median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis, without the NaN; NaN where there is nothing else, and no warning of it."""
    ordered = np.sort(values, axis=0)  # NaN last
    counts = np.isfinite(values).sum(axis=0)
    columns = np.arange(values.shape[1])
    lower = ordered[np.maximum((counts - 1) // 2, 0), columns]
    upper = ordered[np.minimum(counts // 2, len(values) - 1), columns]
    return np.asarray(np.where(counts > 0, (lower + upper) / 2, np.nan))
