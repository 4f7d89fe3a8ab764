"""Several pictures of a live camera merged to one."""

import time
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings import BurstSettings
from edge.sources import FrameSource

STRIP_PX = 64


class Burst(FrameSource):
    """Another source, each of whose pictures is the median of several, taken one after the other.

    It holds as many pictures as a burst has, and no more. A broken picture is replaced by the next one; a burst in
    which as many are broken as it needs is broken itself. Its time is that of its first picture.
    """

    finite = False

    def __init__(self, source: FrameSource, settings: BurstSettings) -> None:
        super().__init__(source.camera_id)
        self.source = source
        self._settings = settings

    def open(self) -> None:
        """Open the source."""
        self.source.open()
        self.complaint, self.usb_device = self.source.complaint, self.source.usb_device

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def follow(self, former: FrameSource) -> None:
        """Go on where ``former`` left off."""
        super().follow(former)
        if isinstance(former, Burst):
            self.source.follow(former.source)

    def _step(self) -> datetime:
        return self.source._step()  # noqa: SLF001 - the same interface, one layer below

    def _decode(self) -> NDArray[np.uint8]:
        pictures: list[NDArray[np.uint8]] = []
        broken = 0
        while True:
            try:
                pictures.append(self.source._decode())  # noqa: SLF001
            except ValueError:
                broken += 1
                if broken >= self._settings.pictures:
                    raise
            if len(pictures) == self._settings.pictures:
                return median_of(pictures)
            self._pass_over()

    def _pass_over(self) -> None:
        """Go to the picture that comes ``every_s`` later; those between are passed over, so that none is old."""
        due_s = time.monotonic() + self._settings.every_s
        self._step()
        while time.monotonic() < due_s:
            self._step()


def median_of(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The median of each pixel and channel of an odd number of uint8 pictures [H, W, 3]. Uses up the first one.

    Sorted by minima and maxima over strips, which needs no further picture and 16 bytes at a time: half a selection
    sort, since no more than the middle is wanted.

    Raises:
        ValueError: they differ in size.
    """
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1:
        sizes = " and ".join(sorted(f"{shape[1]} x {shape[0]}" for shape in shapes))
        raise ValueError(f"the pictures of one burst have {sizes} px; the camera has changed its size")
    for top in range(0, pictures[0].shape[0], STRIP_PX):
        strips = [picture[top : top + STRIP_PX].copy() for picture in pictures]
        pictures[0][top : top + STRIP_PX] = _middle_of(strips)
    return pictures[0]


def _middle_of(strips: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    middle = len(strips) // 2
    for place in range(middle + 1):
        for other in range(place + 1, len(strips)):
            lower = cv2.min(strips[place], strips[other])
            cv2.max(strips[place], strips[other], dst=strips[other])
            strips[place] = np.asarray(lower, np.uint8)
    return strips[middle]
