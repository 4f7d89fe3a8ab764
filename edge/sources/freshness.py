"""Whether the pictures of a stream are new. Pure: times come from outside."""

MAX_LAG_S = 2.0
MAX_JUMP_S = 10.0
CREEP = 1e-3
"""A camera's clock may run slower than ours by so much and is still not late."""
STEADY_PICTURES = 5
"""A delay that so many pictures in a row do not make up for is none: the camera has set its clock."""


class Freshness:
    """Compares a stream's own time stamps with the time of arrival.

    The shortest way that a picture took lately is the measure. One that took ``MAX_LAG_S`` longer has waited
    somewhere, as after a network's pause; it is old, and so are all behind it until the delay is made up for.
    """

    def __init__(self) -> None:
        self._stream_s: float | None = None
        self._moved_at_s = 0.0
        self._shortest_s = 0.0
        self._lag_s = 0.0
        self._steady = 0

    def stood_still_s(self, now_s: float) -> float:
        """For how long the stamps have not moved though pictures came; 0 for a stream without any."""
        return 0.0 if self._stream_s is None else now_s - self._moved_at_s

    def is_old(self, stream_s: float, now_s: float) -> bool:
        """Whether the picture stamped ``stream_s`` that arrived at ``now_s`` has waited on its way."""
        way_s, former_s = now_s - stream_s, self._stream_s
        if former_s is None or stream_s < former_s or stream_s > former_s + MAX_JUMP_S + now_s - self._moved_at_s:
            self._shortest_s = way_s  # the first picture, or the camera has begun to count anew
        if stream_s != former_s:
            self._shortest_s += CREEP * max(0.0, now_s - self._moved_at_s) if former_s is not None else 0.0
            self._stream_s, self._moved_at_s = stream_s, now_s
        self._shortest_s = min(self._shortest_s, way_s)
        return self._judge(way_s - self._shortest_s, way_s)

    def _judge(self, lag_s: float, way_s: float) -> bool:
        shrinks, self._lag_s = lag_s < self._lag_s, lag_s
        if lag_s <= MAX_LAG_S:
            self._steady = 0
            return False
        self._steady = 0 if shrinks else self._steady + 1
        if self._steady < STEADY_PICTURES:
            return True
        self._shortest_s, self._lag_s, self._steady = way_s, 0.0, 0
        return False
