"""How well the fruit package counts by ripeness, on rendered vines of which the ripeness of every pixel is known.

    python -m benchmarks.ripeness [--package packages/fruit] [--count 300] [--first 5000000]

The truth of a fruit is its class by 7 CFR 51.1860 over what is seen of its skin in white light, with nothing before the
lens: changed from where red passes green on, red from where a tomato is orange. Its counterpart is the whole way of the
device: network, decoder, ripeness.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.records import QualityFlag
from edge.contract.traits import FRUIT_COUNT
from edge.model import LoadedModel
from edge.plots import Plots
from edge.preprocess import fit
from edge.quality import QualityGate
from edge.ripeness import LEAST_RED, STAGES, Stage, stages_of
from edge.segmentation import NONE, Segmentation, decode
from edge.settings import InferenceSettings, QualitySettings
from edge.traits import measure
from training.synthetic.fruit import CHANGED_FROM, RED_FROM
from training.synthetic.vines import render_ripening

SEED = 5_000_000
ANY_CHANGE = 0.01
"""A break in colour on less of what is seen no grader sees."""

Numbers = NDArray[np.uint16]


@dataclass
class Tally:
    """What was counted and what was there.

    Attributes:
        confused: fruit that were found, by (true stage, stage found or none), int64 [3, 4].
        counts: by trait, for each picture what was counted, one standard deviation of it, and what was there.
        purple: pictures in which nothing is judged, by the colour of their light.
        ms: processor time that each part took.
    """

    confused: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 4), np.int64))
    counts: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)
    purple: int = 0
    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Add what is done meanwhile to a part."""
        began_s = time.process_time()
        yield
        self.ms[part].append(1000 * (time.process_time() - began_s))


def true_stages(numbers: Numbers, ripeness: NDArray[np.float32]) -> NDArray[np.int64]:
    """Stage of each fruit by its number, ``NONE`` for those of which nothing is seen."""
    own = numbers.ravel()
    seen = np.bincount(own)
    changed, red = (
        np.bincount(own, ripeness.ravel() >= least) / np.maximum(seen, 1) for least in (CHANGED_FROM, RED_FROM)
    )
    stages = np.where(red > LEAST_RED, Stage.RIPE, np.where(changed > ANY_CHANGE, Stage.TURNING, Stage.GREEN))
    stages[(seen == 0) | (np.arange(len(seen)) == 0)] = NONE
    return stages


def owners(found: Segmentation, numbers: Numbers) -> NDArray[np.int64]:
    """The true fruit in which most pixels of each object lie, 0 where none has half of them."""
    cells = cv2.resize(found.instances, numbers.shape[::-1], interpolation=cv2.INTER_NEAREST)
    mine = cells != NONE
    table = np.zeros((len(found.objects), int(numbers.max()) + 1), np.int64)
    np.add.at(table, (cells[mine], numbers[mine]), 1)
    best = np.argmax(table, axis=1)
    most = table[np.arange(len(best)), best]
    return np.where(2 * most > table.sum(axis=1), best, 0)


def look(model: LoadedModel, seed: int, tally: Tally) -> None:
    """Render one scene, measure it, and add it up."""
    size = model.manifest.input
    scene, ripeness = render_ripening(seed, size.height_px, size.width_px)
    with tally.timing("fit, quality"):
        image, placement = fit(scene.pixels, size.height_px, size.width_px)
        flags = QualityGate(QualitySettings(), live=False).judge(image, placement)
    with tally.timing("network"):
        inference = model.backend.infer(image)
    with tally.timing("decode"):
        found = decode(inference, model.manifest, placement)
    truth = true_stages(scene.labels.instances[0], ripeness)
    if QualityFlag.LAMP in flags:
        tally.purple += 1
        return
    with tally.timing("ripeness alone"):
        stages = stages_of(image, found, None)[0]
    own = owners(found, scene.labels.instances[0])
    for stage, number in zip(stages[own > 0], own[own > 0], strict=True):
        tally.confused[truth[number], stage] += 1  # NONE is the last column
    with tally.timing("traits"):
        (whole,) = measure(image, found, Plots(None).on(placement), model.manifest, flags=flags)
    for value in whole.traits:
        if value.trait in STAGES or value.trait == FRUIT_COUNT.name:
            there = truth != NONE if value.trait == FRUIT_COUNT.name else truth == STAGES[value.trait]
            entry = (value.value, value.uncertainty or 0.0, int(there.sum()))
            tally.counts.setdefault(value.trait, []).append(entry)


def errors(entries: list[tuple[float, float, int]]) -> dict[str, float]:
    """Of a trait's counts."""
    found, sd, there = np.array(entries).T
    apart = found - there
    some = (found > 0) | (there > 0)
    return {
        "pictures": len(entries),
        "mean_there": round(float(there.mean()), 2),
        "mae": round(float(np.abs(apart).mean()), 2),
        "bias": round(float(apart.mean()), 2),
        "within_one_sd": round(float((np.abs(apart) <= sd)[some].mean()), 3),
        "within_two_sd": round(float((np.abs(apart) <= 2 * sd)[some].mean()), 3),
    }


def report(tally: Tally) -> dict[str, Any]:
    """The figures of docs/traits.md."""
    judged = tally.confused[:, :3]
    return {
        "fruit_found": int(tally.confused.sum()),
        "true_by_found": {
            stage.name.lower(): dict(zip(("green", "turning", "ripe", "no class"), row, strict=True))
            for stage, row in zip(Stage, tally.confused.tolist(), strict=True)
        },
        "right_of_those_in_a_class": round(float(np.trace(judged) / judged.sum()), 3),
        "right_of_each_stage": [round(float(x), 3) for x in np.diag(judged) / judged.sum(axis=1)],
        "in_no_class": round(float(tally.confused[:, 3].sum() / tally.confused.sum()), 3),
        "pictures_in_purple_light": tally.purple,
        "counts": {trait: errors(entries) for trait, entries in tally.counts.items()},
        "processor_ms": {part: round(statistics.median(times), 2) for part, times in tally.ms.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, default=Path("packages/fruit"))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=SEED)
    arguments = parser.parse_args()
    model = LoadedModel.load(arguments.package, InferenceSettings(package=arguments.package))
    tally = Tally()
    for seed in range(arguments.first, arguments.first + arguments.count):
        look(model, seed, tally)
    print(json.dumps({"model": str(model), **report(tally)}, indent=1))


if __name__ == "__main__":
    main()
