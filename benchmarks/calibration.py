"""What calibration and identity cost in the loop, on pictures of the demo's clip at 1920x1080.

    python -m benchmarks.calibration [--every 4]

Each picture is measured in turn without any calibration, with an empty one, and with scale, colours and plots in force;
the check against the reference, and the leaves' memory, are timed by themselves. One thread; medians in ms.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.loop import PACKAGE, Stopwatch, pictures
from demo.setup import CLIP
from edge.calibration.change import put_colour, put_reference, put_scale
from edge.calibration.chart import PATCHES_LAB
from edge.calibration.colourspace import encoded, from_lab
from edge.calibration.correction import find_correction
from edge.calibration.movement import Landmarks
from edge.calibration.scale import Heights, scale_from_distance
from edge.calibration.store import CalibrationStore
from edge.calibration.watch import CalibrationWatch
from edge.clock import monotonic_s, utc_now
from edge.frame import Frame
from edge.members import Members
from edge.model import Model
from edge.observe import Observer
from edge.plots import Plots
from edge.preprocess import fit
from edge.settings import CameraSettings, InferenceSettings
from edge.tracking.leaves import LeafMemory

IMPORTED = (
    "import re\nimport numpy, cv2\n{}\nprint(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
)


def observers(folder: Path, camera: CameraSettings, model: Model, picture: Any) -> dict[str, Observer]:
    found = {"without": Observer(camera, model, live=False)}
    for name in ("empty", "in force"):
        store = CalibrationStore(folder / name, camera.name)
        if name == "in force":
            put_scale(
                store, scale_from_distance(((0, 0), (1000, 0)), 500, 1, picture.shape[:2], Heights()), picture, None
            )
            patches = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ np.diag([0.7, 0.8, 0.6]))
            put_colour(store, find_correction(patches), picture, np.zeros((3, 2)))
            put_reference(store, picture)
        watch = CalibrationWatch(store, camera, lambda *_: None)
        found[name] = Observer(camera, model, live=False, calibration=watch)
    return found


def time_steps(folder: Path, every: int) -> dict[str, float]:
    camera, watch = CameraSettings.model_validate(CLIP), Stopwatch()
    model = Model(InferenceSettings(package=PACKAGE))
    loaded, plots, memory, landmarks = model.use(), Plots(camera.plots), LeafMemory(), None
    looking: dict[str, Observer] = {}
    for number, pixels in enumerate(pictures(every)):
        looking = looking or observers(folder, camera, model, pixels)
        frame = Frame(pixels, number, camera.name, utc_now(), monotonic_s())
        names = list(looking)
        for name in names[number % 3 :] + names[: number % 3]:
            watch.time(name, partial(looking[name].observe, frame))
        image, placement = fit(pixels, loaded.manifest.input.height_px, loaded.manifest.input.width_px)
        found, seen = loaded.segment(image, placement), image[0][placement.region]
        members = Members.of(found, plots.on(placement), loaded.manifest)
        at = frame.captured_at + timedelta(minutes=10 * number)
        watch.time("leaves looked at", lambda: memory.step(found, members, loaded.manifest, at))  # noqa: B023
        here = watch.time("corners found", lambda: Landmarks(seen))  # noqa: B023
        landmarks = landmarks or here
        watch.time("corners matched", lambda: landmarks.movement_to(here))  # noqa: B023
    return watch.medians_ms()


def import_mb(what: str) -> float:
    """Memory that an import takes on top of NumPy and OpenCV."""
    peaks = [
        int(subprocess.run([sys.executable, "-c", IMPORTED.format(line)], capture_output=True, check=True).stdout)
        for line in ("", what)
    ]
    return round((peaks[1] - peaks[0]) / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=4)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        report: dict[str, Any] = {"median_ms": time_steps(Path(folder), arguments.every)}
    report["scipy_mb"] = import_mb("from scipy.optimize import linear_sum_assignment")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
