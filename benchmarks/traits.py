"""Traits of an object with its colours, ours against PlantCV's, how long and how alike; prints JSON.

    PLANTCV_PYTHON=.venv-plantcv/bin/python python -m benchmarks.traits [--every 1]

plantcv_traits.py tells how to get such an interpreter. The objects are the rosettes of ../shared/data/
arabidopsis-timelapse and their leaves, by their published masks. Both measure one object in turn, one thread each,
both from pixels in memory; PlantCV computes 13 traits and a chart of hues that cannot be turned off, we all of ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from edge.contract.traits import VOCABULARY
from edge.region import Estimate, Region
from edge.traits import OF_REGIONS
from tests.sim.plantcv import INTERPRETER, Object, interpreter_environment, real_objects, request_for

ASKED = 20.0


def measure(item: Object) -> tuple[dict[str, Estimate | None], float]:
    """All traits of an object in its whole picture, and the seconds that they took."""
    started_s = time.perf_counter()
    left, top, width, height = cv2.boundingRect(item.mask)
    box = slice(top, top + height), slice(left, left + width)
    region = Region(item.mask[box], item.pixels[box], top_px=top, left_px=left)
    estimates = {name: task(region) for name, task in OF_REGIONS.items()}
    return estimates, time.perf_counter() - started_s


def pairs(objects: list[Object]) -> Iterator[tuple[float, float, dict[str, float]]]:
    """For each object our seconds, PlantCV's, and the relative differences of the traits that both have."""
    command = [os.environ[INTERPRETER], str(Path(__file__).with_name("plantcv_traits.py"))]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=interpreter_environment()
        ) as peer,
    ):
        assert peer.stdin is not None
        assert peer.stdout is not None
        for number, item in enumerate(objects):
            estimates, ours_s = measure(item)
            peer.stdin.write(f"{json.dumps(request_for(Path(folder), number, item))}\n")
            peer.stdin.flush()
            theirs = json.loads(peer.stdout.readline())
            yield ours_s, theirs["seconds"][0], differences(estimates, theirs["traits"])
        peer.stdin.close()


def differences(estimates: dict[str, Estimate | None], theirs: dict[str, Any]) -> dict[str, float]:
    """Of numbers; places and shares are compared in tests/unit/test_plantcv_traits.py."""
    found = {}
    for name, estimate in estimates.items():
        truth = theirs.get(VOCABULARY[name].plantcv or "")
        if estimate is not None and isinstance(truth, int | float):
            found[name] = abs(estimate.value / truth - 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="of the objects only every Nth")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    measured = list(pairs(list(real_objects().values())[:: arguments.every]))[1:]  # the first warms both up
    ours_ms, theirs_ms = (1e3 * statistics.median(column) for column in list(zip(*measured, strict=True))[:2])
    report = {
        "objects": len(measured),
        "traits": len(OF_REGIONS),
        "ours_ms": round(ours_ms, 3),
        "plantcv_ms": round(theirs_ms, 1),
        "times_as_fast": round(theirs_ms / ours_ms, 1),
        "asked": ASKED,
        "largest_relative_difference": {
            name: float(f"{max(found[name] for _, _, found in measured):.2g}") for name in measured[0][2]
        },
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
