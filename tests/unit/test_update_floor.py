"""The time floor rises by what was signed, never past the clock, and survives what disks do."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import RELEASED_AT
from edge.errors import ClockBehind
from edge.update.floor import SLACK, TimeFloor
from tests.sim.update_repository import utc

MOMENTS = st.integers(0, 10_000).map(lambda hours: utc(0) + timedelta(hours=hours))


@pytest.fixture
def floor(tmp_path: Path) -> TimeFloor:
    return TimeFloor(tmp_path / "time-floor")


def test_the_day_of_the_release_is_the_least(floor: TimeFloor) -> None:
    assert floor.moment == RELEASED_AT
    with pytest.raises(ClockBehind, match="timedatectl"):
        floor.judge(RELEASED_AT - timedelta(hours=1))


def test_it_is_remembered(floor: TimeFloor, tmp_path: Path) -> None:
    floor.rise(utc(1), utc(2))
    assert TimeFloor(tmp_path / "time-floor").moment == utc(1)
    floor.rise(utc(0), utc(2))
    assert floor.moment == utc(1), "an older signature does not lower it"


def test_two_right_clocks_may_stand_a_little_apart_and_expiry_is_judged_by_the_later(floor: TimeFloor) -> None:
    floor.rise(utc(1), utc(1))
    assert floor.judge(utc(1) - SLACK) == utc(1)
    assert floor.judge(utc(2)) == utc(2)
    with pytest.raises(ClockBehind):
        floor.judge(utc(1) - SLACK - timedelta(seconds=1))


def test_a_signature_from_the_future_shows_that_the_clock_is_wrong(floor: TimeFloor) -> None:
    with pytest.raises(ClockBehind):
        floor.rise(utc(9), utc(1))
    assert floor.moment == RELEASED_AT


def test_a_signer_whose_clock_runs_ahead_lifts_it_no_higher_than_the_devices_own(floor: TimeFloor) -> None:
    floor.rise(utc(1) + SLACK / 2, utc(1))
    assert floor.moment == utc(1)


@given(st.lists(st.tuples(MOMENTS, MOMENTS), max_size=8))
def test_it_never_passes_a_clock_that_it_was_shown(tmp_path_factory, signed_and_clock) -> None:
    floor = TimeFloor(tmp_path_factory.mktemp("floor") / "time-floor")
    before, latest = floor.moment, RELEASED_AT
    for issued_at, now in signed_and_clock:
        try:
            floor.rise(issued_at, now)
            latest = max(latest, now)
        except ClockBehind:
            assert now < issued_at
        assert before <= floor.moment <= latest
        before = floor.moment


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"yesterday", b"2031-03-01T12:00:00", b"\xff", b"9" * 5000])
def test_a_damaged_file_is_said_and_replaced(floor: TimeFloor, tmp_path: Path, damage: bytes, caplog) -> None:
    (tmp_path / "time-floor").write_bytes(damage)
    assert floor.moment == RELEASED_AT
    assert "cannot read the time floor" in caplog.text
    floor.rise(utc(1), utc(1))
    assert floor.moment == utc(1)


def test_any_offset_is_the_same_moment(floor: TimeFloor) -> None:
    floor.rise(datetime.fromisoformat("2031-03-02T14:00:00+02:00"), utc(9))
    assert floor.moment == utc(1)
