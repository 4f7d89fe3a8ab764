"""One thread that reads one opening of one camera. It may hang; whoever started it may let go of it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from edge.clock import utc_now
from edge.errors import CameraLost, CaptureError, FrameUnreadable
from edge.mailbox import Mailbox, Picture
from edge.pace import Pace
from edge.scrutiny import Scrutiny
from edge.sources import FrameSource

T = TypeVar("T")
NAP_S = 0.01
LOOK_EVERY_S = 0.2
"""How often a folder is asked for a new picture."""

log = logging.getLogger(__name__)


class Reader(threading.Thread):
    """Opens ``source``, puts its pictures into ``mailbox`` until it ends or is let go, and closes it.

    With a pace it passes over a live camera's pictures until one is due instead of sleeping: so that one is fresh and
    has not waited in a buffer, and a lost camera is noticed at once. Files wait, and nothing of them is passed over.
    A live camera whose pictures show that it has failed is lost, too. Its pictures of the first ``warm_up_s`` are
    passed over.

    Attributes:
        finished: it will do nothing more; ``error`` says why, None that it was let go or the mailbox closed.
        seen: the source gave a picture, read or passed over.
    """

    def __init__(
        self,
        source: FrameSource,
        mailbox: Mailbox,
        pace: Pace | None,
        wake: threading.Event,
        scrutiny: Scrutiny,
        warm_up_s: float = 0.0,
    ) -> None:
        super().__init__(name=f"read-{source.camera_id}", daemon=True)
        self.source = source
        self.finished = False
        self.seen = False
        self.error: CaptureError | None = None
        self._mailbox = mailbox
        self._pace = pace
        self._wake = wake
        self._scrutiny = scrutiny
        self._warm_up_s = warm_up_s
        self._warm_at_s = 0.0
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
            self._warm_at_s = time.monotonic() + self._warm_up_s
            while self._wanted:
                self._go_on()

    def _go_on(self) -> None:
        if self.source.lossless:
            if not self.source.is_ready():
                self._see()
                time.sleep(LOOK_EVERY_S)
            elif self._is_due():
                self._read_and_put()
            else:
                time.sleep(NAP_S)
        elif time.monotonic() >= self._warm_at_s and self._is_due():
            self._read_and_put()
        else:
            self._timed(self.source.skip)

    def _is_due(self) -> bool:
        return self._pace is None or self._pace.is_due(utc_now())

    def _timed(self, task: Callable[[], T]) -> T:
        self._busy_since_s = time.monotonic()
        result = task()
        self._busy_since_s = None
        self._see()
        return result

    def _see(self) -> None:
        if not self.seen:
            self.seen = True
            self._wake.set()

    def _read(self) -> Picture:
        try:
            return self.source.read()
        except FrameUnreadable as broken:
            return broken

    def _read_and_put(self) -> None:
        if self.source.lossless and not self._mailbox.wait_free(self.source.camera_id):
            self._wanted = False
            return
        picture = self._timed(self._read)
        with self._delivering:
            self._wanted = self._wanted and self._mailbox.put(picture)
        fault = "" if self.source.lossless else self._scrutiny.fault(picture)
        if fault:
            raise CameraLost(fault)
