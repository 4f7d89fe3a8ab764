"""The comparison of two arms: against counting, against published tables, and against its own promise."""

import random
from itertools import combinations
from statistics import median

import pytest

from fleet.rollouts.comparison import Sample, _skipped, _ways, compare


def sample(*means: float) -> Sample:
    return Sample(tuple(means), len(means))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (4, 4), (5, 3), (6, 2)])
def test_the_distribution_is_what_counting_every_order_gives(n: int, m: int) -> None:
    counted = [0] * (n * m + 1)
    for places in combinations(range(n + m), n):
        counted[sum(other > place for place in places for other in range(n + m) if other not in places)] += 1
    assert _ways(n, m) == tuple(counted)


@pytest.mark.parametrize(("n", "m", "critical"), [(4, 4, 0), (5, 5, 2), (8, 8, 13), (10, 10, 23), (20, 20, 127)])
def test_the_critical_values_are_the_published_ones(n: int, m: int, critical: int) -> None:
    """Mann-Whitney U, two-sided 5 %, as in every table since 1947."""
    assert _skipped(n, m, 0.025) == critical


def test_where_the_approximation_takes_over_it_is_the_exact_value_or_one_more_careful() -> None:
    exact = _skipped(30, 30, 0.025)
    assert exact == 317
    approximate = _skipped(30, 31, 0.025)
    assert 317 < approximate < 340


def test_too_few_devices_give_a_shift_without_an_interval() -> None:
    found = compare(sample(1, 2, 3), sample(11, 12, 13))
    assert found
    assert (found.shift, found.low, found.high, found.differs) == (10, None, None, False)
    assert found.p == pytest.approx(0.1)


def test_four_against_four_can_differ() -> None:
    found = compare(sample(1, 2, 3, 4), sample(11, 12, 13, 14))
    assert found
    assert (found.low, found.high, found.differs) == (7, 13, True)


def test_nothing_is_compared_with_nothing() -> None:
    assert compare(sample(), sample(1)) is None
    assert compare(sample(1), sample()) is None


def test_ties_count_half() -> None:
    found = compare(sample(*[5.0] * 8), sample(*[5.0] * 8))
    assert found
    assert (found.p, found.shift, found.differs) == (1.0, 0.0, False)


def test_a_device_counts_once_however_much_it_sends() -> None:
    assert Sample.of([[1.0] * 1000, [3.0], []]) == Sample((1.0, 3.0), 1001)


@pytest.mark.parametrize("size", [6, 12, 40])
def test_the_interval_holds_the_true_shift_as_often_as_it_says(size: int) -> None:
    """On a skewed distribution, where a t interval would not be exact."""
    rng = random.Random(size)
    held = 0
    for _ in range(400):
        a = sample(*(rng.expovariate(1) for _ in range(size)))
        b = sample(*(2 + rng.expovariate(1) for _ in range(size)))
        found = compare(a, b)
        assert found
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.shift <= found.high
        held += found.low <= 2 <= found.high
    assert held / 400 > 0.93


def test_the_shift_is_the_median_of_all_differences() -> None:
    a, b = (3.0, 1.0, 8.0), (2.0, 9.0, 4.0, 7.0)
    found = compare(sample(*a), sample(*b))
    assert found
    assert found.shift == median(right - left for left in a for right in b)
