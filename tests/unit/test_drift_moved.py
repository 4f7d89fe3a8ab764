"""Which bin moved, in numbers and in words."""

import pytest

from edge.contract.drift import WindowSums
from fleet.drift.cause import Cause
from fleet.drift.moved import moved, spoken
from fleet.pages.drift import TITLES
from tests.sim.fleet_drift import window


def test_the_bin_that_grew_most_is_named_against_the_days_before() -> None:
    day = window(0, value=38.0, captures=8, evidence={"sharpness": 9.0}, scores={"sharpness": 7.0})
    (one,) = moved(day, window(-1, value=2.0, captures=9).sums, 1)
    assert (one.statistic, one.bin, one.day[9], one.before[0], one.spreads) == ("sharpness", 9, 1.0, 1.0, 7.0)
    assert one.says.startswith("100% of the day's captures lie in the reference's highest tenth, 0% ")


def test_without_days_before_a_tenth_is_what_is_expected() -> None:
    (one,) = moved(window(0, value=38.0, captures=8), WindowSums(), 1)
    assert (one.bin, one.before) == (9, ())


def test_an_alarm_without_a_histogram_is_listed_all_the_same() -> None:
    found = moved(window(0, evidence={"features": 50.0}, alarms=("features",)), WindowSums(), 9)
    assert (found[0].statistic, found[0].day, found[0].alarms) == ("features", (), True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("mean_grey", "brightness"), ("count.leaf", "count of leaf"), ("own_word", "own word"), ("count.", "count.")],
)
def test_statistics_have_names_that_people_say(name: str, words: str) -> None:
    assert spoken(name) == words


def test_every_cause_has_a_title() -> None:
    assert TITLES.keys() == set(Cause)
