"""When a device may switch to another model: the fleet's window, and the light. Pure."""

from datetime import datetime

from edge.contract.control import Window

DARK_AFTER_S = 1_800.0
"""A camera that gave nothing fit to measure for so long sees night."""


def why_not_now(window: Window | None, now: datetime, lit_s_ago: float | None, *, clock_ok: bool) -> str:
    """Why not to switch now; empty if nothing speaks against it.

    Args:
        window: the fleet's wish; None is any time.
        now: local time.
        lit_s_ago: when a camera gave the last picture fit to measure; None if it never did.
        clock_ok: whether ``now`` is believed.
    """
    if window is None:
        return ""
    if window.start_minute != window.end_minute:
        hours = f"{_clock(window.start_minute)} to {_clock(window.end_minute)}"
        if not clock_ok:
            return f"waits for the clock to be set: it may switch from {hours} only"
        if not _within(window, 60 * now.hour + now.minute):
            return f"waits for its window, {hours}"
    if not window.daylight and lit_s_ago is not None and lit_s_ago < DARK_AFTER_S:
        return "waits for the dark: its cameras measure"
    return ""


def _within(window: Window, minute: int) -> bool:
    if window.start_minute < window.end_minute:
        return window.start_minute <= minute < window.end_minute
    return minute >= window.start_minute or minute < window.end_minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
