"""What the cameras and the loop have before their eyes, for whoever watches: a technician, or the fleet.

The loop and the readers hand over references and wait for nobody. Of each camera the last measured picture is kept, at
the network's input size; a whole picture is kept only while somebody asks for one. A watcher that does not keep up
misses observations, and is told how many.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.contract.records import Observation, QualityFlag
from edge.frame import Frame
from edge.plots import PlotMap
from edge.preprocess import Placement
from edge.segmentation import Segmentation
from edge.traits import PlotTraits

T = TypeVar("T")
MAX_WATCHERS = 8
MAX_WAITING = 256
"""Observations that wait for one watcher: some pictures of a tray."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture as it was measured, or not.

    Attributes:
        frame: the picture; its pixels are empty unless somebody had asked for them.
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        placement: where the picture lies in it.
        manifest: the model's.
        flags: what is wrong with it; it was measured all the same if there is a segmentation.
        segmentation: what was found.
        plots: the plots on the grid.
        measured: one for each plot.
    """

    frame: Frame
    image: NDArray[np.uint8]
    placement: Placement
    manifest: Manifest
    flags: tuple[QualityFlag, ...] = ()
    segmentation: Segmentation | None = None
    plots: PlotMap | None = None
    measured: tuple[PlotTraits, ...] = ()


class Watcher:
    """One who watches observations. ``missed`` counts those that did not fit."""

    def __init__(self, changed: threading.Condition) -> None:
        self.missed = 0
        self._changed = changed
        self._waiting: deque[Observation] = deque()

    def add(self, observations: Iterable[Observation]) -> None:
        """Leave observations; to be called with the condition held."""
        for observation in observations:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self.missed += 1
            self._waiting.append(observation)

    def take(self, timeout_s: float) -> list[Observation]:
        """Everything that waits; nothing if nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            taken = list(self._waiting)
            self._waiting.clear()
            return taken


class Lookout:
    """Hands pictures and observations on. Safe for any number of threads.

    Args:
        cameras: their names.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self.cameras = tuple(cameras)
        self._changed = threading.Condition()
        self._views: dict[str, View] = {}
        self._frames: dict[str, Frame] = {}
        self._asking: dict[str, int] = {}
        self._asking_whole: dict[str, int] = {}
        self._watchers: list[Watcher] = []

    def viewed(self, view: View) -> None:
        """Take note of a picture that the loop has looked at."""
        camera = view.frame.camera_id
        with self._changed:
            if not self._asking_whole.get(camera):
                view = _without_pixels(view)
            self._views[camera] = view
            self._changed.notify_all()

    def observed(self, observations: list[Observation]) -> None:
        """Take note of what the loop has made of a picture."""
        if not self._watchers:
            return
        with self._changed:
            for watcher in self._watchers:
                watcher.add(observations)
            self._changed.notify_all()

    def wants(self, camera: str) -> bool:
        """Whether somebody waits for a raw picture of this camera."""
        return self._asking.get(camera, 0) > 0

    def glimpsed(self, frame: Frame) -> None:
        """Take a raw picture that somebody waits for."""
        with self._changed:
            self._frames[frame.camera_id] = frame
            self._changed.notify_all()

    def last_view(self, camera: str) -> View | None:
        """The last picture that was looked at, without its whole pixels."""
        with self._changed:
            return self._views.get(camera)

    def next_view(self, camera: str, timeout_s: float, over: Callable[[], bool]) -> View | None:
        """The next picture that is looked at, with its pixels; None if none came in time, or it is ``over``."""
        before = self.last_view(camera)
        with self._counted(self._asking_whole, camera):
            found = self._wait(lambda: self._newer(self._views.get(camera), before), timeout_s, over)
        with self._changed:
            if found is not None and self._views.get(camera) is found and not self._asking_whole.get(camera):
                self._views[camera] = _without_pixels(found)
        return found

    def next_frame(self, camera: str, timeout_s: float, over: Callable[[], bool]) -> Frame | None:
        """The next raw picture that the camera gives, due or not; None if none came in time, or it is ``over``."""
        before = self._frames.get(camera)
        with self._counted(self._asking, camera):
            found = self._wait(lambda: self._newer(self._frames.get(camera), before), timeout_s, over)
        with self._changed:
            if not self._asking.get(camera):
                self._frames.pop(camera, None)
        return found

    def watch(self) -> Watcher | None:
        """Begin to watch observations; None if too many watch already."""
        with self._changed:
            if len(self._watchers) >= MAX_WATCHERS:
                return None
            watcher = Watcher(self._changed)
            self._watchers = [*self._watchers, watcher]
            return watcher

    def leave(self, watcher: Watcher) -> None:
        """Watch no more."""
        with self._changed:
            self._watchers = [each for each in self._watchers if each is not watcher]

    @staticmethod
    def _newer(found: T | None, before: T | None) -> T | None:
        return found if found is not before else None

    def _wait(self, find: Callable[[], T | None], timeout_s: float, over: Callable[[], bool]) -> T | None:
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while (found := find()) is None and not over() and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(min(left_s, 0.25))
            return found

    @contextmanager
    def _counted(self, counts: dict[str, int], camera: str) -> Iterator[None]:
        with self._changed:
            counts[camera] = counts.get(camera, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                counts[camera] -= 1


def _without_pixels(view: View) -> View:
    """A slice of the pixels would keep them all."""
    return replace(view, frame=replace(view.frame, pixels=np.empty((0, 0, 3), np.uint8)))
