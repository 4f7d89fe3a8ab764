"""Keeps a camera going: opens it when it is time, reads it, notices when it is lost or hangs, and has it back."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.clock import is_believable, utc_now
from edge.contract.records import EventKind
from edge.errors import CameraLost, CaptureError, EndOfSource
from edge.mailbox import Mailbox
from edge.pace import Pace, Rate, Timelapse, backoff_s
from edge.reader import Reader
from edge.recovery.commands import Ending
from edge.recovery.ladder import Ladder, Rung
from edge.schedule import is_open
from edge.scrutiny import Scrutiny
from edge.settings import CameraSettings
from edge.sources import FrameSource, open_source

MAX_HANGING = 3
STOP_S = 2.0
CLOSE_S = 1.0
LOOK_AT_CLOCK_S = 10.0
"""How exactly a window opens and closes."""

Detail = dict[str, str | int | float | bool | None]
OnEvent = Callable[[EventKind, str, str, Detail], None]
"""Called with what happened, the camera's name, the message and its detail, from the camera's thread."""

Repair = Callable[[Rung, CameraSettings, threading.Event], Ending]
"""Takes a rung of the ladder, within a limit and no longer than the event is unset; from the camera's thread."""

log = logging.getLogger(__name__)


def no_repair(rung: Rung, _camera: CameraSettings, _stopping: threading.Event) -> Ending:
    """Nothing but opening again, this way or another."""
    return Ending(ok=rung in {Rung.REOPEN, Rung.REBUILD}, words="only opening again is possible here")


@dataclass
class Outage:
    """A time without pictures; ``tries`` counts the openings that followed the loss."""

    since_s: float
    tries: int = 0


class _WindowClosed(CaptureError):
    """No fault: it is not the time for pictures."""


