"""The daemon: a device from its start to its end."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from edge.device import Device, Summary
from edge.lock import only_daemon_in
from edge.malloc import share_one_arena
from edge.notify import Notifier
from edge.settings import DeviceSettings

STATUS_EVERY_S = 5.0
STATUS_OF_FILES_EVERY_S = 0.5
"""Somebody watches a run over files; a daemon spares its flash."""
CARE_EVERY_S = 5.0
GIVE_UP_DELIVERY_S = 60.0


class Daemon:
    """One device at work.

    Args:
        settings: the device.
        until_end: end when the files are read to their ends and the fleet has what came of them; cameras that have no
            end are refused.
    """

    def __init__(self, settings: DeviceSettings, *, until_end: bool = False) -> None:
        self._settings = settings
        self._until_end = until_end
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask a running daemon to end: within 2 s, and nothing that was captured is lost. From any thread."""
        self._stopping.set()

    def run(self) -> Summary:
        """Work until ``stop``, SIGTERM or SIGINT, or the end of the files.

        Raises:
            ConfigError: ``until_end`` with a live camera.
            StoreError: the state directory cannot be used, or another daemon uses it.
            ModelError: with ``until_end``, the model cannot be used; a daemon waits for a better one instead.
        """
        share_one_arena()
        notifier = Notifier()
        with (
            self._stop_at_signals(),
            only_daemon_in(self._settings.state_dir),
            closing(Device(self._settings, notifier)) as device,
        ):
            if self._until_end:
                device.refuse_live_cameras()
            device.start(model_required=self._until_end)
            notifier.ready()
            self._watch(device)
            notifier.stopping()
            device.finish_pictures()
            if self._until_end:
                self._wait_delivered(device)
            return device.end()

    def _watch(self, device: Device) -> None:
        """Write the status and care for disk and chip until it is time to end."""
        every_s = STATUS_OF_FILES_EVERY_S if self._until_end else STATUS_EVERY_S
        care_at_s = 0.0
        while not self._stopping.is_set() and not (self._until_end and device.done):
            device.write_status()
            if time.monotonic() >= care_at_s:
                device.care()
                care_at_s = time.monotonic() + CARE_EVERY_S
            self._stopping.wait(every_s)

    def _wait_delivered(self, device: Device) -> None:
        give_up_at_s = time.monotonic() + GIVE_UP_DELIVERY_S
        while not self._stopping.is_set() and time.monotonic() < give_up_at_s:
            if device.wait_delivered(STATUS_OF_FILES_EVERY_S):
                return

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
