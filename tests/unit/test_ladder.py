"""The ladder: which step comes next to have a camera back. Pure, so time is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recovery.ladder import Ladder, Rung, rungs_of
from edge.settings import RecoverySettings

ALL = {"service": "nvargus-daemon", "power": {"kind": "usb"}, "reboot": {"after_s": 0}}


def climb(settings: RecoverySettings, failures: int, every_s: float = 10.0, lasted_s: float = 0.0) -> list[Rung]:
    ladder = Ladder(settings)
    return [ladder.after_failure(number * every_s, lasted_s) for number in range(failures)]


def above_reopen(rungs: list[Rung]) -> list[Rung]:
    return [rung for rung in rungs if rung is not Rung.REOPEN]


def test_each_rung_comes_once_after_its_tries_from_the_cheapest_to_the_dearest():
    rungs = climb(RecoverySettings(tries=3, rung_s=0, **ALL), 13)
    assert rungs[:3] == [Rung.REOPEN, Rung.REOPEN, Rung.REBUILD]
    assert above_reopen(rungs) == [Rung.REBUILD, Rung.SERVICE, Rung.POWER, Rung.REBOOT]


def test_a_rung_that_is_not_set_up_is_passed_over():
    assert rungs_of(RecoverySettings()) == (Rung.REBUILD,)
    settings = RecoverySettings(tries=1, rung_s=0, power={"kind": "command", "command": ["/bin/true"]})
    assert above_reopen(climb(settings, 9)) == [Rung.REBUILD, Rung.POWER]


def test_rungs_do_not_follow_each_other_sooner_than_they_may():
    rungs = climb(RecoverySettings(tries=1, rung_s=30, **ALL), 8, every_s=10.0)
    assert [number for number, rung in enumerate(rungs) if rung is not Rung.REOPEN] == [3, 6]


def test_after_the_last_rung_the_camera_is_only_reopened_until_the_ladder_has_rested():
    settings = RecoverySettings(tries=1, rung_s=0, rest_s=600)
    rungs = climb(settings, 200, every_s=10.0)
    climbs = [number for number, rung in enumerate(rungs) if rung is Rung.REBUILD]
    assert climbs == [0, 60, 120, 180]


def test_a_camera_that_gave_pictures_for_long_begins_at_the_lowest_rung_again():
    ladder = Ladder(RecoverySettings(tries=2, rung_s=0, healthy_s=100, **ALL))
    for number in range(5):
        ladder.after_failure(float(number), 0.0)
    assert ladder.after_failure(1000.0, lasted_s=101.0) is Rung.REOPEN
    assert ladder.variant == 0
    assert ladder.after_failure(1001.0, lasted_s=0.0) is Rung.REBUILD


@pytest.mark.parametrize(("lasted_s", "expected"), [(101.0, Rung.REOPEN), (5.0, Rung.REBUILD)])
def test_a_healthy_day_before_the_window_closes_counts_as_health(lasted_s, expected):
    ladder = Ladder(RecoverySettings(tries=2, rung_s=0, healthy_s=100, **ALL))
    ladder.after_failure(0.0, 0.0)
    ladder.rest(lasted_s)
    assert ladder.after_failure(50_000.0, 1.0) is expected


def test_a_camera_that_comes_back_for_moments_only_climbs_on():
    settings = RecoverySettings(tries=2, rung_s=0, healthy_s=100, **ALL)
    assert above_reopen(climb(settings, 8, lasted_s=5.0)) == [Rung.REBUILD, Rung.SERVICE, Rung.POWER, Rung.REBOOT]


def test_once_rebuilt_both_ways_to_the_camera_are_tried_in_turn():
    ladder = Ladder(RecoverySettings(tries=2, rung_s=0))
    variants = []
    for number in range(6):
        ladder.after_failure(float(number), 0.0)
        variants.append(ladder.variant)
    assert variants == [0, 1, 0, 1, 0, 1]


def test_the_machine_is_not_restarted_for_a_camera_that_has_been_away_for_moments():
    settings = RecoverySettings(tries=1, rung_s=0, reboot={"after_s": 1000})
    rungs = climb(settings, 120, every_s=10.0)
    assert rungs.index(Rung.REBOOT) == 100


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 2e3)), min_size=1, max_size=200),
    st.integers(1, 5),
    st.floats(0, 300),
)
def test_between_two_rungs_lie_as_many_tries_and_as_much_time_as_configured(failures, tries, rung_s):
    ladder = Ladder(RecoverySettings(tries=tries, rung_s=rung_s, healthy_s=1e9, **ALL))
    now_s, last_s, since = 0.0, None, 0
    for wait_s, lasted_s in failures:
        now_s += wait_s
        since += 1
        if ladder.after_failure(now_s, lasted_s) is not Rung.REOPEN:
            assert since >= tries
            assert last_s is None or now_s - last_s >= rung_s
            last_s, since = now_s, 0


@pytest.mark.parametrize(
    "wrong", [{"tries": 0}, {"service": "sshd"}, {"power": {"kind": "command", "command": ["sh"]}}]
)
def test_what_may_not_be_run_is_refused_by_the_settings(wrong):
    with pytest.raises(ValueError, match="validation error"):
        RecoverySettings(**wrong)
