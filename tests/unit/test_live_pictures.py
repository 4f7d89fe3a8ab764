"""What is done with a live camera's pictures: bursts, their freshness, and what shows that a camera has failed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import utc_now
from edge.errors import FrameUnreadable
from edge.frame import Frame
from edge.scrutiny import Scrutiny
from edge.settings import CameraSettings
from edge.sources.burst import median_of
from edge.sources.freshness import MAX_LAG_S, Freshness

RANDOM = np.random.default_rng(3)


def noise(height_px: int = 70, width_px: int = 40) -> np.ndarray:
    return RANDOM.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [3, 5, 7, 9])
def test_a_burst_is_the_median_of_each_pixel(count):
    pictures = [noise(131, 33) for _ in range(count)]
    expected = np.median(np.stack(pictures), axis=0).astype(np.uint8)
    assert np.array_equal(median_of(pictures), expected)


def test_what_is_in_fewer_than_half_of_a_burst_is_gone():
    scene = noise()
    pictures = [scene.copy() for _ in range(5)]
    pictures[1][10:20, 10:20] = 255  # an insect
    pictures[3][12:40, 15:17] = 200  # a drop that falls
    assert np.array_equal(median_of(pictures), scene)


def test_a_burst_over_a_change_of_size_is_broken():
    with pytest.raises(ValueError, match="40 x 70 and 64 x 48 px"):
        median_of([noise(), noise(48, 64), noise()])


def steady(freshness: Freshness, count: int, start_s: float = 0.0, delay_s: float = 0.2) -> None:
    for number in range(count):
        stream_s = start_s + number * 0.04
        assert not freshness.is_old(stream_s, 1000 + stream_s + delay_s)


def test_a_steady_stream_is_fresh():
    steady(Freshness(), 500)


def test_pictures_that_waited_out_a_pause_of_the_network_are_old_until_it_is_made_up_for():
    freshness = Freshness()
    steady(freshness, 100)
    arrives_s = 1000 + 4.0 + 8.0  # nothing came for 8 s, then all of it at once
    verdicts = [freshness.is_old(4.0 + number * 0.04, arrives_s + number * 0.002) for number in range(220)]
    assert all(verdicts[:140])
    assert not any(verdicts[190:])


def test_a_camera_that_sets_its_clock_back_or_ahead_is_not_old_for_long():
    for jump_s in (-3000.0, 3000.0):
        freshness = Freshness()
        steady(freshness, 100)
        verdicts = [freshness.is_old(4.0 + jump_s + number * 0.04, 1004.2 + number * 0.04) for number in range(50)]
        assert not any(verdicts[10:])


def test_a_delay_that_stays_is_none():
    freshness = Freshness()
    steady(freshness, 100)
    verdicts = [freshness.is_old(4.0 + number * 0.04, 1004.2 + 5.0 + number * 0.04) for number in range(50)]
    assert verdicts[0]
    assert not any(verdicts[10:])


def test_a_clock_that_runs_slower_than_ours_is_not_late_after_days():
    freshness = Freshness()
    for number in range(20_000):
        now_s = number * 10.0
        assert not freshness.is_old(now_s * (1 - 5e-5), now_s)


def test_stamps_that_stand_still_are_noticed():
    freshness = Freshness()
    steady(freshness, 10)
    freshness.is_old(0.36, 1020.0)
    assert freshness.stood_still_s(1020.0) > 19


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 100)), max_size=60))
@settings(max_examples=200)
def test_no_stream_is_held_back_for_ever(steps):
    """Whatever came before, a stream that then runs evenly is taken after a few pictures."""
    freshness, now_s = Freshness(), 0.0
    for stream_s, wait_s in steps:
        now_s += wait_s
        freshness.is_old(stream_s, now_s)
    verdicts = [freshness.is_old(5e6 + number * 0.04, now_s + number * 0.04) for number in range(20)]
    assert not any(verdicts[10:])
    assert MAX_LAG_S > 0


def frame(pixels: np.ndarray, at_s: float) -> Frame:
    return Frame(pixels, 0, "top", utc_now(), at_s)


def scrutiny(**values) -> Scrutiny:
    return Scrutiny(CameraSettings(name="top", source={"kind": "v4l2", "device": 0}, **values))


def test_a_repeated_picture_is_a_fault_after_its_time_and_its_number():
    still = noise()
    look = scrutiny(recovery={"frozen_s": 10}, quality={"frozen_after": 3})
    assert [bool(look.fault(frame(still, at_s))) for at_s in (0.0, 5.0, 11.0)] == [False, False, True]
    slow = scrutiny(recovery={"frozen_s": 10}, quality={"frozen_after": 3})
    assert [bool(slow.fault(frame(still, at_s))) for at_s in (0.0, 60.0, 120.0)] == [False, False, True]


def test_noise_and_night_are_no_fault():
    look = scrutiny(recovery={"frozen_s": 1})
    assert not any(look.fault(frame(noise(), float(at_s))) for at_s in range(20))
    night = np.zeros((70, 40, 3), np.uint8)
    assert not any(look.fault(frame(night, 100.0 + at_s)) for at_s in range(20))


def test_unreadable_pictures_in_a_row_are_a_fault_and_one_good_one_ends_the_row():
    look = scrutiny(recovery={"unreadable_after": 3})
    broken = FrameUnreadable("half of it is missing")
    pictures = [broken, broken, frame(noise(), 1.0), broken, broken, broken]
    assert [bool(look.fault(picture)) for picture in pictures] == [False] * 5 + [True]


def test_another_size_is_a_fault():
    look = scrutiny()
    assert look.fault(frame(noise(), 0.0)) == ""
    assert "40 x 70 px to 64 x 48 px" in look.fault(frame(noise(48, 64), 1.0))
