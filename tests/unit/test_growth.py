"""Growth from a series of days: right on clean data, and hardly moved by a missed day or a wrong one."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.growth import daily, phyllochron, relative_growth_rate

BERLIN = timezone(timedelta(hours=2))
SOWN = datetime(2024, 5, 6, tzinfo=timezone.utc)


def grown(rate, days=10, area=400.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [(float(day), float(area * np.exp(rate * day + noise * rng.normal()))) for day in range(days)]


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.3, 0.5), st.integers(3, 30), st.floats(1, 1e6))
def test_exponential_growth_has_its_rate(rate, days, area):
    found = relative_growth_rate(grown(rate, days, area))
    assert found.value == pytest.approx(rate, abs=1e-9)
    assert found.sd == pytest.approx(0, abs=1e-9)
    assert found.days == days


def test_a_missed_day_changes_nothing_and_a_wrong_one_little():
    series = grown(0.25, noise=0.03)
    whole = relative_growth_rate(series)
    missed = relative_growth_rate(series[:4] + series[5:])
    wrong = relative_growth_rate([*series[:4], (4.0, series[4][1] / 10), *series[5:]])
    least_squares = np.polyfit(
        [day for day, _ in series], np.log([area for _, area in [*series[:8], (8.0, 1.0), series[9]]]), 1
    )[0]
    assert missed.value == pytest.approx(whole.value, rel=0.03)
    assert wrong.value == pytest.approx(whole.value, rel=0.06)
    assert abs(least_squares - 0.25) > 0.2


def test_the_interval_holds_the_rate_about_as_often_as_it_says():
    found = [relative_growth_rate(grown(0.2, 12, noise=0.1, seed=seed)) for seed in range(400)]
    within = np.mean([rate.low <= 0.2 <= rate.high for rate in found])
    assert 0.92 <= within <= 0.99
    assert np.std([rate.value for rate in found]) == pytest.approx(np.mean([rate.sd for rate in found]), rel=0.3)


def test_no_area_is_no_day_and_two_days_are_no_rate():
    assert relative_growth_rate([(0.0, 0.0), (1.0, 100.0), (2.0, 120.0)]) is None
    assert relative_growth_rate([(0.0, 90.0), (1.0, 100.0), (2.0, 120.0)]).days == 3
    assert phyllochron([]) is None


def test_a_leaf_every_two_days_is_a_phyllochron_of_two_days():
    found = phyllochron([(float(day), 3.0 + day // 2) for day in range(21)])
    assert found.value == pytest.approx(2, rel=0.05)
    assert found.low <= 2 <= found.high


def test_leaves_that_do_not_become_more_have_no_phyllochron():
    assert phyllochron([(float(day), 7.0) for day in range(9)]) is None
    assert phyllochron([(float(day), 9.0 - day) for day in range(9)]) is None


def test_an_interval_that_reaches_no_growth_is_open_above():
    found = phyllochron([(0.0, 5.0), (1.0, 4.0), (2.0, 6.0), (3.0, 5.0), (4.0, 6.0)])
    assert found.value > 0
    assert found.high is None


def test_a_day_is_the_median_of_the_same_hours_by_the_local_clock():
    readings = [
        (datetime(2024, 5, 6, 9, 59, tzinfo=BERLIN), 900.0),
        (datetime(2024, 5, 6, 10, 0, tzinfo=BERLIN), 10.0),
        (datetime(2024, 5, 6, 12, 0, tzinfo=BERLIN), 11.0),
        (datetime(2024, 5, 6, 13, 59, tzinfo=BERLIN), 500.0),
        (datetime(2024, 5, 6, 14, 0, tzinfo=BERLIN), 900.0),
        (datetime(2024, 5, 8, 10, 0, tzinfo=timezone.utc), 20.0),
    ]
    days = daily(readings, (10, 14), BERLIN)
    assert [value for _, value in days] == [11.0, 20.0]
    assert days[1][0] - days[0][0] == pytest.approx(2, abs=0.1)


def test_noons_of_a_month_give_the_rate_whatever_order_they_come_in():
    noons = [(SOWN + timedelta(days=day, hours=12), 100 * np.exp(0.1 * day)) for day in range(30)]
    shuffled = [noons[index] for index in np.random.default_rng(3).permutation(30)]
    assert relative_growth_rate(daily(shuffled, (10, 14), timezone.utc)).value == pytest.approx(0.1)
