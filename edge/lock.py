"""One daemon for each state directory: two on one outbox would give numbers twice."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import StoreError

LOCK_FILE = "lock"


@contextmanager
def only_daemon_in(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; the kernel lets go of it when the process ends, however it ends.

    Raises:
        StoreError: another daemon holds it, or it cannot be made.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / LOCK_FILE).open("w", encoding="ascii")
    except OSError as error:
        raise StoreError(f"cannot use {state_dir}: {error}; make it a folder that this user may write to") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another daemon works in {state_dir}; stop that one (canopy status tells its pid), or give this one a "
                "state_dir of its own"
            ) from None
        yield


def is_held(state_dir: Path) -> bool:
    """Whether a daemon works there now."""
    try:
        with (state_dir / LOCK_FILE).open("r", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
