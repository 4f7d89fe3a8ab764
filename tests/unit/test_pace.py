"""Time-lapse slots and the waits between tries."""

import itertools
import random
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.pace import FIRST_RETRY_S, Rate, Timelapse, backoff_s, slot_after

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("now", "interval_s", "slot"),
    [
        (NOON + timedelta(seconds=1), 600, NOON + timedelta(minutes=10)),
        (NOON, 600, NOON + timedelta(minutes=10)),
        (NOON + timedelta(minutes=59, seconds=59.999999), 3600, NOON + timedelta(hours=1)),
        (NOON, 86_400, datetime(2026, 6, 2, tzinfo=timezone.utc)),
        (NOON, 0.25, NOON + timedelta(seconds=0.25)),
    ],
)
def test_slots_lie_on_round_times(now, interval_s, slot):
    assert slot_after(now, interval_s) == slot


def test_summer_time_moves_no_slot():
    before = datetime(2026, 3, 29, 1, 55, tzinfo=timezone(timedelta(hours=1)))
    after = datetime(2026, 3, 29, 3, 5, tzinfo=timezone(timedelta(hours=2)))
    assert slot_after(before, 600) == datetime(2026, 3, 29, 1, 0, tzinfo=timezone.utc)
    assert slot_after(after, 600) == datetime(2026, 3, 29, 1, 10, tzinfo=timezone.utc)


@given(
    st.integers(-(2**30), 2**32).map(lambda second: datetime.fromtimestamp(second + 0.25, timezone.utc)),
    st.integers(1, 86_400),
)
def test_a_slot_lies_ahead_by_one_interval_at_most(now, interval_s):
    slot = slot_after(now, interval_s)
    assert timedelta(0) < slot - now <= timedelta(seconds=interval_s)
    assert slot.timestamp() % interval_s == 0


def due_times(timelapse: Timelapse, times: list[datetime]) -> list[datetime]:
    return [now for now in times if timelapse.is_due(now)]


def seconds(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(seconds=second) for second in range(count)]


def test_each_slot_is_served_once():
    assert due_times(Timelapse(600), seconds(NOON + timedelta(seconds=5), 1800)) == [
        NOON + timedelta(minutes=minutes) for minutes in (10, 20, 30)
    ]


def test_slots_missed_while_away_are_made_up_for_once():
    timelapse = Timelapse(600)
    timelapse.is_due(NOON)
    assert due_times(timelapse, seconds(NOON + timedelta(minutes=33), 400)) == [NOON + timedelta(minutes=33)]


def test_a_clock_set_back_does_not_stop_the_pictures():
    timelapse = Timelapse(600)
    timelapse.is_due(NOON)
    back = NOON - timedelta(days=365)
    assert due_times(timelapse, seconds(back, 601)) == [back + timedelta(minutes=10)]


def test_a_clock_that_springs_ahead_gives_one_picture_at_once():
    timelapse = Timelapse(600)
    timelapse.is_due(datetime(1970, 1, 1, tzinfo=timezone.utc))
    assert due_times(timelapse, [NOON, NOON + timedelta(seconds=1)]) == [NOON]


def test_waits_grow_to_the_longest_and_are_spread():
    random.seed(3)
    highest = [max(backoff_s(failures, 60) for _ in range(300)) for failures in range(12)]
    assert highest[0] <= FIRST_RETRY_S
    assert all(later > earlier for earlier, later in itertools.pairwise(highest[:7]))
    assert 50 < highest[-1] <= 60
    assert min(backoff_s(11, 60) for _ in range(300)) < 5


def test_endless_failures_do_not_overflow():
    assert 0 <= backoff_s(10**9, 60) <= 60


@given(st.lists(st.floats(0, 0.4), min_size=1, max_size=200), st.floats(0.5, 60))
def test_no_three_pictures_are_taken_within_one_interval(waits_s, max_fps):
    rate, now, taken = Rate(max_fps), NOON, []
    for wait_s in waits_s:
        if rate.is_due(now):
            taken.append(now)
        now += timedelta(seconds=wait_s)
    for first, third in zip(taken, taken[2:], strict=False):  # two may be nearer: the first of them was late
        assert third - first >= timedelta(seconds=0.999 / max_fps)


def test_a_rate_goes_on_at_once_after_a_pause_and_after_the_clock_was_set_back():
    rate = Rate(2)
    assert [rate.is_due(NOON + timedelta(seconds=s)) for s in (0, 0.4, 0.5, 9, 9.1, 9.5)] == [1, 0, 1, 1, 0, 1]
    assert rate.is_due(NOON - timedelta(hours=1))
    assert not rate.is_due(NOON - timedelta(hours=1) + timedelta(seconds=0.1))
