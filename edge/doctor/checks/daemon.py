"""Whether a daemon runs, whether it is one alone, and whether it still says something."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.lock import LOCK_FILE
from edge.views import OLD_STATUS_S, age


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Look at the lock, at who holds it, and at the status."""
    lock = patient.settings.state_dir / LOCK_FILE
    if not patient.daemon_runs:
        yield scribe.warn("no daemon runs", "start it: systemctl start canopy, or canopy run")
        return
    holder, status = _holder(lock, patient.root), patient.status
    if status is None:
        yield scribe.fail(
            f"a process holds {lock} and has written no status{f' (pid {holder})' if holder else ''}",
            "wait for a start to end, or see the log: canopy logs",
        )
        return
    silent_s = (datetime.now(timezone.utc) - status.health.at).total_seconds()
    if holder is not None and holder != status.pid:
        yield scribe.fail(
            f"pid {holder} holds {lock}, the status is of pid {status.pid}",
            f"two daemons got in each other's way; stop pid {holder} and start the service again",
        )
    elif silent_s > OLD_STATUS_S:
        yield scribe.fail(
            f"pid {status.pid} has said nothing for {age(silent_s)}",
            "it hangs, or its disk does; systemctl restart canopy, then see canopy logs",
        )
    else:
        yield scribe.ok(f"runs as pid {status.pid}")


def _holder(lock: Path, root: Path) -> int | None:
    """Who holds a lock, by proc_locks(5); None where the kernel does not tell, as in another PID namespace."""
    try:
        inode = str(lock.stat().st_ino)
        lines = (root / "proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = [line.split() for line in lines if " FLOCK " in line and "->" not in line]
    holders = [int(each[4]) for each in fields if each[5].rpartition(":")[2] == inode and each[3] == "WRITE"]
    return holders[0] if holders and holders[0] > 0 else None
