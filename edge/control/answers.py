"""What the daemon answers over its control socket."""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.aim import aim
from edge.control.protocol import (
    MAX_PICTURE_BYTES,
    Ask,
    AskAim,
    AskLogs,
    AskReload,
    AskSettings,
    AskSnapshot,
    AskStatus,
    AskWatch,
)
from edge.errors import ControlError
from edge.logring import LogRing
from edge.lookout import Lookout, View
from edge.overlay import jpeg, jpeg_within, overlay, picture_of
from edge.status import Status

if TYPE_CHECKING:
    from edge.wanted import WantedSettings

FRAME_WITHIN_S = 5.0
STARTS_WITHIN_S = 20.0
TICK_S = 1.0
JPEG_QUALITY = 80

Body = dict[str, Any]
Over = Callable[[], bool]


class Answering(Protocol):
    """What the answers need of a device."""

    @property
    def lookout(self) -> Lookout:
        """What it sees."""

    def status(self) -> Status:
        """How it does."""


class Answers:
    """Answers requests about whatever device runs now; between two of them there is none for a moment.

    Args:
        ring: the log's last lines.
        wanted: the settings.
        reload: asks for another start with the file as it is now; what is wrong with it is raised.
    """

    def __init__(self, ring: LogRing, wanted: "WantedSettings", reload: Callable[[], str]) -> None:
        self.device: Answering | None = None
        self._ring, self._wanted, self._reload = ring, wanted, reload

    def answer(self, ask: Ask, over: Over) -> Iterator[Body | None]:
        """The bodies of an answer.

        Raises:
            CanopyError: there is none.
        """
        if isinstance(ask, AskLogs):
            return self._logs(ask, over)
        if isinstance(ask, AskSettings):
            return iter([self._wanted.document()])
        if isinstance(ask, AskReload):
            return iter([{"done": self._reload()}])
        device = self._device_soon(over)
        if isinstance(ask, AskStatus):
            return iter([device.status().model_dump(mode="json", by_alias=True)])
        if isinstance(ask, AskSnapshot):
            return _snapshot(device.lookout, ask, over)
        return _watch(device.lookout, ask, over) if isinstance(ask, AskWatch) else _aim(device.lookout, ask, over)

    def _device_soon(self, over: Over) -> Answering:
        """The device that runs, or that is about to."""
        until_s = time.monotonic() + STARTS_WITHIN_S
        while (device := self.device) is None:
            if over() or time.monotonic() > until_s:
                raise ControlError("the daemon is still starting; ask again in a moment, or see canopy logs")
            time.sleep(0.05)
        return device

    def _logs(self, ask: AskLogs, over: Over) -> Iterator[Body | None]:
        seen, lines = self._ring.last(ask.lines, ask.level)
        while True:
            for line in lines:
                yield {"number": line.number, "level": line.level, "text": line.text}
            if not ask.follow:
                return
            yield None
            seen, lines = self._ring.after(seen, ask.level, TICK_S, over)


def snapshot(lookout: Lookout, camera: str, wait_s: float, over: Over) -> View:
    """The next picture that is measured within ``wait_s``, else the last one.

    Raises:
        ControlError: none was measured yet, or there is no such camera.
    """
    _known(lookout, camera)
    view = lookout.next_view(camera, wait_s, over) if wait_s else None
    if (view := view or lookout.last_view(camera)) is None:
        raise ControlError(f"camera {camera} has given no picture since the daemon started; see canopy status")
    return view


def _snapshot(lookout: Lookout, ask: AskSnapshot, over: Over) -> Iterator[Body]:
    if ask.overlay:
        view = snapshot(lookout, ask.camera, ask.wait_s, over)
        yield _picture_body(overlay(view), view.frame.captured_at.isoformat())
        return
    _known(lookout, ask.camera)
    frame = lookout.next_frame(ask.camera, max(ask.wait_s, FRAME_WITHIN_S), over)
    if frame is not None:
        yield _picture_body(frame.pixels, frame.captured_at.isoformat())
        return
    view = snapshot(lookout, ask.camera, 0, over)
    yield _picture_body(picture_of(view), view.frame.captured_at.isoformat())


def _watch(lookout: Lookout, ask: AskWatch, over: Over) -> Iterator[Body | None]:
    if ask.camera is not None:
        _known(lookout, ask.camera)
    watcher = lookout.watch()
    if watcher is None:
        raise ControlError("too many watch already; end one of them")
    try:
        while not over():
            chosen = [
                each.model_dump(mode="json")
                for each in watcher.take(TICK_S)
                if ask.camera in {None, each.camera} and ask.plot in {None, each.plot}
            ]
            yield {"observations": chosen, "missed": watcher.missed} if chosen else None
    finally:
        lookout.leave(watcher)


def _aim(lookout: Lookout, ask: AskAim, over: Over) -> Iterator[Body | None]:
    _known(lookout, ask.camera)
    silent_since_s = time.monotonic()
    while not over():
        began_s = time.monotonic()
        frame = lookout.next_frame(ask.camera, TICK_S, over)
        if frame is None:
            if began_s - silent_since_s > FRAME_WITHIN_S:
                raise ControlError(f"camera {ask.camera} gives no pictures now; see canopy status")
            yield None
            continue
        silent_since_s = time.monotonic()
        yield aim_body(frame.pixels, frame.captured_at.isoformat(), ask.width_px)
        time.sleep(max(0.0, 1 / ask.max_fps - (time.monotonic() - began_s)))


def aim_body(pixels: NDArray[np.uint8], at: str, width_px: int) -> Body:
    """A reading and a small picture."""
    factor = min(1.0, width_px / pixels.shape[1])
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else pixels
    return {"at": at, "aim": asdict(aim(pixels)), "jpeg": base64.b64encode(jpeg(small, JPEG_QUALITY)).decode()}


def _picture_body(picture: NDArray[np.uint8], at: str) -> Body:
    return {"at": at, "jpeg": base64.b64encode(jpeg_within(picture, MAX_PICTURE_BYTES)).decode()}


def _known(lookout: Lookout, camera: str) -> None:
    if camera not in lookout.cameras:
        raise ControlError(f"there is no camera {camera}; there is {', '.join(lookout.cameras)}")
