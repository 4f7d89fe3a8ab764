"""USB and CSI cameras behind V4L2."""

import os
from datetime import datetime
from pathlib import Path

import cv2

from edge.errors import CameraLost, CaptureError
from edge.recovery.usb import usb_device_of
from edge.settings import V4l2Source
from edge.sources import FrameSource
from edge.sources.controls import Wish, lock, wishes
from edge.sources.stream import Stream

FIXED_NAMES = (Path("/dev/v4l/by-id"), Path("/dev/v4l/by-path"))
OTHER_FORMAT = {"MJPG": "YUYV", "YUYV": "MJPG", None: "MJPG"}


class V4l2(Stream):
    """A USB or CSI camera. The driver is asked to queue one picture only, so that what is read is fresh.

    The controls are locked after each opening, and once more after the first picture, since some cameras forget them
    when they begin to send. A camera that comes back under another number is known again by its fixed name. ``variant``
    1 asks for the other pixel format.
    """

    finite = False

    def __init__(
        self,
        camera_id: str,
        settings: V4l2Source,
        *,
        variant: int = 0,
        fixed_names: tuple[Path, ...] = FIXED_NAMES,
    ) -> None:
        super().__init__(camera_id, f"device {settings.device!r}")
        self._settings = settings
        self._pixel_format = OTHER_FORMAT[settings.pixel_format] if variant else settings.pixel_format
        self._fixed_names = fixed_names
        self._fixed_name: Path | None = None
        self._node = Path()
        self._wishes: list[Wish] = wishes(settings.controls)
        self._unproven = False

    def follow(self, former: FrameSource) -> None:
        """Go on where ``former`` left off, at the same camera even if its number has changed."""
        super().follow(former)
        if isinstance(former, V4l2):
            self._fixed_name = former._fixed_name  # noqa: SLF001 - of the same class

    def open(self) -> None:
        """Open the camera and lock its controls. Raises ``CameraLost`` with what to check."""
        super().open()
        self.usb_device = usb_device_of(self._node) or self.usb_device
        troubles = [*self._lock(), self._other_size(), self._advice()]
        self.complaint = "; ".join(trouble for trouble in troubles if trouble)
        self._unproven = bool(self._wishes)

    def _step(self) -> datetime:
        captured_at = super()._step()
        if self._unproven:
            self._unproven = False
            self._lock()
        return captured_at

    def _connect(self) -> cv2.VideoCapture:
        self._node = self._find()
        capture = cv2.VideoCapture(str(self._node), cv2.CAP_V4L2)
        wanted = {
            cv2.CAP_PROP_FOURCC: None if self._pixel_format is None else _fourcc(self._pixel_format),
            cv2.CAP_PROP_FRAME_WIDTH: self._settings.width_px,
            cv2.CAP_PROP_FRAME_HEIGHT: self._settings.height_px,
            cv2.CAP_PROP_FPS: self._settings.fps,
            cv2.CAP_PROP_BUFFERSIZE: 1,
        }
        for setting, value in wanted.items():
            if value is not None:
                capture.set(setting, value)
        return capture

    def _find(self) -> Path:
        """The device's file now: by the fixed name that it had when it was last opened, else as configured."""
        device = self._settings.device
        configured = Path(f"/dev/video{device}" if isinstance(device, int) else device)
        if self._fixed_name is not None and self._fixed_name.exists():
            return self._fixed_name.resolve()
        node = configured.resolve()
        self._fixed_name = fixed_name_of(node, self._fixed_names)
        return node

    def _lock(self) -> list[str]:
        if not self._wishes:
            return []
        try:
            descriptor = os.open(self._node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return [f"its controls cannot be set: {error.strerror}"]
        try:
            return lock(descriptor, self._wishes)
        except OSError as error:
            return [f"its controls cannot be set: {error.strerror}"]
        finally:
            os.close(descriptor)

    def _other_size(self) -> str:
        wanted = self._settings.width_px, self._settings.height_px
        capture = self._opened()
        given = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if all(want in {None, got} for want, got in zip(wanted, given, strict=True)):
            return ""
        return (
            f"it gives {given[0]} x {given[1]} px, not {wanted[0] or 'any'} x {wanted[1] or 'any'}; "
            "v4l2-ctl --list-formats-ext shows what it can do"
        )

    def _advice(self) -> str:
        named = isinstance(self._settings.device, str) and not self._settings.device.startswith("/dev/video")
        if named or self._fixed_name is None:
            return ""
        return f"its number may change when it is plugged in again: set source.device to {self._fixed_name}"

    def _cannot_open(self) -> CaptureError:
        return CameraLost(
            f"{self.label} of camera {self.camera_id} does not open; see that it is plugged in (v4l2-ctl "
            "--list-devices), that no other program uses it, and that this user is in the group video"
        )


def _fourcc(name: str) -> int:
    return int.from_bytes(name.encode("ascii"), "little")


def fixed_name_of(node: Path, folders: tuple[Path, ...] = FIXED_NAMES) -> Path | None:
    """The name of a device that does not change with its number: by its serial number, else by its socket."""
    for folder in folders:
        try:
            names = sorted(folder.iterdir())
        except OSError:
            continue
        for name in names:
            if name.resolve() == node:
                return name
    return None
