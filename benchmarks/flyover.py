"""Counting under a camera that moves: rendered fly-overs of which every plant is known, by the device's own path.

    python -m benchmarks.flyover [--package packages/rosette] [--seeds 1 2 3]

The plants found in each picture are followed by ``edge.tracking``; a plant is counted when it has left, or at the end.
The truth counts each plant whose middle is in sight in as many pictures as confirm one.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.backends import open_backend
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import IdentitySettings, InferenceSettings
from edge.tracking.moving import EgoMotion
from edge.tracking.passing import Found, Passing
from training.synthetic.flyover import Passage, Rail, render_flyover
from training.trackscore import track_score

WAYS = {
    "along": Rail(),
    "fast": Rail(step_px=160.0),
    "shaken": Rail(step_px=80.0, jitter=0.6, shake_px=20.0, roll_degree=3.0),
    "there and back": Rail(step_px=90.0, back=True),
}
REACH_SHARE = 0.06
"""Of the picture's width: half a pot is 0.09."""


def fly(package: ModelPackage, backend: Any, passages: Iterable[Passage]) -> dict[str, Any]:
    manifest, settings = package.manifest, IdentitySettings(kind="moving")
    ego, passing = EgoMotion(reach=1 - settings.frame_overlap), None
    truth, found, counted, ms = [], [], [], []
    whole = np.array([thing.part_of is None for thing in manifest.things])
    for passage in passages:
        image, placement = fit(passage.pixels, manifest.input.height_px, manifest.input.width_px)
        objects = decode(backend.infer(image), manifest, placement).objects
        picture = image[0][placement.region]
        passing = passing or Passing((picture.shape[0], picture.shape[1]), settings)
        rows = np.flatnonzero(whole[objects.thing])
        y, x = placement.to_picture(objects.y[rows], objects.x[rows])
        started_s = time.perf_counter()
        movement, known = ego.step(picture)
        seen = [
            Found(float(a) * placement.scale, float(b) * placement.scale, bool(score >= 0.45), None)
            for a, b, score in zip(x, y, objects.score[rows], strict=True)
        ]
        counted += [track.number for track in passing.step(seen, movement, known=known)]
        ms.append((time.perf_counter() - started_s) * 1e3)
        truth.append(passage.plants)
        shown = [track for track in passing.tracks if not track.missed and track.inside(passing.size_px)]
        found.append(
            np.array([(each.number, each.x / placement.scale, each.y / placement.scale) for each in shown]).reshape(
                -1, 3
            )
        )
    counted += [track.number for track in passing.rest()]
    there = Counter(int(number) for each in truth for number in each[:, 0])
    plants = sum(count >= settings.confirm_pictures for count in there.values())
    score = track_score(truth, found, REACH_SHARE * 1280)
    return {
        "pictures": len(truth),
        "plants": plants,
        "counted": len(counted),
        "error": round(len(counted) / plants - 1, 4),
        "hota": round(score.hota, 3),
        "detection": round(score.detection, 3),
        "association": round(score.association, 3),
        "idf1": round(score.idf1, 3),
        "step_ms": round(float(np.median(ms)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, default=Path("packages/rosette"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--day", type=int, default=12)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    package = ModelPackage.open(arguments.package)
    backend = open_backend(package, InferenceSettings(package=package.path))
    for name, rail in WAYS.items():
        runs = [fly(package, backend, render_flyover(seed, rail, day=arguments.day)) for seed in arguments.seeds]
        total, counted = (sum(run[key] for run in runs) for key in ("plants", "counted"))
        print(json.dumps({"way": name, "error": round(counted / total - 1, 4), "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
