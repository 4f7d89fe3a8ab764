"""When a device may switch: the window over midnight, the light, and a clock that is not believed."""

from datetime import datetime

import pytest

from edge.contract.control import Window
from edge.update.window import why_not_now

NIGHT = Window(start_minute=22 * 60, end_minute=5 * 60)
DAY = Window(start_minute=9 * 60, end_minute=17 * 60)
DARK = Window(daylight=False)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 6, 1, hour, minute).astimezone()


@pytest.mark.parametrize(
    ("window", "now", "lit_s_ago", "clock_ok", "reason"),
    [
        (None, at(3), 1.0, False, ""),
        (NIGHT, at(23), 1.0, True, ""),
        (NIGHT, at(4, 59), 1.0, True, ""),
        (NIGHT, at(5), 1.0, True, "window, 22:00 to 05:00"),
        (NIGHT, at(12), 1.0, True, "window"),
        (DAY, at(9), 1.0, True, ""),
        (DAY, at(17), 1.0, True, "window, 09:00 to 17:00"),
        (NIGHT, at(23), 1.0, False, "clock"),
        (DARK, at(12), 60.0, False, "dark"),
        (DARK, at(12), 3_600.0, True, ""),
        (DARK, at(12), None, True, ""),
        (NIGHT.model_copy(update={"daylight": False}), at(23), 60.0, True, "dark"),
    ],
)
def test_a_device_switches_when_it_may(window, now, lit_s_ago, clock_ok, reason):
    found = why_not_now(window, now, lit_s_ago, clock_ok=clock_ok)
    assert (reason in found) if reason else not found
