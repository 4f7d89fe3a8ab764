"""Does what the ladder says, for all cameras of a device, one repair at a time."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.clock import monotonic_s, read_clock
from edge.recovery.book import Reboot, read_book, why_no_reboot, write_book
from edge.recovery.commands import Ending, run_within
from edge.recovery.ladder import Rung
from edge.recovery.usb import reconnect
from edge.settings import CameraSettings, CommandPower, UhubctlPower

SYSTEMCTL = ("systemctl", "--no-ask-password")
SPARED_S = 60.0
"""A service that was restarted for one camera is not restarted for another so soon."""

Run = Callable[[list[str], float, threading.Event], Ending]

log = logging.getLogger(__name__)


class Patient(NamedTuple):
    """The camera that is to come back: its settings, its place in sysfs, and whether others of the device work."""

    settings: CameraSettings
    usb_device: Path | None = None
    others_work: bool = False


class Repairs:
    """The I/O of the ladder, and its book. Safe for the threads of all cameras.

    Args:
        state_dir: where the book is kept.
        run: runs a command within a limit of seconds.
        uptime_s: how long the machine has run.
    """

    def __init__(self, state_dir: Path, run: Run = run_within, uptime_s: Callable[[], float] = monotonic_s) -> None:
        self._state_dir = state_dir
        self._run = run
        self._uptime_s = uptime_s
        self._book = read_book(state_dir)
        self._writing = threading.Lock()
        self._repairing = threading.Lock()
        self._restarted_at_s: dict[str, float] = {}

    def counts(self, camera: str) -> dict[str, int]:
        """How often each rung was taken for a camera, restarts of the daemon and the machine notwithstanding.

        Reopenings reach the disk with the next other rung, so the last few are lost with the daemon.
        """
        return dict(self._book.counts.get(camera, {}))

    def perform(self, rung: Rung, patient: Patient, stopping: threading.Event) -> Ending:
        """Take a rung, and count it before it is taken."""
        with self._writing:
            self._book = self._book.counted(patient.settings.name, rung)
            if rung is not Rung.REOPEN:
                self._keep()
        if rung in {Rung.REOPEN, Rung.REBUILD}:  # nothing outside this process, so nobody's repair is waited for
            return Ending(ok=True, words="it is opened another way, in turn with the usual one")
        with self._repairing:
            return self._do(rung, patient, stopping)

    def _do(self, rung: Rung, patient: Patient, stopping: threading.Event) -> Ending:
        if rung is Rung.SERVICE:
            return self._restart_service(patient.settings, stopping)
        if rung is Rung.POWER:
            return self._cycle_power(patient, stopping)
        return self._reboot(patient, stopping)

    def _keep(self) -> bool:
        try:
            write_book(self._state_dir, self._book)
        except OSError as error:
            log.error("the repairs cannot be written down: %s", error)  # noqa: TRY400
            return False
        return True

    def _restart_service(self, camera: CameraSettings, stopping: threading.Event) -> Ending:
        service = f"{camera.recovery.service}.service"
        since_s = monotonic_s() - self._restarted_at_s.get(service, float("-inf"))
        if since_s < SPARED_S:
            return Ending(ok=True, words=f"{service} was restarted {since_s:.0f} s ago for another camera")
        self._restarted_at_s[service] = monotonic_s()
        ending = self._run([*SYSTEMCTL, "restart", service], camera.recovery.command_s, stopping)
        return ending._replace(words=f"{service} was restarted") if ending.ok else ending

    def _cycle_power(self, patient: Patient, stopping: threading.Event) -> Ending:
        camera = patient.settings
        power = camera.recovery.power
        if isinstance(power, CommandPower):
            ending = self._run(power.command, camera.recovery.command_s, stopping)
            log.info("camera %s, %s: %s", camera.name, power.command[0], ending.words)
            return Ending(ending.ok, f"{power.command[0]} {'worked' if ending.ok else 'failed; see the log'}")
        if isinstance(power, UhubctlPower):
            command = ["uhubctl", "-a", "cycle", "-l", power.hub, "-p", str(power.port)]
            ending = self._run(command, camera.recovery.command_s, stopping)
            return ending._replace(words=f"port {power.port} of hub {power.hub} was cycled") if ending.ok else ending
        if patient.usb_device is None:
            return Ending(ok=False, words="no USB device of it has been seen since the daemon started")
        return reconnect(patient.usb_device, stopping)

    def _reboot(self, patient: Patient, stopping: threading.Event) -> Ending:
        settings = patient.settings.recovery.reboot
        if settings is None:
            return Ending(ok=False, words="restarting the machine is not allowed: recovery.reboot is absent")
        clock = read_clock()
        now = Reboot(at=clock.at, clock_ok=clock.clock_ok, boot_id=clock.boot_id)
        refusal = why_no_reboot(settings, self._book, now, uptime_s=self._uptime_s(), others_work=patient.others_work)
        if refusal:
            return Ending(ok=False, words=f"the machine is not restarted: {refusal}")
        with self._writing:
            self._book = self._book.rebooted(now)
            if not self._keep():
                return Ending(ok=False, words="the machine is not restarted: that cannot be written down")
        ending = self._run([*SYSTEMCTL, "reboot"], patient.settings.recovery.command_s, stopping)
        return ending._replace(words="systemd was asked to restart the machine") if ending.ok else ending
