"""The bounded place between the network thread, which must never wait, and the writer, which waits for the disk."""

import threading
import time
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """An MQTT message as it came; ``session`` counts connections, for ``mid`` means nothing in another one."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int
    session: int


class Inlet:
    """Holds at most ``max_messages`` and ``max_bytes``; what does not fit is refused and comes again later."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._waiting: deque[Envelope] = deque()
        self._bytes = 0
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._changed = threading.Condition()
        self._closed = False

    def offer(self, envelope: Envelope) -> bool:
        """Put one in, without waiting; False if there is no room."""
        with self._changed:
            full = len(self._waiting) >= self._max_messages or self._bytes + len(envelope.payload) > self._max_bytes
            if full or self._closed:
                return False
            self._waiting.append(envelope)
            self._bytes += len(envelope.payload)
            self._changed.notify()
            return True

    def gather(self, limit: int, linger_s: float, timeout_s: float) -> list[Envelope]:
        """Wait for the first message, then ``linger_s`` for more; none after ``timeout_s`` or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            deadline = time.monotonic() + linger_s
            while self._waiting and not self._closed and len(self._waiting) < limit:
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            if self._closed:
                return []
            taken = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            self._bytes -= sum(len(envelope.payload) for envelope in taken)
            return taken

    def close(self) -> None:
        """Refuse and give out nothing any more: what still waits was not acknowledged, so it comes again."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
