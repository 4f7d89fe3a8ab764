"""A camera that has not drifted is left in peace for years; one that has is noticed within the day."""

import numpy as np
import pytest

from edge.drift.detector import LEAST_SCORES, STARTS_A_YEAR, Detector
from edge.drift.recent import DAYS, LEAST_DAYS, Recent
from tests.sim.camera_years import HOURS, CameraYears, camera_years
from tests.sim.drift_years import NEVER, first_alarms

ALPHA = 0.05


def shifted(years, from_day, spreads, statistics=2):
    """The same with some statistics moved by so many of the spreads that they have at one hour."""
    around = years.values[:, from_day - 40 : from_day]
    spread = np.sqrt(np.nanmean((around - np.nanmedian(around, axis=1, keepdims=True)) ** 2, axis=(1, 2)))
    moved = years.values.copy()
    moved[:, from_day:, :, :statistics] += spreads * spread[:, None, None, :statistics]
    return CameraYears(moved, years.planted)


def test_autocorrelated_sun_weather_and_growth_raise_no_alarm_in_years():
    first = first_alarms(camera_years(40, seed=11), ALPHA)
    assert np.mean(first != NEVER) <= ALPHA


@pytest.mark.parametrize("spreads", [-8.0, 8.0])
def test_a_change_of_two_statistics_is_noticed_within_the_day(spreads):
    years = camera_years(40, seed=12, days=180, cycle_days=10_000)
    first = first_alarms(shifted(years, 170, spreads), ALPHA)
    assert np.mean((first >= 170 * HOURS) & (first < 171 * HOURS)) >= 0.9


def test_one_wild_capture_is_no_alarm():
    years = camera_years(20, seed=13, days=180, cycle_days=10_000)
    years.values[:, 170, 6, 0] += 1e3
    assert np.all(first_alarms(years, ALPHA) == NEVER)


def test_nothing_is_bet_before_enough_is_known():
    detector = Detector(1)
    for _ in range(LEAST_SCORES):
        detector.take(np.array([99.0]))
    assert detector.evidence[0] == 0


def test_the_bet_is_fair_at_the_frequency_that_it_allows_for():
    """The expectation of the gain is 1 if scores lie beyond each threshold as often as the bet says they may."""
    detector = Detector(1)
    detector.scores[:] = 950
    detector.beyond[0, :, 0] = 20
    chance = 3.0 * 21 / 1000
    ahead, behind = detector._gain(np.array([[2.6, -2.6]])), detector._gain(np.array([[0.0, 0.0]]))
    never = 3.0 * 1 / 1000
    quiet = (0.2 / (1 - never)) * 10 + 0.2 / (1 - chance)
    assert behind[0] == pytest.approx(quiet / 11)
    assert ahead[0] == pytest.approx((quiet + quiet - 0.2 / (1 - chance) + 0.8 / chance) / 22)
    assert chance * 0.8 / chance + (1 - chance) * 0.2 / (1 - chance) == pytest.approx(1)


def test_evidence_grows_from_any_start_and_fades_when_the_change_is_over():
    detector = Detector(1)
    detector.scores[:] = 1000
    for _ in range(6):
        detector.take(np.array([50.0]))
    assert detector.evidence[0] > 1e4
    for _ in range(40):
        detector.take(np.array([0.0]))
    assert detector.evidence[0] < 20 / STARTS_A_YEAR


def test_a_score_is_the_distance_in_spreads_of_the_same_hour():
    recent, rng = Recent(2), np.random.default_rng(3)
    for _ in range(40):
        for hour in (8, 12):
            recent.keep(hour, rng.normal(100 * (hour == 12), 1, 2))
    assert recent.score(12, np.array([100.0, 105.0])) == pytest.approx([0, 2.7], abs=1.2)
    assert recent.score(8, np.array([100.0, 100.0])).min() > 20
    assert np.isnan(recent.score(3, np.zeros(2))).all()


def test_few_days_give_no_score_and_missing_values_cost_nothing():
    recent = Recent(1)
    for day in range(LEAST_DAYS + 3):
        recent.keep(9, np.array([float(day)]))
    recent.keep(9, np.array([np.nan]))
    assert np.isfinite(recent.score(9, np.array([3.0]))).all()
    assert np.isnan(recent.score(9, np.array([np.nan]))).all()
    assert recent.values.shape[1] == DAYS
