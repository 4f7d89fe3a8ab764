"""Two versions on two sets of devices: how their traits differ. Pure arithmetic.

Readings of one device are not independent (one camera, one light, the same plants), so a device counts once: what is
compared is the mean of each device. The shift is the Hodges-Lehmann estimate, the median of all differences between a
device of B and a device of A, and its interval comes from the exact null distribution of the Mann-Whitney U
(J. L. Hodges and E. L. Lehmann, 1963; H. B. Mann and D. R. Whitney, 1947; M. Hollander, D. A. Wolfe, *Nonparametric
Statistical Methods*, sect. 4.3). It assumes no distribution, and says so where there are too few devices for an
interval at all: with three against three there is none at 95 %.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import comb, sqrt
from statistics import NormalDist, fmean, median

EXACT_UPTO = 60
"""Devices of both arms together up to which U's distribution is counted out; above, its normal approximation."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The readings of one trait in one arm: mean and number for each device."""

    means: tuple[float, ...]
    observations: int

    @classmethod
    def of(cls, values: Sequence[Sequence[float]]) -> "Sample":
        """From the readings of each device; a device without any is left out."""
        present = [readings for readings in values if readings]
        return cls(tuple(fmean(readings) for readings in present), sum(map(len, present)))


@dataclass(frozen=True, slots=True)
class Difference:
    """B less A for one trait. ``low`` and ``high`` bound the shift with at least the wanted confidence, if they can."""

    median_a: float
    median_b: float
    shift: float
    low: float | None
    high: float | None
    p: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compare(a: Sample, b: Sample, confidence: float = 0.95) -> Difference | None:
    """Compare two samples; None if one of them is empty."""
    if not a.means or not b.means:
        return None
    differences = sorted(right - left for left in a.means for right in b.means)
    wins = sum(2 if difference > 0 else 1 if difference == 0 else 0 for difference in differences) / 2
    skipped = _skipped(len(a.means), len(b.means), (1 - confidence) / 2)
    low, high = (differences[skipped], differences[-1 - skipped]) if skipped is not None else (None, None)
    return Difference(
        median(a.means), median(b.means), median(differences), low, high, _p_value(len(a.means), len(b.means), wins)
    )


def _skipped(n: int, m: int, tail: float) -> int | None:
    """How many of the sorted differences the interval leaves out at each end: the largest k with P(U <= k) <= tail."""
    if n + m > EXACT_UPTO:
        mean, deviation = _moments(n, m)
        return int(mean - 0.5 + NormalDist().inv_cdf(tail) * deviation)
    below = list(accumulate(_ways(n, m)))
    k = bisect_right(below, tail * below[-1])
    return k - 1 if k else None


def _p_value(n: int, m: int, wins: float) -> float:
    """Two-sided, of U as it was found; ties count half."""
    least = min(wins, n * m - wins)
    if n + m > EXACT_UPTO:
        mean, deviation = _moments(n, m)
        return min(1.0, 2 * NormalDist(mean, deviation).cdf(least + 0.5))
    return min(1.0, 2 * sum(_ways(n, m)[: int(least) + 1]) / comb(n + m, n))


def _moments(n: int, m: int) -> tuple[float, float]:
    return n * m / 2, sqrt(n * m * (n + m + 1) / 12)


@cache
def _ways(n: int, m: int) -> tuple[int, ...]:
    """In how many of the orders of n and m devices U is 0, 1, … nm: the Gaussian binomial's coefficients."""
    counts = [1] + [0] * (n * m)
    for step in range(1, n + 1):
        grow, shrink = m + step, step
        for u in range(n * m, grow - 1, -1):
            counts[u] -= counts[u - grow]
        for u in range(shrink, n * m + 1):
            counts[u] += counts[u - shrink]
    return tuple(counts)
