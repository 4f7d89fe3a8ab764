"""What support needs to know of a device, in one small zip without secrets.

Only named things go in, each cut to its newest part and cleaned: no pictures, no keys, no environment, no database.
"""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge import __version__
from edge.chip import Chip
from edge.clock import boot_id, read_clock, utc_now
from edge.doctor import run_checks
from edge.errors import CanopyError, ConfigError
from edge.health import hardware
from edge.log_source import from_daemon
from edge.logring import MAX_LINES
from edge.redact import Redactor
from edge.settings import DeviceSettings
from edge.status import STATUS_FILE
from edge.stored import Selection, stored_records

MAX_MEMBER_BYTES: Final = 1_000_000
EVENTS: Final = 300
LOG_LINES: Final = 5_000
COMMAND_TIMEOUT_S: Final = 20.0
LOG: Final = ("journalctl", "--unit=canopy.service", f"--lines={LOG_LINES}", "--output=short-iso", "--no-pager")
KERNEL: Final = ("dmesg", "--level=emerg,alert,crit,err,warn", "--time-format=iso", "--nopager")
DISKS: Final = ("df", "--human-readable", "--local")
VIDEO: Final = ("v4l2-ctl", "--list-devices")


def write_bundle(settings: DeviceSettings | ConfigError, target: Path, *, timeout_s: float) -> list[str]:
    """Write the zip; the names of what is in it.

    Args:
        settings: the device, or why its configuration cannot be used: what the machine says is wanted then, too.
        target: the file.
        timeout_s: for each of the doctor's checks.

    Raises:
        OSError: it cannot be written.
    """
    redactor = Redactor(settings if isinstance(settings, DeviceSettings) else None)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**_of_machine(), **_of_device(settings, timeout_s)}.items():
            archive.writestr(name, redactor.clean(_told(content))[-MAX_MEMBER_BYTES:])
        return archive.namelist()


def _of_machine() -> dict[str, Callable[[], str]]:
    return {
        "about.json": lambda: _json(_about()),
        "chip.json": lambda: _json(asdict(Chip().read())),
        "log.txt": lambda: _output(LOG),
        "kernel.txt": lambda: _output(KERNEL),
        "disks.txt": lambda: _output(DISKS),
        "cameras.txt": lambda: _output(VIDEO),
    }


def _of_device(settings: DeviceSettings | ConfigError, timeout_s: float) -> dict[str, Callable[[], str]]:
    if isinstance(settings, ConfigError):
        return {"settings.txt": lambda: str(settings)}
    return {
        "settings.json": lambda: settings.model_dump_json(indent=1),
        "daemon.txt": lambda: "\n".join(from_daemon(settings.state_dir, MAX_LINES, "debug", follow=False)),
        "status.json": lambda: _tail(settings.run_dir / STATUS_FILE),
        "doctor.json": lambda: _json([asdict(each) for each in run_checks(settings, timeout_s=timeout_s)]),
        "outbox.json": lambda: _json(_outbox(settings)),
        "events.json": lambda: _json(_events(settings)),
    }


def _told(content: Callable[[], str]) -> str:
    """What cannot be had is said in its place: the rest of the bundle is wanted all the more."""
    try:
        return content()
    except (CanopyError, OSError, ValueError) as error:
        return f"not to be had: {error}\n"


def _about() -> dict[str, Any]:
    return {
        "canopy": __version__,
        "at": utc_now().isoformat(),
        "clock": read_clock().model_dump(mode="json"),
        "boot_id": boot_id(),
        "hardware": hardware(),
        "kernel": " ".join(platform.uname()[::2]),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "packages": {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()},
    }


def _outbox(settings: DeviceSettings) -> dict[str, Any]:
    with stored_records(settings.data_dir) as records:
        return asdict(records.stats())


def _events(settings: DeviceSettings) -> list[dict[str, Any]]:
    with stored_records(settings.data_dir) as records:
        return [each.content for each in records.newest(EVENTS, Selection(events_only=True))]


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, default=lambda value: value.model_dump(mode="json"))


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_MEMBER_BYTES))
        return file.read(MAX_MEMBER_BYTES).decode("utf-8", "replace")


def _output(command: tuple[str, ...]) -> str:
    """What a program of the system says; it gets no secrets of ours by its environment."""
    name = shutil.which(command[0])
    if name is None:
        return f"{command[0]} is not installed\n"
    environment = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "HOME"}}
    try:
        done = subprocess.run(  # noqa: S603
            [name, *command[1:]], capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} gave no answer within {COMMAND_TIMEOUT_S:g} s\n"
    return (done.stdout[-MAX_MEMBER_BYTES:] + done.stderr[-10_000:]).decode("utf-8", "replace")
