"""The daemon's last log lines in memory, for a technician and for the fleet: bounded by lines and by characters.

What is secret is not in it, because it is never logged.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_LINES = 2_000
MAX_CHARS = 400_000
MAX_LINE_CHARS = 4_000
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: its number since the start, its level and what the log shows."""

    number: int
    level: int
    text: str


class LogRing(logging.Handler):
    """Keeps the newest lines. Safe for any number of threads."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._changed = threading.Condition()
        self._lines: deque[Line] = deque(maxlen=MAX_LINES)
        self._chars = 0
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one entry."""
        text = self.format(record)[:MAX_LINE_CHARS]
        with self._changed:
            self._number += 1
            if len(self._lines) == MAX_LINES:
                self._chars -= len(self._lines.popleft().text)
            self._lines.append(Line(self._number, record.levelno, text))
            self._chars += len(text)
            while self._chars > MAX_CHARS:
                self._chars -= len(self._lines.popleft().text)
            self._changed.notify_all()

    def last(self, count: int, level: int = logging.NOTSET) -> tuple[int, list[Line]]:
        """Number of the newest entry, and the newest ``count`` of at least ``level``, oldest first."""
        with self._changed:
            chosen = [line for line in self._lines if line.level >= level]
            return self._number, chosen[-count:] if count else []

    def after(self, number: int, level: int, timeout_s: float, over: Callable[[], bool]) -> tuple[int, list[Line]]:
        """The same for entries after ``number``; waits for one until ``timeout_s`` have passed or it is ``over``."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while self._number <= number and not over() and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(min(left_s, 0.25))
            return self._number, [line for line in self._lines if line.number > number and line.level >= level]
