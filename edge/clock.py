"""What time it is, and whether to believe it."""

import time
import uuid
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from edge.contract.records import Clock

RELEASED_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""No reading can be older than the software that took it."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC = Path("/run/systemd/timesync")


def monotonic_s() -> float:
    """Seconds since the machine booted, by a clock that no correction moves and that goes on while it is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(timezone.utc)


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names the time since the last boot: ``monotonic_s`` of two records compare if this is equal.

    Where the kernel gives none, a random one names this process.
    """
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return str(uuid.uuid4())


def is_believable(now: datetime, timesync: Path = TIMESYNC) -> bool:
    """Whether the wall clock is right as far as the machine can know without asking the network.

    It is not if it stands before this software's release (no battery, 1970), nor if systemd-timesyncd runs and has
    not yet heard a time server since boot: until then systemd sets a time that looks right, the one of the last
    shutdown. Costs one ``stat``.
    """
    return now >= RELEASED_AT and (not timesync.is_dir() or (timesync / "synchronized").exists())


def read_clock() -> Clock:
    """The wall clock and the monotonic clock at one moment. Cheap enough for each frame."""
    now = utc_now()
    return Clock(at=now, monotonic_s=monotonic_s(), boot_id=boot_id(), clock_ok=is_believable(now))
