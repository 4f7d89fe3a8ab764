"""Whether anything keeps the clock right, whoever does: timesyncd, chrony, ntpd and PTP all tell the kernel."""

import ctypes
import os
from collections.abc import Iterator

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient

STA_UNSYNC = 0x0040
MAX_ERROR_US = 10_000_000
MEND = "see that a time server is reached: timedatectl set-ntp true; in a closed network name one in timesyncd.conf"


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` of adjtimex(2); the kernel writes 208 bytes in all on 64-bit machines."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def examine(_patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Ask the kernel, which changes nothing with ``modes`` 0."""
    libc, timex = ctypes.CDLL(None, use_errno=True), _Timex()
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        yield scribe.skipped(f"the kernel does not say: {os.strerror(ctypes.get_errno())}")
        return
    yield judge(scribe, synchronised=not timex.status & STA_UNSYNC, max_error_us=timex.maxerror)


def judge(scribe: Scribe, *, synchronised: bool, max_error_us: int) -> Finding:
    """What the kernel's word means."""
    if not synchronised:
        return scribe.warn("nothing keeps the clock right", MEND)
    if max_error_us > MAX_ERROR_US:
        return scribe.warn(f"the clock may be off by {max_error_us / 1e6:.0f} s: no time server for long", MEND)
    return scribe.ok(f"synchronised, at most {max_error_us / 1e3:.0f} ms off")
