"""Whether pictures are sharp."""

from collections.abc import Iterator

import cv2
import numpy as np

from edge.contract.records import QualityFlag
from edge.doctor.checks.light import share_flagged
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import CaptureError, StoreError
from edge.preprocess import fit
from edge.quality import sharpness
from edge.settings import CameraSettings

INPUT_PX = 512
"""The shipped models' input; a sharpness depends on the size that it is measured at."""
NEAR = 2.0
"""Less than so many times the limit is near it."""
MEND = "clean the lens and focus it, with canopy aim; see that no condensation forms behind its window"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Ask the newest readings; where no daemon runs, measure a picture."""
    for camera in patient.settings.cameras:
        about = scribe.of(camera.name)
        try:
            yield _read(patient, camera, about) if patient.daemon_runs else _measured(patient, camera, about)
        except (CaptureError, StoreError):
            yield about.skipped("no picture to judge by")


def _read(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Finding:
    share, count = share_flagged(patient, camera, {QualityFlag.BLURRED})
    if not count:
        return scribe.skipped("no readings yet")
    if share > 0:
        return scribe.fail(f"{share:.0%} of the last {count} readings were blurred", MEND)
    return scribe.ok(f"none of the last {count} readings was blurred")


def _measured(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Finding:
    image, placement = fit(patient.picture(camera).pixels, INPUT_PX, INPUT_PX)
    grey = np.asarray(cv2.cvtColor(image[0][placement.region], cv2.COLOR_BGR2GRAY), np.uint8)
    counts = np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel(), np.float32)
    found, limit = sharpness(grey, counts, camera.quality.dark_below), camera.quality.blurred_below
    told = f"sharpness {found:.1f}, measured from {limit:g} on"
    if found < limit:
        return scribe.fail(told, MEND)
    return scribe.warn(told, MEND) if found < NEAR * limit else scribe.ok(told)
