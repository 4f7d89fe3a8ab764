"""Whether the daemon may do what it must, and others may not do what they must not."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.outbox import OUTBOX_FILE
from edge.settings import V4l2Source

OTHERS_MAY_WRITE = 0o022
OTHERS_MAY_READ = 0o044
MAX_KEYS = 32
KEYS = ("*.key", "*.pem", "*/*.key", "*/*.pem")


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Look at owners and modes; as the daemon's user, also at what this user may do."""
    found = [*_state(patient, scribe), *_cameras(patient, scribe), *_engines(patient, scribe), *_keys(patient, scribe)]
    yield from found or [scribe.ok("the daemon may do what it must; keys and engines are its own")]


def _state(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    settings = patient.settings
    for folder in sorted({settings.state_dir, settings.data_dir}):
        if not folder.is_dir():
            continue
        owner, database = folder.stat().st_uid, folder / OUTBOX_FILE
        if database.exists() and database.stat().st_uid not in {owner, 0}:
            yield scribe.of(str(database)).fail(
                f"belongs to user {database.stat().st_uid}, its folder to user {owner}",
                f"give both to the daemon's user: chown -R --reference={folder} {folder}",
            )
        elif os.geteuid() == owner and not os.access(folder, os.W_OK | os.X_OK):
            yield scribe.of(str(folder)).fail("its owner may not write to it", f"chmod u+rwx {folder}")


def _cameras(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    for camera in patient.settings.cameras:
        if not isinstance(camera.source, V4l2Source):
            continue
        device = camera.source.device
        path = Path(f"/dev/video{device}" if isinstance(device, int) else device)
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            yield scribe.of(camera.name).fail(
                f"this user may not use {path}", "add it to the group video and log in again: usermod -aG video USER"
            )


def _engines(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    folder = patient.settings.inference.engine.folder
    if folder and folder.is_dir() and folder.stat().st_mode & OTHERS_MAY_WRITE:
        yield scribe.of(str(folder)).fail(
            "others may write to it, and what lies there is executed", f"chmod go-w {folder}"
        )


def _keys(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    folder = patient.settings.state_dir
    files = {path for pattern in KEYS for path in folder.glob(pattern)} if folder.is_dir() else set()
    for path in sorted(files)[:MAX_KEYS]:
        mode = path.stat().st_mode
        if mode & OTHERS_MAY_READ and _is_private(path):
            yield scribe.of(str(path)).fail(
                f"a private key that others may read ({stat.filemode(mode)})", f"chmod 600 {path}"
            )


def _is_private(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"PRIVATE KEY-----" in file.read(10_000)
    except OSError:
        return False
