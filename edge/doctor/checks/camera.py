"""Whether each camera gives pictures."""

from collections.abc import Iterator

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import CaptureError
from edge.settings import CameraSettings


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Ask the daemon, which holds the cameras; where none runs, take a picture."""
    for camera in patient.settings.cameras:
        about = scribe.of(camera.name)
        yield _asked(patient, camera, about) if patient.daemon_runs else _tried(patient, camera, about)


def _asked(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Finding:
    status = patient.status.cameras.get(camera.name) if patient.status else None
    if status is None:
        return scribe.skipped("the running daemon does not tell of it yet")
    if status.error:
        return scribe.fail(*_parted(status.error))
    if status.outages:
        return scribe.warn(
            f"gives pictures; it was lost {status.outages} times since the daemon started",
            "if this goes on, see its cable, its power supply and the length of its USB line",
        )
    return scribe.ok("gives pictures" if status.connected else "is read to its end, or begins")


def _tried(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Finding:
    try:
        frame = patient.picture(camera)
    except CaptureError as error:
        return scribe.fail(*_parted(str(error)))
    height_px, width_px = frame.pixels.shape[:2]
    return scribe.ok(f"gives a picture of {width_px} x {height_px}")


def _parted(message: str) -> tuple[str, str]:
    """Our messages say what happened, and after a semicolon what to do next."""
    found, _, mend = message.partition("; ")
    return found, mend or "see its cable, its power and its settings"
