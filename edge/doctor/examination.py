"""Runs the checks side by side, each within its time. One that hangs is reported, and holds up nobody."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.checks import (
    broker,
    camera,
    certificates,
    clock,
    daemon,
    disk,
    engine,
    focus,
    heat,
    light,
    memory,
    model,
    outbox,
    permissions,
    time_sync,
    wear,
)
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import ConfigError
from edge.settings import DeviceSettings

TIMEOUT_S = 20.0
PICTURE_SHARE = 0.75
"""A camera gives up its share of the time sooner than the check does, so that its finding says what is wrong."""


@dataclass(frozen=True, slots=True)
class Check:
    """One file of ``checks``: its name, and what it does with the device."""

    name: str
    examine: Callable[[Patient, Scribe], Iterable[Finding]]


CHECKS = (
    Check("daemon", daemon.examine),
    Check("camera", camera.examine),
    Check("focus", focus.examine),
    Check("light", light.examine),
    Check("model", model.examine),
    Check("engine", engine.examine),
    Check("clock", clock.examine),
    Check("time-sync", time_sync.examine),
    Check("disk", disk.examine),
    Check("wear", wear.examine),
    Check("heat", heat.examine),
    Check("memory", memory.examine),
    Check("permissions", permissions.examine),
    Check("outbox", outbox.examine),
    Check("broker", broker.examine),
    Check("certificates", certificates.examine),
)


def run_checks(
    settings: DeviceSettings,
    only: Collection[str] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    root: Path = Path("/"),
) -> list[Finding]:
    """What the checks find, in the order of ``CHECKS``; takes about ``timeout_s`` at the most.

    Args:
        settings: the device.
        only: names of checks; None runs all.
        timeout_s: for each check; they run side by side.
        root: where /sys, /proc and /run are found.

    Raises:
        ConfigError: there is no check of a name in ``only``.
    """
    unknown = sorted(set(only or ()) - {check.name for check in CHECKS})
    if unknown:
        names = ", ".join(check.name for check in CHECKS)
        raise ConfigError(f"there is no check {', '.join(unknown)}; there are {names}")
    patient = Patient(settings, root, timeout_s * PICTURE_SHARE)
    runs = [_Run(check, patient) for check in CHECKS if only is None or check.name in only]
    ends_at_s = time.monotonic() + timeout_s
    return [finding for run in runs for finding in run.findings(ends_at_s, timeout_s)]


class _Run:
    """One check in a thread of its own, which is left behind if it hangs."""

    def __init__(self, check: Check, patient: Patient) -> None:
        self._check, self._patient = check, patient
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._examine, name=f"doctor-{check.name}", daemon=True)
        self._thread.start()

    def findings(self, ends_at_s: float, timeout_s: float) -> list[Finding]:
        self._thread.join(max(0.0, ends_at_s - time.monotonic()))
        if not self._thread.is_alive():
            return self._found
        mend = "what it looks at does not answer; see the kernel's log: dmesg --level=err,warn"
        return [Scribe(self._check.name).fail(f"the check hangs: no answer within {timeout_s:g} s", mend)]

    def _examine(self) -> None:
        scribe = Scribe(self._check.name)
        try:
            self._found = list(self._check.examine(self._patient, scribe))
        except Exception as error:  # noqa: BLE001  a defect of one check must not hide what the others find
            mend = "this is a defect of Canopy; send the output of: canopy support-bundle"
            self._found = [scribe.fail(f"the check itself failed: {error!r}", mend)]
