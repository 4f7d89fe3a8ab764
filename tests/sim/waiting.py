"""Waiting for something that another thread or process does, and not for ever."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], timeout_s: float, why: Callable[[], str] = lambda: "") -> None:
    """Wait until ``condition`` holds."""
    give_up_at_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at_s, why()
        time.sleep(0.02)
