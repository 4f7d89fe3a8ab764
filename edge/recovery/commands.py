"""Commands that may hang: run with a limit, and killed with all that they started."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import NamedTuple

LOOK_EVERY_S = 0.05
TAIL_BYTES = 500
REAP_S = 1.0


class Ending(NamedTuple):
    """How a command ended: ``ok``, and the last it said or why it failed."""

    ok: bool
    words: str


def run_within(command: list[str], timeout_s: float, stopping: threading.Event) -> Ending:
    """Run ``command`` without a shell, for ``timeout_s`` at most, and no longer than until ``stopping``."""
    try:
        process = subprocess.Popen(  # noqa: S603 - from this machine's own configuration
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Ending(ok=False, words=f"{command[0]} does not start: {error.strerror}")
    try:
        return _await(process, timeout_s, stopping)
    finally:
        _kill_all(process)


def _await(process: "subprocess.Popen[bytes]", timeout_s: float, stopping: threading.Event) -> Ending:
    """Read on while it runs: a full pipe would hold it up, and its children may keep the pipe open after its end."""
    give_up_at_s, said = time.monotonic() + timeout_s, b""
    while process.poll() is None:
        said = (said + _heard(process))[-TAIL_BYTES:]
        if stopping.wait(LOOK_EVERY_S):
            return Ending(ok=False, words="the daemon was stopped meanwhile")
        if time.monotonic() > give_up_at_s:
            return Ending(ok=False, words=f"it had not ended after {timeout_s:g} s and was killed")
    said = (said + _heard(process))[-TAIL_BYTES:]
    words = said.decode("utf-8", "replace").strip()
    return Ending(ok=process.returncode == 0, words=words or f"it ended with {process.returncode}")


def _heard(process: "subprocess.Popen[bytes]") -> bytes:
    if process.stdout is None:
        return b""
    os.set_blocking(process.stdout.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        return os.read(process.stdout.fileno(), 65_536)
    return b""


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(REAP_S)
    if process.stdout is not None:
        process.stdout.close()
