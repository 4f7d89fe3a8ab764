"""The device as the checks see it: what several of them ask for is looked up once.

A camera belongs to the running daemon, so then the newest readings speak for it; else one picture is taken.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillWaiting
from functools import cached_property
from pathlib import Path

from edge.errors import CameraLost, CanopyError, CaptureError, FrameUnreadable
from edge.frame import Frame
from edge.lock import is_held
from edge.settings import CameraSettings, DeviceSettings
from edge.sources import open_look
from edge.status import Status, read_status
from edge.stored import Selection, StoredRecord, stored_records

READINGS = 40
TRIES = 5
"""A camera's first pictures may be broken: a stream is joined in its middle."""


class Patient:
    """One device.

    Args:
        settings: its configuration.
        root: where /sys, /proc and /run are found.
        picture_within_s: how long a camera may take to give a picture.
    """

    def __init__(self, settings: DeviceSettings, root: Path, picture_within_s: float) -> None:
        self.settings, self.root = settings, root
        self._picture_within_s = picture_within_s
        self._lock = threading.Lock()
        self._pictures: dict[str, Future[Frame]] = {}

    @cached_property
    def daemon_runs(self) -> bool:
        """Whether a daemon works on the state directory now."""
        return is_held(self.settings.state_dir)

    @cached_property
    def status(self) -> Status | None:
        """What the running daemon says of itself; None if none runs or it has not said anything readable."""
        try:
            return read_status(self.settings.run_dir) if self.daemon_runs else None
        except CanopyError:
            return None

    def picture(self, camera: CameraSettings) -> Frame:
        """One picture, taken by ourselves; the same for every caller.

        Raises:
            CaptureError: the camera gives none, or none in time.
        """
        with self._lock:
            taken = self._pictures.get(camera.name)
            if taken is None:
                taken = self._pictures[camera.name] = Future()
                threading.Thread(target=_take, args=(camera, taken), daemon=True).start()
        try:
            return taken.result(self._picture_within_s)
        except StillWaiting:
            raise CameraLost(
                f"camera {camera.name} gives no picture within {self._picture_within_s:g} s; see its cable, its power "
                "and its light"
            ) from None

    def readings(self, camera: CameraSettings) -> Sequence[StoredRecord]:
        """The camera's newest observations, oldest first.

        Raises:
            StoreError: they cannot be read.
        """
        selection = Selection(camera=camera.name, observations_only=True)
        with stored_records(self.settings.data_dir) as records:
            return records.newest(READINGS, selection)


def _take(camera: CameraSettings, taken: "Future[Frame]") -> None:
    try:
        with open_look(camera) as source:
            for left in reversed(range(TRIES)):
                try:
                    frame = source.read()
                except FrameUnreadable as error:
                    if not left:
                        raise CaptureError(f"{TRIES} pictures running were broken: {error}") from error
                else:
                    taken.set_result(frame)
                    return
    except Exception as error:  # noqa: BLE001  it is raised where the picture is asked for
        taken.set_exception(error)
