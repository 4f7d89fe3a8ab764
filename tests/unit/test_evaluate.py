"""Reports: what counts as there, and that a perfect answer scores perfectly."""

from dataclasses import replace

import numpy as np
import pytest

from edge.backends import Inference
from edge.contract.manifest import Manifest
from edge.preprocess import fit
from edge.segmentation import decode
from tests.sim.painted import LEAVES_PER_PLANT, ROSETTE, TINY, painted_pool
from training.evaluate import Report, draft_manifest, visible
from training.labels import Labels
from training.network import Network
from training.pool import Pool
from training.synthetic.scene import LEAF, PLANT
from training.targets import make_targets, to_grid

SIZE_PX, TOP_K = 96, 16


@pytest.fixture(scope="module")
def pool() -> Pool:
    return painted_pool(4, SIZE_PX)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return draft_manifest(Network(ROSETTE.model, TINY), SIZE_PX, TOP_K)


def perfect(labels: Labels, leave_out: int = 0) -> Inference:
    """What a network would say that has learned everything, or all but some leaves."""
    targets = make_targets(labels)
    centers = np.zeros((TOP_K, 4), np.float32)
    peaks = [(*to_grid(row[1:]).round(), 0.9, thing) for thing in (PLANT, LEAF) for row in labels.centres[thing]]
    centers[: len(peaks) - leave_out] = peaks[: len(peaks) - leave_out]
    certainty, features = np.ones(2, np.float32), np.zeros(32, np.float32)
    return Inference(targets.allowed.argmax(0).astype(np.uint8), centers, targets.offsets, certainty, features)


def report(pool: Pool, manifest: Manifest, leave_out: int = 0) -> dict[str, float]:
    made = Report(ROSETTE.model)
    for index in range(len(pool)):
        _, placement = fit(pool.pixels[index], SIZE_PX, SIZE_PX)
        labels = pool.labels(index)
        inference = perfect(labels, leave_out)
        made.add(decode(inference, manifest, placement), inference.certainty, labels)
    return made.metrics()


def test_a_perfect_answer_scores_perfectly(pool: Pool, manifest: Manifest) -> None:
    metrics = report(pool, manifest)
    assert metrics["mean_iou"] == 1
    assert metrics["symmetric_best_dice"] > 0.97
    assert metrics["leaf_count_mae"] == metrics["plant_count_mae"] == 0


def test_a_leaf_that_was_missed_counts_and_lowers_the_dice(pool: Pool, manifest: Manifest) -> None:
    metrics = report(pool, manifest, leave_out=1)
    assert metrics["leaf_difference_in_count"] == -1
    assert metrics["leaf_count_mae"] == 1
    assert metrics["symmetric_best_dice"] < 0.9


def test_a_leaf_smaller_than_a_cell_is_not_expected(pool: Pool) -> None:
    labels = pool.labels(0)
    assert visible(labels, LEAF) == LEAVES_PER_PLANT
    speck = labels.instances.copy()
    speck[LEAF][speck[LEAF] == 1] = 0
    speck[LEAF][:3, :3] = 1
    assert visible(replace(labels, instances=speck), LEAF) == LEAVES_PER_PLANT - 1


def test_a_class_that_nobody_labelled_has_no_overlap_to_report(pool: Pool, manifest: Manifest) -> None:
    labels = pool.labels(0)
    unlabelled = replace(
        labels, classes=np.full_like(labels.classes, 2), allowed=np.array([[True, False], [False, True], [True, True]])
    )
    unlabelled.classes[:8, :8] = 0
    made = Report(ROSETTE.model)
    _, placement = fit(pool.pixels[0], SIZE_PX, SIZE_PX)
    inference = perfect(labels)
    made.add(decode(inference, manifest, placement), inference.certainty, unlabelled)
    assert "iou/leaf" not in made.metrics()
    assert made.metrics()["mean_iou"] == made.metrics()["iou/background"]