class Camera:
    """One camera, for as long as the daemon runs.

    A live camera never ends: when it is lost it is opened again, after waits that grow to ``reconnect_max_s``, and
    after whatever else the ladder says. A read that hangs for ``read_timeout_s`` is let go with its thread, and a
    picture that still comes of it is discarded; at most ``MAX_HANGING`` such threads are left alive, then the camera
    waits for one to end. Outside its window it is closed, which is no outage. A file or folder is read once, waiting
    for the mailbox so that nothing is dropped, and for the disk for as long as it takes.

    Attributes:
        finite: it has an end.
        live: it shows what is now, so that an exact repetition shows that it hangs.
        connected: it gives pictures now.
        resting: it is closed until its window opens.
        complaint: what it does not do as configured though it gives pictures; empty if nothing.
        done: set when nothing more will come: the end was reached, ``error`` happened, or it was stopped.
        error: why it gives no pictures now, or why a file or folder could not be read to its end.
        reconnects: how often it came back.
        abandoned: how many hanging reads were let go.
    """

    def __init__(
        self,
        settings: CameraSettings,
        mailbox: Mailbox,
        on_event: OnEvent,
        open_source: Callable[[CameraSettings, int], FrameSource] = open_source,
        repair: Repair = no_repair,
    ) -> None:
        self.name = settings.name
        self.done = threading.Event()
        self.error: CaptureError | None = None
        self.connected = False
        self.resting = False
        self.complaint = ""
        self.reconnects = 0
        self.abandoned = 0
        self._settings = settings
        self._mailbox = mailbox
        self._on_event = on_event
        self._open_source = open_source
        self._repair = repair
        self._ladder = Ladder(settings.recovery)
        self._source = open_source(settings, 0)
        self.finite = self._source.finite
        self.live = not self._source.lossless
        self._pace = _pace_of(settings, live=self.live)
        self._outage: Outage | None = None
        self._former: list[Reader] = []
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{self.name}", daemon=True)

    @property
    def total(self) -> int | None:
        """How many pictures a file or folder holds; None if that is not known or the camera is live."""
        return self._source.total

    @property
    def usb_device(self) -> Path | None:
        """Its place in sysfs, known since it was first open; None if it hangs on no USB bus."""
        return self._source.usb_device

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Put nothing more into the mailbox, and end within ``STOP_S`` even if a read hangs."""
        self._stopping.set()
        self._mailbox.refuse(self.name)
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        failures = 0
        while self._wait_for_window():
            reader = self._start_reader()
            error, lasted_s = self._follow(reader)
            if isinstance(error, _WindowClosed):
                self._ladder.rest(lasted_s)
                self._renew()
                continue
            if error is None:
                break
            if self.finite:
                self._finish(error)
                break
            self._note_loss(error)
            failures = 0 if lasted_s > self._settings.reconnect_max_s else failures + 1
            self._take(self._rung_after(error, lasted_s))
            self._wait_before_retry(failures)
        self.done.set()

    def _is_time(self) -> bool:
        """Whether the window is open; by a clock that is not believed it always is, since it might be noon."""
        now = utc_now()
        return not self.live or not is_believable(now) or is_open(self._settings.window, now)

    def _wait_for_window(self) -> bool:
        """Wait until the camera may be open; whether it is wanted at all."""
        if not self._is_time():
            self.resting, self.connected = True, False
            log.info("camera %s rests until its window opens", self.name)
            while not self._is_time() and not self._stopping.wait(LOOK_AT_CLOCK_S):
                pass
            self.resting = not self._is_time()
            self._pace = _pace_of(self._settings, live=self.live)  # what was missed at night is not made up for
        return not self._stopping.is_set()

    def _start_reader(self) -> Reader:
        scrutiny = Scrutiny(self._settings)
        reader = Reader(self._source, self._mailbox, self._pace, self._wake, scrutiny, self._settings.warm_up_s)
        reader.start()
        return reader

    def _follow(self, reader: Reader) -> tuple[CaptureError | None, float]:
        """Watch ``reader`` to its end: why it ended (None: nobody wants it any more), and how long it gave pictures."""
        seen_at_s: float | None = None
        while True:
            hangs = self._hangs(reader)
            over = reader.finished or self._stopping.is_set() or hangs or not self._is_time()
            if reader.seen and seen_at_s is None:
                seen_at_s = time.monotonic()
                self._note_return()
            if over:
                return self._end_of(reader, hangs=hangs), 0.0 if seen_at_s is None else time.monotonic() - seen_at_s
            self._wake.wait(self._look_again_s(reader))
            self._wake.clear()

    def _look_again_s(self, reader: Reader) -> float | None:
        if self.finite:
            return None
        hangs_in_s = self._settings.read_timeout_s - reader.busy_s
        return hangs_in_s if self._settings.window is None else min(hangs_in_s, LOOK_AT_CLOCK_S)

    def _hangs(self, reader: Reader) -> bool:
        return not self.finite and reader.busy_s >= self._settings.read_timeout_s

    def _end_of(self, reader: Reader, *, hangs: bool) -> CaptureError | None:
        if reader.finished:
            return reader.error
        reader.let_go()
        if self._stopping.is_set() or not hangs:
            reader.join(CLOSE_S)
            self._former.append(reader)
            return None if self._stopping.is_set() else _WindowClosed("the window has closed")
        self.abandoned += 1
        self._former.append(reader)
        return CameraLost(
            f"camera {self.name} has not answered for {self._settings.read_timeout_s:g} s; it will be opened again; "
            "if this repeats, see its cable and power, or raise read_timeout_s"
        )

    def _rung_after(self, error: CaptureError, lasted_s: float) -> Rung:
        """No repair installs a library that is missing, or corrects a pipeline: that is not for the ladder."""
        if not isinstance(error, CameraLost):
            return Rung.REOPEN
        return self._ladder.after_failure(time.monotonic(), lasted_s)

    def _wait_before_retry(self, failures: int) -> None:
        """Wait until it is time to try again; further while too many hanging reads are alive."""
        self._stopping.wait(backoff_s(failures, self._settings.reconnect_max_s))
        while self._too_many_hang() and not self._stopping.wait(self._settings.reconnect_max_s):
            log.error("camera %s: %d reads hang; waiting for one to end", self.name, len(self._former))
        self._renew()

    def _renew(self) -> None:
        """A source of its own for each opening: the last one may still be held by a thread that hangs."""
        source = self._open_source(self._settings, self._ladder.variant)
        source.follow(self._source)
        self._source = source

    def _take(self, rung: Rung) -> None:
        try:
            ending = self._repair(rung, self._settings, self._stopping)
        except Exception as error:  # a repair that fails must not end the camera
            log.exception("camera %s", self.name)
            ending = Ending(ok=False, words=repr(error))
        if rung is not Rung.REOPEN:
            message = f"camera {self.name}: {rung.value}: {ending.words}"
            self._tell(EventKind.CAMERA_REPAIR, message, {"rung": rung.value, "ok": ending.ok})

    def _too_many_hang(self) -> bool:
        self._former = [reader for reader in self._former if reader.is_alive()]
        return len(self._former) >= MAX_HANGING

    def _finish(self, error: CaptureError) -> None:
        if not isinstance(error, EndOfSource):
            self.error = error
            self._tell(EventKind.CAMERA_LOST, str(error), {"cause": type(error).__name__})

    def _note_loss(self, error: CaptureError) -> None:
        """Tell of an outage once, however often opening fails in it."""
        self.connected, self.error = False, error
        if self._outage is None:
            self._outage = Outage(time.monotonic())
            self._tell(EventKind.CAMERA_LOST, str(error), {"cause": type(error).__name__})
        self._outage.tries += 1

    def _note_return(self) -> None:
        self.connected, self.error = True, None
        if self._source.complaint != self.complaint:
            self.complaint = self._source.complaint
            log.warning("camera %s: %s", self.name, self.complaint or "all is as configured again")
        if self._outage is None:
            return
        outage_s = round(time.monotonic() - self._outage.since_s, 3)
        tries, self._outage = self._outage.tries, None
        self.reconnects += 1
        message = f"camera {self.name} gives pictures again after {outage_s:.1f} s"
        self._tell(EventKind.CAMERA_BACK, message, {"outage_s": outage_s, "tries": tries})

    def _tell(self, kind: EventKind, message: str, detail: Detail) -> None:
        try:
            self._on_event(kind, self.name, message, detail)
        except Exception:  # an event that cannot be stored must not end the camera
            log.exception("camera %s: %s could not be recorded: %s", self.name, kind.value, message)


def _pace_of(settings: CameraSettings, *, live: bool) -> Pace | None:
    """Files hold the pictures that are wanted already, so a time-lapse passes over nothing of them."""
    if settings.max_fps is not None:
        return Rate(settings.max_fps)
    return Timelapse(settings.interval_s) if settings.interval_s is not None and live else None
