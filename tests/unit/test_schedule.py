"""When a camera is open: the sun, fixed hours, and both."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.schedule import is_open, sun_elevation_deg
from edge.settings import CameraSettings, HoursSettings, WindowSettings

UTC = timezone.utc
ALMERIA = {"latitude_deg": 36.84, "longitude_deg": -2.46}
TROMSO = {"latitude_deg": 69.65, "longitude_deg": 18.96}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(daylight=None, **hours) -> WindowSettings:
    return WindowSettings(daylight=daylight, hours=hours or None)


SUN = [
    (36.84, -2.46, "2026-06-21T04:51:13", "2026-06-21T19:32:06"),
    (52.0, 4.2, "2026-12-21T07:49:20", "2026-12-21T15:33:11"),
    (-1.29, 36.8, "2026-03-20T03:37:09", "2026-03-20T15:43:20"),
    (21.3, -157.86, "2026-09-01T16:15:14", "2026-09-02T04:47:59"),
    (-36.85, 174.76, "2027-01-10T17:13:48", "2027-01-11T07:43:11"),
]
"""Latitude, longitude, sunrise, sunset in UTC. Source: the package astral 3.2."""


@pytest.mark.parametrize(("latitude_deg", "longitude_deg", "sunrise", "sunset"), SUN)
def test_it_opens_at_sunrise_and_closes_at_sunset_to_the_minute(latitude_deg, longitude_deg, sunrise, sunset):
    light = window({"latitude_deg": latitude_deg, "longitude_deg": longitude_deg})
    minute = timedelta(minutes=1)
    assert not is_open(light, at(sunrise) - minute)
    assert is_open(light, at(sunrise) + minute)
    assert is_open(light, at(sunset) - minute)
    assert not is_open(light, at(sunset) + minute)


def test_in_polar_day_it_never_closes_and_in_polar_night_it_never_opens():
    hours = [timedelta(hours=hour) for hour in range(24)]
    assert all(is_open(window(TROMSO), at("2026-06-21") + hour) for hour in hours)
    assert not any(is_open(window(TROMSO), at("2026-12-21") + hour) for hour in hours)


def test_a_higher_sun_leaves_out_the_long_shadows():
    morning = at("2026-06-21T05:30:00")
    assert is_open(window(ALMERIA), morning)
    assert not is_open(window({**ALMERIA, "sun_above_deg": 15}), morning)


@given(
    st.floats(0, 4.1e9).map(lambda moment_s: datetime.fromtimestamp(moment_s, UTC)),
    st.floats(-90, 90),
    st.floats(-180, 180),
)
def test_the_sun_stands_somewhere_at_every_time_and_place(moment, latitude_deg, longitude_deg):
    assert -90 <= sun_elevation_deg(moment, latitude_deg, longitude_deg) <= 90


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        ({"start": "06:00", "end": "20:00", "time_zone": "UTC"}, "2026-03-01T05:59:59", False),
        ({"start": "06:00", "end": "20:00", "time_zone": "UTC"}, "2026-03-01T06:00:00", True),
        ({"start": "06:00", "end": "20:00", "time_zone": "UTC"}, "2026-03-01T20:00:00", False),
        ({"start": "22:00", "end": "04:00", "time_zone": "UTC"}, "2026-03-01T23:00:00", True),
        ({"start": "22:00", "end": "04:00", "time_zone": "UTC"}, "2026-03-01T03:00:00", True),
        ({"start": "22:00", "end": "04:00", "time_zone": "UTC"}, "2026-03-01T12:00:00", False),
        ({"start": "06:00", "end": "20:00", "time_zone": "Europe/Madrid"}, "2026-01-15T05:30:00", True),
        ({"start": "06:00", "end": "20:00", "time_zone": "Europe/Madrid"}, "2026-07-15T04:30:00", True),
        ({"start": "06:00", "end": "20:00", "time_zone": "Europe/Madrid"}, "2026-01-15T04:30:00", False),
    ],
)
def test_fixed_hours_are_of_the_place_and_may_go_over_midnight(hours, moment, expected):
    assert is_open(window(**hours), at(moment)) is expected


def test_with_both_it_is_open_while_both_say_so():
    both = window(ALMERIA, start="10:00", end="11:00", time_zone="UTC")
    assert is_open(both, at("2026-06-21T10:30:00"))
    assert not is_open(both, at("2026-06-21T12:30:00"))
    assert not is_open(window(ALMERIA, start="00:00", end="01:00", time_zone="UTC"), at("2026-06-21T00:30:00"))


def test_without_a_window_it_is_always_open():
    assert is_open(None, at("2026-06-21T00:30:00"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start": 1200, "end": "20:00"}, "in quotes"),
        ({"start": "20:00", "end": "20:00"}, "leave hours out"),
        ({"start": "06:00", "end": "20:00", "time_zone": "Mars/Olympus"}, "timedatectl"),
        ({"start": "06:00", "end": "20:00", "time_zone": "../etc/passwd"}, "timedatectl"),
        ({"start": "06:00+02:00", "end": "20:00"}, "set time_zone"),
    ],
)
def test_hours_that_mean_nothing_are_refused_with_what_to_write(wrong, told):
    with pytest.raises(ValueError, match=told):
        HoursSettings(**wrong)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"source": {"kind": "folder", "path": "/x"}, "window": {}}, "live cameras only"),
        ({"source": {"kind": "folder", "path": "/x"}, "burst": {}}, "live cameras only"),
        ({"burst": {"pictures": 4}}, "odd"),
        ({"burst": {"pictures": 9, "every_s": 5}}, "does not fit read_timeout_s"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        CameraSettings(**{"name": "top", "source": {"kind": "v4l2", "device": 0}, **settings})
