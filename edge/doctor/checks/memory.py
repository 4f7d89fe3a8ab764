"""Whether there is memory left, and whether the kernel had to end anything for want of it."""

from collections.abc import Iterator
from pathlib import Path

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.views import size

LITTLE_BYTES = 150_000_000
MEND = "end what else runs here, lower the camera's size, or give the machine swap in memory: zram"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Read /proc/meminfo and the kernel's counter of its OOM killer."""
    free, total = (_meminfo(patient.root, name) for name in ("MemAvailable", "MemTotal"))
    if free is None or total is None:
        yield scribe.skipped("the kernel does not say")
        return
    told = f"{size(free)} of {size(total)} free"
    killed = _oom_kills(patient.root)
    if free < LITTLE_BYTES:
        yield scribe.fail(told, MEND)
    elif killed:
        yield scribe.warn(f"{told}; since boot the kernel has ended {killed} processes for want of memory", MEND)
    else:
        yield scribe.ok(told)


def _meminfo(root: Path, name: str) -> int | None:
    return _value(root / "proc/meminfo", f"{name}:", 1024)


def _oom_kills(root: Path) -> int:
    return _value(root / "proc/vmstat", "oom_kill ", 1) or 0


def _value(path: Path, beginning: str, unit: int) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * unit for line in lines if line.startswith(beginning))
    except (OSError, ValueError, StopIteration):
        return None
