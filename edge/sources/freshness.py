"""Whether the pictures of a stream are new. Pure: times come from outside."""

MAX_LAG_S = 2.0
MAX_JUMP_S = 10.0
CREEP = 1e-3
"""A camera's clock may run slower than ours by so much and is still not late."""
CATCHES_UP = 0.5
"""What waited comes in less than this share of the time that lies between its pictures."""
STEADY_PICTURES = 5
HOLD_S = 8.0
"""A delay that so many pictures do not make up for, or that lasts so long, is none: the camera has set its clock."""


class Freshness:
    """Compares a stream's own time stamps with the time of arrival.

    The shortest way that a picture took lately is the measure. One that took ``MAX_LAG_S`` longer has waited
    somewhere, as after a network's pause; it is old, and so are all behind it until the delay is made up for.
    """

    def __init__(self) -> None:
        self._stream_s: float | None = None
        self._moved_at_s = 0.0
        self._shortest_s = 0.0
        self._held_since_s: float | None = None
        self._steady = 0

    def stood_still_s(self, now_s: float) -> float:
        """For how long the stamps have not moved though pictures came; 0 for a stream without any."""
        return 0.0 if self._stream_s is None else now_s - self._moved_at_s

    def is_old(self, stream_s: float, now_s: float) -> bool:
        """Whether the picture stamped ``stream_s`` that arrived at ``now_s`` has waited on its way."""
        way_s, former_s = now_s - stream_s, self._stream_s
        waited_s = now_s - self._moved_at_s
        if former_s is None or not former_s <= stream_s <= former_s + waited_s + MAX_JUMP_S:
            self._begin(way_s)  # the first picture, or the camera has begun to count anew
        catches_up = former_s is not None and waited_s < CATCHES_UP * (stream_s - former_s)
        if stream_s != former_s:
            self._shortest_s += CREEP * waited_s if former_s is not None else 0.0
            self._stream_s, self._moved_at_s = stream_s, now_s
        self._shortest_s = min(self._shortest_s, way_s)
        if way_s - self._shortest_s <= MAX_LAG_S:
            self._held_since_s, self._steady = None, 0
            return False
        return self._holds(now_s, way_s, catches_up=catches_up)

    def _holds(self, now_s: float, way_s: float, *, catches_up: bool) -> bool:
        if self._held_since_s is None:
            self._held_since_s, self._steady = now_s, 0
        self._steady = 0 if catches_up else self._steady + 1
        if self._steady < STEADY_PICTURES and now_s - self._held_since_s < HOLD_S:
            return True
        self._begin(way_s)
        return False

    def _begin(self, way_s: float) -> None:
        self._shortest_s, self._held_since_s, self._steady = way_s, None, 0
