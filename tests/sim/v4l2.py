"""A V4L2 camera for a machine without one: the kernel's control interface, and OpenCV's capture, over one state.

It answers the ioctls that ``edge.sources.controls`` makes, byte for byte as the kernel documents them, and raises what
the kernel raises. It can forget its controls when it begins to send, as some cameras do.
"""

import errno
import os
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.sources.controls import CONTROL, DISABLED, GET, NEXT_CONTROL, QUERY, QUERYCTRL, SET


@dataclass
class FakeControl:
    number: int
    name: str
    least: int
    most: int
    step: int = 1
    value: int = 0
    flags: int = 0
    refuses: int = 0
    """The error number that setting it gives."""
    sticks: bool = False
    """Takes a value and keeps its own."""


@dataclass
class FakeCamera:
    """``nodes`` are the device files that it answers at."""

    controls: list[FakeControl]
    nodes: set[str] = field(default_factory=set)
    forgets: bool = False
    size_px: tuple[int, int] = (640, 480)
    opened: list[str] = field(default_factory=list)
    asked: dict[int, float] = field(default_factory=dict)
    sets: int = 0

    def ioctl(self, descriptor: int, request: int, buffer: bytes) -> bytes:
        if request == QUERY:
            return self._describe(QUERYCTRL.unpack(buffer)[0])
        number, value = CONTROL.unpack(buffer)
        control = self._control(number)
        if request == SET:
            self._set(control, value)
        elif request != GET:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        return CONTROL.pack(number, control.value)

    def value(self, name: str) -> int:
        return next(control.value for control in self.controls if control.name == name)

    def _describe(self, asked: int) -> bytes:
        number = asked & ~NEXT_CONTROL
        later = sorted((each for each in self.controls if each.number > number), key=lambda each: each.number)
        if asked & NEXT_CONTROL and not later:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        found = later[0] if asked & NEXT_CONTROL else self._control(number)
        described = found.number, 1, found.name.encode(), found.least, found.most, found.step, 0, found.flags
        return QUERYCTRL.pack(*described)

    def _control(self, number: int) -> FakeControl:
        for control in self.controls:
            if control.number == number:
                return control
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def _set(self, control: FakeControl, value: int) -> None:
        self.sets += 1
        if control.refuses or control.flags & DISABLED:
            raise OSError(control.refuses or errno.EINVAL, os.strerror(control.refuses or errno.EINVAL))
        if not control.sticks:
            control.value = value


class FakeCapture:
    """``cv2.VideoCapture`` of a device file; ``camera`` is whichever answers there."""

    camera: FakeCamera

    def __init__(self, name: str, _api: int) -> None:
        self._open = name in self.camera.nodes
        self.camera.opened.append(name)
        self._grabbed = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._open

    def set(self, setting: int, value: float) -> bool:
        self.camera.asked[setting] = value
        return True

    def get(self, setting: int) -> float:
        return float(self.camera.size_px[setting == cv2.CAP_PROP_FRAME_HEIGHT])

    def grab(self) -> bool:
        if self._grabbed == 0 and self.camera.forgets:
            for control in self.camera.controls:
                control.value = 0
        self._grabbed += 1
        return self._open

    def retrieve(self):
        width_px, height_px = self.camera.size_px
        return True, np.full((height_px, width_px, 3), 80, np.uint8)

    def release(self) -> None:
        self._open = False
