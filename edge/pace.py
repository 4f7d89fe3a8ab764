"""When to take the next picture, and when to try a lost camera again. Pure: the time comes from outside."""

import random
from datetime import datetime, timedelta, timezone

FIRST_RETRY_S = 0.5

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def slot_after(now: datetime, interval_s: float) -> datetime:
    """The first time after ``now`` that is a whole number of intervals since midnight UTC of 1970-01-01.

    So 600 s means :00, :10, :20 on every device alike, and summer time moves nothing.
    """
    interval = timedelta(seconds=interval_s)
    return now + interval - (now - _EPOCH) % interval


class Timelapse:
    """Says when a picture is due, once for each slot.

    A slot that was missed (the camera was away, the clock sprang ahead) is made up for once, at once. After the clock
    was set back it goes on with the slots of the new time.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._planned: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to take a picture now. After True, the slot counts as served."""
        upcoming = slot_after(now, self._interval_s)
        due = self._planned is not None and now >= self._planned
        self._planned = upcoming if due or self._planned is None else min(self._planned, upcoming)
        return due


class Rate:
    """Says when a picture is due, so many times a second at most.

    What was missed is not made up for: after a pause the next picture is due at once, and then one interval later.
    """

    def __init__(self, max_fps: float) -> None:
        self._interval = timedelta(seconds=1 / max_fps)
        self._planned: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to take a picture now. After True, it counts as taken. A clock that was set back delays nothing."""
        if self._planned is not None and self._planned - self._interval <= now < self._planned:
            return False
        late = self._planned is None or not self._planned <= now < self._planned + self._interval
        self._planned = (now if late or self._planned is None else self._planned) + self._interval
        return True


Pace = Timelapse | Rate
"""When to take pictures of a source that gives more than are wanted."""


def backoff_s(failures: int, longest_s: float) -> float:
    """How long to wait after so many failures in a row: exponential, with full jitter.

    The jitter keeps cameras that a switch took down together from coming back together.
    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0, min(longest_s, FIRST_RETRY_S * 2.0 ** min(failures, 32)))
