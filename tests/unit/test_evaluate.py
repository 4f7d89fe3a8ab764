"""Reports: what counts as there, and that a perfect answer scores perfectly."""

from datetime import datetime, timezone

import numpy as np
import pytest

from edge.backends import Inference
from edge.contract.manifest import Lineage, Manifest
from edge.preprocess import fit
from edge.segmentation import decode
from tests.sim.painted import LEAVES_PER_PLANT, painted_pool
from training.evaluate import Report, visible
from training.network import NetworkSettings
from training.pool import Pool
from training.rosette import LEAF, PLANT, rosette_manifest
from training.targets import Labels, make_targets, to_grid

SIZE_PX, TOP_K = 96, 16


@pytest.fixture(scope="module")
def pool() -> Pool:
    return painted_pool(4, SIZE_PX)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    lineage = Lineage(created_at=datetime(2026, 1, 2, tzinfo=timezone.utc))
    return rosette_manifest(NetworkSettings(), size_px=SIZE_PX, top_k=TOP_K, version="1.0.0", lineage=lineage)


def perfect(labels: Labels, leave_out: int = 0) -> Inference:
    """What a network would say that has learned everything, or all but some leaves."""
    targets = make_targets(labels, 2)
    centers = np.zeros((TOP_K, 4), np.float32)
    peaks = [(*to_grid(row[1:]).round(), 0.9, thing) for thing in (PLANT, LEAF) for row in labels.centres[thing]]
    centers[: len(peaks) - leave_out] = peaks[: len(peaks) - leave_out]
    certainty, features = np.ones(2, np.float32), np.zeros(256, np.float32)
    return Inference(targets.semantic.astype(np.uint8), centers, targets.offsets, certainty, features)


def report(pool: Pool, manifest: Manifest, leave_out: int = 0) -> dict[str, float]:
    made = Report(2)
    for index in range(len(pool)):
        _, placement = fit(pool.pixels[index], SIZE_PX, SIZE_PX)
        labels = pool.labels(index)
        made.add(decode(perfect(labels, leave_out), manifest, placement), labels)
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
    assert visible(Labels(labels.classes, speck, labels.centres, LEAF), LEAF) == LEAVES_PER_PLANT - 1
