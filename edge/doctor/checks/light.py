"""Whether there is light to measure by, and not too much."""

from collections.abc import Iterator

import cv2
import numpy as np

from edge.contract.records import QualityFlag
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import CaptureError, StoreError
from edge.quality import brightness, overexposed_share
from edge.settings import CameraSettings

FLAGS = {
    QualityFlag.DARK: "set the exposure, or measure when there is light; at night nothing is wrong",
    QualityFlag.OVEREXPOSED: "lower the exposure, or shade the camera",
    QualityFlag.LAMP: "measure when the grow lamps are off, or in white light",
    QualityFlag.FROZEN: "the camera repeats one picture: cut its power for a moment",
}


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Ask the newest readings; where no daemon runs, measure a picture."""
    for camera in patient.settings.cameras:
        about = scribe.of(camera.name)
        try:
            yield from _read(patient, camera, about) if patient.daemon_runs else _measured(patient, camera, about)
        except (CaptureError, StoreError):
            yield about.skipped("no picture to judge by")


def share_flagged(patient: Patient, camera: CameraSettings, flags: set[QualityFlag]) -> tuple[float, int]:
    """Which share of the newest readings has one of ``flags``, and how many readings these are."""
    qualities = [set(each.content["quality"]) for each in patient.readings(camera)]
    wanted = {flag.value for flag in flags}
    return sum(bool(each & wanted) for each in qualities) / max(1, len(qualities)), len(qualities)


def _read(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Iterator[Finding]:
    well = True
    for flag, mend in FLAGS.items():
        share, count = share_flagged(patient, camera, {flag})
        if share > 0:
            well = False
            yield scribe.warn(f"{share:.0%} of the last {count} readings were {flag.value}", mend)
    if well:
        yield scribe.ok("the last readings had light to measure by") if count else scribe.skipped("no readings yet")


def _measured(patient: Patient, camera: CameraSettings, scribe: Scribe) -> Iterator[Finding]:
    grey = cv2.cvtColor(patient.picture(camera).pixels, cv2.COLOR_BGR2GRAY)
    counts = np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel(), np.float32)
    bright, lost, limits = brightness(counts), overexposed_share(counts), camera.quality
    if bright < limits.dark_below:
        yield scribe.warn(f"dark: brightness {bright} of 255", FLAGS[QualityFlag.DARK])
    elif lost > limits.overexposed_share:
        yield scribe.warn(f"overexposed: {lost:.0%} of the picture is white", FLAGS[QualityFlag.OVEREXPOSED])
    else:
        yield scribe.ok(f"brightness {bright} of 255, {lost:.0%} overexposed")
