"""The daemon: a device from its start to its end."""

import gc
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from edge.bulletin import Summary
from edge.control.answers import Answers
from edge.control.server import ControlServer
from edge.device import Device
from edge.errors import CanopyError, ConfigError
from edge.lock import only_daemon_in
from edge.logring import LogRing
from edge.malloc import share_one_arena
from edge.notify import Notifier
from edge.settings import DeviceSettings
from edge.settings.applied import note_applied
from edge.wanted import WantedSettings

STATUS_EVERY_S = 5.0
STATUS_OF_FILES_EVERY_S = 0.5
"""Somebody watches a run over files; a daemon spares its flash."""
CARE_EVERY_S = 5.0
GIVE_UP_DELIVERY_S = 60.0


FIXED = ("site", "device", "state_dir")
"""What a daemon is for as long as it runs."""

log = logging.getLogger(__name__)


class Daemon:
    """One device at work.

    Other settings, from the file or from the fleet, take effect by a start within the process: cameras, loop and
    publisher end in order, as at a stop, and begin again with them. It is the way that every stop goes, so nothing that
    was captured is lost by it.

    Args:
        settings: the device.
        until_end: end when the files are read to their ends and the fleet has what came of them; cameras that have no
            end are refused, and so is what the fleet wants otherwise.
        reread: reads the configuration file again.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        *,
        until_end: bool = False,
        reread: Callable[[], DeviceSettings] | None = None,
    ) -> None:
        self._settings = settings
        self._until_end = until_end
        self._reread = reread
        self._stopping = threading.Event()
        self._beginning_anew = threading.Event()
        self._woken = threading.Event()
        self._ring = LogRing()

    def stop(self) -> None:
        """Ask a running daemon to end: within 2 s, and nothing that was captured is lost. From any thread."""
        self._stopping.set()
        self._woken.set()

    def run(self) -> Summary:
        """Work until ``stop``, SIGTERM or SIGINT, or the end of the files.

        Raises:
            ConfigError: ``until_end`` with a live camera.
            StoreError: the state directory cannot be used, or another daemon uses it.
            ModelError: with ``until_end``, the model cannot be used; a daemon waits for a better one instead.
        """
        share_one_arena()
        notifier = Notifier()
        with self._ring_of_log(), self._stop_at_signals(), only_daemon_in(self._settings.state_dir):
            wanted = WantedSettings(self._settings, self._begin_anew, heeds=not self._until_end)
            wanted.begin()
            answers = Answers(self._ring, wanted, lambda: self._reload(wanted))
            server = ControlServer(self._settings.state_dir, answers.answer)
            server.start()
            try:
                while True:
                    summary = self._run_once(wanted, answers, notifier)
                    if self._stopping.is_set() or not self._beginning_anew.is_set():
                        wanted.stop()
                        return summary
                    gc.collect()  # a device is full of cycles; it goes before the next one takes as much memory
            finally:
                server.stop()

    def _run_once(self, wanted: WantedSettings, answers: Answers, notifier: Notifier) -> Summary:
        """A device from its start to its end, which is the daemon's, or the beginning of another."""
        self._beginning_anew.clear()
        with closing(self._made(wanted, notifier)) as device:
            if self._until_end:
                device.refuse_live_cameras()
            device.start(model_required=self._until_end)
            notifier.ready()
            note_applied(device.settings)
            answers.device = device
            try:
                self._watch(device, wanted)
            finally:
                answers.device = None
            if self._stopping.is_set() or self._until_end:
                notifier.stopping()
            device.finish_pictures()
            if self._until_end:
                self._wait_delivered(device)
            return device.end()

    def _made(self, wanted: WantedSettings, notifier: Notifier) -> Device:
        """The device; without what the fleet wanted last, if it cannot be made with that."""
        try:
            return Device(wanted.running, wanted, self._ring, notifier)
        except CanopyError as error:
            if not wanted.fail(str(error)):
                raise
            return Device(wanted.running, wanted, self._ring, notifier)

    def _watch(self, device: Device, wanted: WantedSettings) -> None:
        """Write the status and care for disk and chip until it is time to end, or to begin anew."""
        every_s = STATUS_OF_FILES_EVERY_S if self._until_end else STATUS_EVERY_S
        care_at_s = 0.0
        while not self._ends() and not (self._until_end and device.done):
            self._woken.clear()
            device.write_status()
            device.tell(wanted.untold())
            if device.has_measured:
                wanted.prove(device.settings)
            if time.monotonic() >= care_at_s:
                device.care()
                care_at_s = time.monotonic() + CARE_EVERY_S
            if not self._ends():
                self._woken.wait(every_s)
        device.tell(wanted.untold())

    def _ends(self) -> bool:
        return self._stopping.is_set() or self._beginning_anew.is_set()

    def _begin_anew(self) -> None:
        """Other settings are to run; from any thread."""
        if not self._until_end:
            log.info("other settings: cameras and model begin anew")
            self._beginning_anew.set()
            self._woken.set()

    def _reload(self, wanted: WantedSettings) -> str:
        """Read the file again and begin anew with it.

        Raises:
            ConfigError: it cannot be used, or says that this is another device; what runs goes on.
        """
        if self._reread is None or self._until_end:
            raise ConfigError("this run takes no other settings; end it and start it again")
        settings = self._reread()
        moved = [name for name in FIXED if getattr(settings, name) != getattr(self._settings, name)]
        if moved:
            raise ConfigError(f"{' and '.join(moved)} changed, which takes a restart: systemctl restart canopy")
        wanted.take_file(settings)
        return "cameras and model begin anew with the file as it is now"

    def _wait_delivered(self, device: Device) -> None:
        give_up_at_s = time.monotonic() + GIVE_UP_DELIVERY_S
        while not self._stopping.is_set() and time.monotonic() < give_up_at_s:
            if device.wait_delivered(STATUS_OF_FILES_EVERY_S):
                return

    @contextmanager
    def _ring_of_log(self) -> Iterator[None]:
        logging.getLogger().addHandler(self._ring)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self._ring)

    @contextmanager
    def _stop_at_signals(self) -> Iterator[None]:
        """Python lets the main thread alone have signals; a daemon in another thread is ended by ``stop``."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
