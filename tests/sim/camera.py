"""A camera that follows a script, behind the interface of every source."""

import contextlib
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.clock import utc_now
from edge.errors import CameraLost, EndOfSource
from edge.frame import Frame
from edge.settings import CameraSettings
from edge.sources import FrameSource
from edge.sources.burst import Burst

Step = Literal["frame", "broken", "hang", "lost", "crash"]

LATE = 255
"""The pixels of a picture that came out of a hang; all others hold 0."""

FRAME_S = 0.002


class Script:
    """What the camera does each time that it is opened: ``None`` fails to open; the last one repeats.

    When the steps of an opening are over, a finite source ends and a live one hangs. ``release`` ends every hang.
    """

    def __init__(
        self, *openings: Iterable[Step] | None, finite: bool = False, brightness: int = 0, complaint: str = ""
    ) -> None:
        self.brightness = brightness
        self.complaint = complaint
        self.openings = list(openings)
        self.finite = finite
        self.opened = 0
        self.closed = 0
        self.variants: list[int] = []
        self.release = threading.Event()
        self.hanging = False
        self.given: list[weakref.ref[NDArray[np.uint8]]] = []

    @property
    def held(self) -> int:
        """How many of the pictures that it gave somebody still holds."""
        return sum(pixels() is not None for pixels in self.given)

    def open_source(self, camera: CameraSettings, variant: int = 0) -> FrameSource:
        self.variants.append(variant)
        source: FrameSource = (_Finite if self.finite else _Live)(camera.name, self)
        return source if camera.burst is None else Burst(source, camera.burst)

    def next_opening(self) -> Iterator[Step] | None:
        steps = self.openings[min(self.opened, len(self.openings) - 1)]
        self.opened += 1
        return None if steps is None else iter(steps)


def read_all(source: FrameSource) -> list[Frame]:
    """Every picture of a finite source."""
    frames: list[Frame] = []
    with source, contextlib.suppress(EndOfSource):
        while True:
            frames.append(source.read())
    return frames


class _Scripted(FrameSource):
    def __init__(self, camera_id: str, script: Script) -> None:
        super().__init__(camera_id)
        self._script = script
        self._steps: Iterator[Step] = iter(())
        self._step_taken: Step = "frame"

    def open(self) -> None:
        steps = self._script.next_opening()
        if steps is None:
            raise CameraLost("the cable is out")
        self._steps = steps
        self.complaint = self._script.complaint

    def close(self) -> None:
        self._script.closed += 1

    def _step(self) -> datetime:
        self._step_taken = next(self._steps, "hang" if not self.finite else "lost")
        if self._step_taken == "lost":
            raise EndOfSource("the script is over") if self.finite else CameraLost("the camera went away")
        if self._step_taken == "crash":
            raise RuntimeError("a driver's defect")
        if self._step_taken == "hang":
            self._script.hanging = True
            self._script.release.wait(30)
            self._script.hanging = False
        time.sleep(FRAME_S)
        return utc_now()

    def _decode(self) -> NDArray[np.uint8]:
        if self._step_taken == "broken":
            raise ValueError("half of it is missing")
        pixels = np.full((8, 8, 3), LATE if self._step_taken == "hang" else self._script.brightness, np.uint8)
        self._script.given.append(weakref.ref(pixels))
        return pixels


class _Live(_Scripted):
    finite = False


class _Finite(_Scripted):
    finite = True
