"""How the device does: memory and disk. ``edge.chip`` tells of heat."""

import os
import platform
import resource
from pathlib import Path


def rss_bytes(pid: int | None = None) -> int | None:
    """Memory that a process, without ``pid`` this one, holds now; None where the kernel does not say."""
    try:
        pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_rss_bytes() -> int:
    """The most memory that this process has held.

    Where the kernel keeps no such mark for a process's own memory, its usage stands in, in which a process begins with
    what its parent had.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    except (OSError, ValueError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def disk_free_bytes(folder: Path) -> int | None:
    """Room for an ordinary user on the file system of ``folder``."""
    try:
        stat = os.statvfs(folder)
    except OSError:
        return None
    return stat.f_bavail * stat.f_frsize


def hardware() -> str:
    """What this machine calls itself: the board's model on Arm, the processor's elsewhere."""
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n ")
    except (OSError, UnicodeDecodeError):
        return _processor() or f"{platform.machine()} {platform.system()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
