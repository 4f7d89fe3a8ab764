"""One thread that reads one opening of one camera. It may hang; whoever started it may let go of it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from edge.clock import utc_now
from edge.errors import CameraLost, CaptureError, FrameUnreadable
from edge.mailbox import Mailbox, Picture
from edge.pace import Timelapse
from edge.sources import FrameSource

T = TypeVar("T")

log = logging.getLogger(__name__)


class Reader(threading.Thread):
    """Opens ``source``, puts its pictures into ``mailbox`` until it ends or is let go, and closes it.

    With a time-lapse it passes over the pictures between two slots instead of sleeping: so the picture of a slot is
    fresh and not one that waited in a buffer since the last slot, and a lost camera is noticed at once.

    Attributes:
        finished: it will do nothing more; ``error`` says why, None that it was let go or the mailbox closed.
        seen: the source gave a picture, read or passed over.
    """

    def __init__(
        self, source: FrameSource, mailbox: Mailbox, timelapse: Timelapse | None, wake: threading.Event
    ) -> None:
        super().__init__(name=f"read-{source.camera_id}", daemon=True)
        self.source = source
        self.finished = False
        self.seen = False
        self.error: CaptureError | None = None
        self._mailbox = mailbox
        self._timelapse = timelapse
        self._wake = wake
        self._wanted = True
        self._delivering = threading.Lock()
        self._busy_since_s: float | None = time.monotonic()

    @property
    def busy_s(self) -> float:
        """How long the source has been at its present task; 0 while the reader waits for something else."""
        busy_since_s = self._busy_since_s
        return 0.0 if busy_since_s is None else time.monotonic() - busy_since_s

    def let_go(self) -> None:
        """Discard whatever comes from now on; the thread ends as soon as its source lets it."""
        with self._delivering:
            self._wanted = False

    def run(self) -> None:
        """Read until the end, whatever it is."""
        try:
            self._read_on()
        except CaptureError as error:
            self.error = error
        except Exception as error:  # a defect in a driver must not end the daemon
            log.exception("camera %s", self.source.camera_id)
            self.error = CameraLost(f"camera {self.source.camera_id} failed with {error!r}; it will be opened again")
        self.finished = True
        self._wake.set()

    def _read_on(self) -> None:
        # An error leaves the reader marked as busy, so that a close that hangs is noticed too.
        with self.source:
            self._busy_since_s = None
            while self._wanted:
                if self._timelapse is not None and not self._timelapse.is_due(utc_now()):
                    self._timed(self.source.skip)
                else:
                    self._deliver(self._timed(self._read))

    def _timed(self, task: Callable[[], T]) -> T:
        self._busy_since_s = time.monotonic()
        result = task()
        self._busy_since_s = None
        if not self.seen:
            self.seen = True
            self._wake.set()
        return result

    def _read(self) -> Picture:
        try:
            return self.source.read()
        except FrameUnreadable as broken:
            return broken

    def _deliver(self, picture: Picture) -> None:
        if self.source.finite:
            self._wanted = self._mailbox.put_when_free(picture)
            return
        with self._delivering:
            self._wanted = self._wanted and self._mailbox.put(picture)
