"""Whether a live camera that gives pictures has failed all the same. Pure: times come from outside."""

import numpy as np
from numpy.typing import NDArray

from edge.errors import FrameUnreadable
from edge.frame import Frame
from edge.mailbox import Picture
from edge.settings import CameraSettings

STRIDE_PX = 16
"""Every so many pixels are compared: the noise of a sensor is in all of them."""


class Scrutiny:
    """Looks at the pictures of one opening of one camera, one after the other."""

    def __init__(self, settings: CameraSettings) -> None:
        self._name = settings.name
        self._recovery = settings.recovery
        self._frozen_after = settings.quality.frozen_after
        self._dark_below = settings.quality.dark_below
        self._unreadable = 0
        self._size: tuple[int, ...] | None = None
        self._last: NDArray[np.uint8] | None = None
        self._since_s = 0.0
        self._times = 0

    def fault(self, picture: Picture) -> str:
        """What is wrong with the camera after this picture; empty if nothing is."""
        if isinstance(picture, FrameUnreadable):
            self._unreadable += 1
            if self._unreadable < self._recovery.unreadable_after:
                return ""
            return f"camera {self._name} gave {self._unreadable} unreadable pictures in a row; the last: {picture}"
        self._unreadable = 0
        return self._resized(picture) or self._frozen(picture)

    def _resized(self, frame: Frame) -> str:
        former, self._size = self._size, frame.pixels.shape[:2]
        if former in {None, self._size}:
            return ""
        sizes = " to ".join(f"{shape[1]} x {shape[0]} px" for shape in (former, self._size) if shape)
        return f"camera {self._name} has changed its size from {sizes}; it is opened again: see its profile and scale"

    def _frozen(self, frame: Frame) -> str:
        sample = frame.pixels[::STRIDE_PX, ::STRIDE_PX].copy()
        if self._last is None or not np.array_equal(self._last, sample) or sample.max() < self._dark_below:
            self._last, self._since_s, self._times = sample, frame.monotonic_s, 0
        self._times += 1
        lasted_s = frame.monotonic_s - self._since_s
        if self._times < self._frozen_after or lasted_s < self._recovery.frozen_s:
            return ""
        return f"camera {self._name} has repeated one picture for {lasted_s:.0f} s; it is opened again"
