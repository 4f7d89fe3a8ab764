"""What each of the fleet's commands does on the device, apart from how it is heard and answered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from edge.commands import Done
from edge.contract.commands import MAX_BODY_CHARS, Command, CommandKind
from edge.control.answers import FRAME_WITHIN_S, snapshot
from edge.drift.watch import DriftWatch
from edge.errors import CaptureError, ControlError, StoreError
from edge.harvest.shelf import all_frames
from edge.logring import LogRing
from edge.lookout import Lookout
from edge.overlay import jpeg_within, overlay, picture_of
from edge.replay import Replay
from edge.settings import DeviceSettings

MAX_BODY_BYTES = MAX_BODY_CHARS // 4 * 3
"""In base64 it fills the body."""

NEXT_WITHIN_S = 2.0
"""A picture that is measured so soon is waited for; otherwise the last one is sent."""


class Errands:
    """Carries out commands, in the commands' thread.

    Args:
        settings: the device.
        lookout: what it sees.
        ring: the log's last lines.
        replay: sends records again.
        send_frames: begins to send kept frames; ``None``: this device sends none.
        drift: the watch of each camera that has one.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        lookout: Lookout,
        ring: LogRing,
        replay: Replay,
        send_frames: Callable[[], None] | None = None,
        drift: Mapping[str, DriftWatch] | None = None,
    ) -> None:
        self._begin_frames, self._drift = send_frames, drift or {}
        self._settings, self._lookout, self._ring, self._replay = settings, lookout, ring, replay

    def carry_out(self, command: Command) -> Done:
        """Do it.

        Raises:
            CanopyError: it cannot be done; why, and what to do.
        """
        errands: dict[CommandKind | None, Callable[[Command], Done]] = {
            CommandKind.SNAPSHOT: self._snapshot,
            CommandKind.LOGS: self._logs,
            CommandKind.REPLAY: self._send_again,
            CommandKind.DIAGNOSTICS: self._diagnostics,
            CommandKind.FRAMES: self._send_frames,
            CommandKind.RELEARN: self._relearn,
        }
        errand = errands.get(command.kind)
        if errand is None:
            raise ControlError("this release does not know the command; upgrade the device's software")
        return errand(command)

    def _snapshot(self, command: Command) -> Done:
        cameras = self._lookout.cameras
        camera = command.camera or cameras[0]
        if camera not in cameras:
            raise CaptureError(f"there is no camera {camera}; there is {', '.join(cameras)}")
        frame = None if command.overlay else self._lookout.next_frame(camera, FRAME_WITHIN_S, _never)
        if frame is not None:
            picture = frame.pixels
        else:
            view = snapshot(self._lookout, camera, NEXT_WITHIN_S if command.overlay else 0, _never)
            picture = overlay(view) if command.overlay else picture_of(view)
        return Done("image/jpeg", jpeg_within(picture, MAX_BODY_BYTES))

    def _logs(self, command: Command) -> Done:
        _, lines = self._ring.last(command.lines)
        text = "\n".join(line.text for line in lines).encode()
        return Done("text/plain", text[-MAX_BODY_BYTES:].decode(errors="replace").encode()[-MAX_BODY_BYTES:])

    def _send_again(self, command: Command) -> Done:
        first, last = self._replay.begin(command.from_seq or 1)
        told = f"records {first} to {last} that are still here are sent again, after what is new"
        return Done("text/plain", told.encode())

    def _send_frames(self, _: Command) -> Done:
        if self._begin_frames is None:
            raise ControlError("this device sends no frames; give it frame_upload in its file, and let it enrol")
        count = len(all_frames(self._settings.state_dir))
        self._begin_frames()
        return Done("text/plain", f"{count} frames are on their way, or wait for the fleet to take them".encode())

    def _relearn(self, command: Command) -> Done:
        watch = self._drift.get(command.camera or "")
        if watch is None:
            watched = ", ".join(self._drift) or "none"
            raise CaptureError(f"no camera {command.camera} is watched for drift; watched: {watched}")
        try:
            fresh = watch.forget(command.id)
        except OSError as error:
            raise StoreError(f"what is forgotten cannot be kept: {error}; free space on the device's disk") from error
        told = "begins anew to learn what it shows" if fresh else "has begun anew for this already"
        return Done("text/plain", f"camera {command.camera} {told}".encode())

    def _diagnostics(self, _: Command) -> Done:
        from edge.doctor import run_checks  # noqa: PLC0415 - a daemon that nobody asks starts without the checks

        findings = [asdict(finding) for finding in run_checks(self._settings)]
        return Done("application/json", json.dumps(findings, default=str).encode())


def _never() -> bool:
    return False
