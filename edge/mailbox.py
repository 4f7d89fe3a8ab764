"""The mailbox between the cameras and the loop: one slot for each camera, the latest picture wins."""

import threading
from dataclasses import dataclass

from edge.errors import FrameUnreadable
from edge.frame import Frame

Picture = Frame | FrameUnreadable
"""What a camera puts in: a broken picture goes the same way, so that it is recorded as a failed reading."""


@dataclass(slots=True)
class Passage:
    """How many pictures of one camera left the mailbox, and which way. One that still waits is not yet counted."""

    taken: int = 0
    dropped: int = 0

    @property
    def captured(self) -> int:
        """Every picture that was put in and does not wait any more."""
        return self.taken + self.dropped


class Mailbox:
    """Holds at most one picture of each camera.

    A picture that is overwritten is counted as dropped. The camera whose picture has waited longest is served first,
    so a fast camera cannot starve a slow one. Safe for any number of threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._slots: dict[str, Picture] = {}  # in order of waiting: overwriting keeps a key's place
        self._passages: dict[str, Passage] = {}
        self._refused: set[str] = set()
        self._closed = False

    @property
    def drained(self) -> bool:
        """Closed and empty: nothing will come any more."""
        with self._changed:
            return self._closed and not self._slots

    def put(self, picture: Picture) -> bool:
        """Leave ``picture`` in its camera's slot, over one that waits there. False: it is refused."""
        with self._changed:
            if self._refuses(picture.camera_id):
                return False
            if picture.camera_id in self._slots:
                self._passage(picture.camera_id).dropped += 1
            self._fill(picture)
            return True

    def wait_free(self, camera: str) -> bool:
        """Wait until the slot of ``camera`` is free, so that what is put next overwrites nothing. False: it is refused.

        To be asked before a file's next picture is decoded: large pictures do not pile up.
        """
        with self._changed:
            self._changed.wait_for(lambda: camera not in self._slots or self._refuses(camera))
            return not self._refuses(camera)

    def take(self, timeout_s: float) -> Picture | None:
        """Take the picture that has waited longest; None if none came in time, or at once if none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._slots or self._closed, timeout_s)
            if not self._slots:
                return None
            camera = next(iter(self._slots))
            self._passage(camera).taken += 1
            self._changed.notify_all()
            return self._slots.pop(camera)

    def rest(self, timeout_s: float) -> None:
        """Let pictures pass for ``timeout_s``; at once where no more will come, since then every one is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout_s)

    def passage(self, camera: str) -> Passage:
        """A consistent copy of a camera's counts."""
        with self._changed:
            counts = self._passage(camera)
            return Passage(counts.taken, counts.dropped)

    def refuse(self, camera: str) -> None:
        """Take nothing more from ``camera``; what waits of it can still be taken."""
        with self._changed:
            self._refused.add(camera)
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more from any camera; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _refuses(self, camera: str) -> bool:
        return self._closed or camera in self._refused

    def _passage(self, camera: str) -> Passage:
        return self._passages.setdefault(camera, Passage())

    def _fill(self, picture: Picture) -> None:
        self._slots[picture.camera_id] = picture
        self._changed.notify_all()
