"""How many pictures a second each camera's are measured, over the last half minute."""

from collections import deque
from collections.abc import Mapping

from edge.contract.messages import Tally

WINDOW_S = 30.0


class Rates:
    """Keeps the counters of the last ``WINDOW_S``; one thread notes, any thread reads.

    Attributes:
        fps: pictures processed per second, by camera; empty until two moments are known.
    """

    def __init__(self) -> None:
        self.fps: dict[str, float] = {}
        self._noted: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, now_s: float, tallies: Mapping[str, Tally]) -> None:
        """Take the counters at a moment of the monotonic clock."""
        counts = {camera: tally.processed for camera, tally in tallies.items()}
        self._noted.append((now_s, counts))
        while len(self._noted) > 2 and now_s - self._noted[1][0] >= WINDOW_S:
            self._noted.popleft()
        since_s, before = self._noted[0]
        if now_s > since_s:
            self.fps = {
                camera: round((count - before.get(camera, 0)) / (now_s - since_s), 3)
                for camera, count in counts.items()
            }
