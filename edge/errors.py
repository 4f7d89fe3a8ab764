"""Every error a device can meet.

::

    CanopyError
    ├── ConfigError            the configuration cannot be used
    ├── CaptureError
    │   ├── FrameUnreadable    one picture is broken; the next may be fine
    │   ├── CameraLost         the source gives no more pictures; reopen it
    │   ├── EndOfSource        a file or folder has been read to its end
    │   └── CalibrationFailed  a picture does not show what it takes to calibrate a camera
    ├── ModelError
    │   ├── PackageInvalid     the model package is incomplete, altered or not to the contract
    │   ├── BackendMissing     this machine lacks what the chosen backend needs
    │   ├── EngineMissing      no engine of this model for this machine is ready; build it
    │   ├── EngineInvalid      an engine file is broken or was built elsewhere
    │   ├── BuildFailed        TensorRT did not build an engine
    │   ├── DeviceFailed       CUDA refused, most often for want of memory
    │   ├── InferenceFailed    the graph ran into an error or gave numbers that are none
    │   └── CandidateRejected  a new model did not pass its self-test, or was not believed beside the one in force
    ├── StoreError
    │   ├── StoreCorrupt       the database file is damaged
    │   └── StoreFull          there is no room on the disk
    ├── DeliveryError          the broker cannot be used as configured
    ├── IdentityError          the device's certificate cannot be had or used
    │   ├── EnrolmentRefused   the fleet gives no certificate
    │   └── FleetUnreachable   the fleet gives no answer; ask again later
    ├── ControlError           the running daemon cannot be asked, or says no
    │   └── NoDaemon           none runs
    └── UpdateError            an update cannot be fetched or kept
        ├── UpdateRefused      what is offered is not to be trusted
        │   └── UpdateExpired  it was to be trusted, and is out of date
        ├── UpdateUnreachable  the repository gives no answer; ask again later
        │   └── ClockBehind    nothing can be judged until the clock is set
        └── NoRoom             the disk cannot hold it

A message says what happened, with which value, and what to do next. ``exit_code`` is what ``canopy`` ends with.
"""

from datetime import datetime

from edge.clock import monotonic_s as _monotonic_s
from edge.clock import utc_now


class CanopyError(Exception):
    """Anything that Canopy reports as its own."""

    exit_code = 1


class ConfigError(CanopyError):
    """The configuration cannot be used."""

    exit_code = 2


class CaptureError(CanopyError):
    """Something about a camera or a picture."""

    exit_code = 3


class FrameUnreadable(CaptureError):
    """One picture is broken; the next may be fine.

    It carries what a frame carries except the pixels, so that the reading can be recorded as failed.

    Attributes:
        camera_id: the camera's name in the configuration.
        frame_id: the number that the picture has among the camera's pictures.
        captured_at: wall time of the exposure in UTC; the moment of the finding if nobody knows better.
        monotonic_s: time of arrival by ``edge.clock.monotonic_s``.
    """

    def __init__(
        self,
        message: str,
        *,
        camera_id: str = "",
        frame_id: int = 0,
        captured_at: datetime | None = None,
        monotonic_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.camera_id = camera_id
        self.frame_id = frame_id
        self.captured_at = captured_at or utc_now()
        self.monotonic_s = _monotonic_s() if monotonic_s is None else monotonic_s


class CameraLost(CaptureError):
    """The source gives no more pictures until it is opened again."""


class EndOfSource(CaptureError):
    """A file or folder has been read to its end."""


class CalibrationFailed(CaptureError):
    """A picture does not show what it takes to calibrate a camera: no board, no card, no plants in rows."""


class ModelError(CanopyError):
    """Something about the model."""

    exit_code = 4


class PackageInvalid(ModelError):
    """The model package is incomplete, altered or not to the contract."""


class BackendMissing(ModelError):
    """This machine lacks what the chosen backend needs: a library, a driver, a device."""


class EngineMissing(ModelError):
    """No engine of this model for this machine is ready; it has to be built."""


class EngineInvalid(ModelError):
    """An engine file is broken, or was built by or for something else."""


class BuildFailed(ModelError):
    """TensorRT did not build an engine."""


class DeviceFailed(ModelError):
    """CUDA refused a call, most often for want of memory."""


class InferenceFailed(ModelError):
    """The graph ran into an error, or gave numbers that are none."""


class CandidateRejected(ModelError):
    """A new model did not pass its self-test, or was not believed beside the one in force."""


class StoreError(CanopyError):
    """Something about the device's database."""

    exit_code = 5


class StoreCorrupt(StoreError):
    """The database file is damaged."""


class StoreFull(StoreError):
    """There is no room on the disk."""


class DeliveryError(CanopyError):
    """The broker cannot be used as configured."""

    exit_code = 6


class IdentityError(CanopyError):
    """The device's certificate cannot be had or used."""

    exit_code = 9


class EnrolmentRefused(IdentityError):
    """The fleet gives no certificate: the token, or the last certificate, is not good."""


class FleetUnreachable(IdentityError):
    """The fleet gives no answer, or none that is to the point; ask again later."""


class ControlError(CanopyError):
    """The running daemon cannot be asked, or says no."""


class NoDaemon(ControlError):
    """No daemon runs, so there is nobody to ask."""


class UpdateError(CanopyError):
    """An update cannot be fetched or kept."""

    exit_code = 8


class UpdateRefused(UpdateError):
    """What is offered is not to be trusted: not signed as it must be, altered, older than what was seen, or foreign.

    Nothing was taken. The same offer is refused again; the repository may offer something else later.
    """


class UpdateExpired(UpdateRefused):
    """What is offered was signed as it must be, and is out of date: somebody holds back newer, or nobody signs any."""


class UpdateUnreachable(UpdateError):
    """The repository gives no answer, or none that is to the point. What was loaded is kept; ask again later."""


class ClockBehind(UpdateUnreachable):
    """The clock stands before a moment that is known to have passed, so that no expiry can be judged by it."""


class NoRoom(UpdateError):
    """The disk cannot hold the download and what is made of it."""
