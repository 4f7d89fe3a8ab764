"""Leaf sizes, and how sure a count is."""

import numpy as np
import pytest

from edge.members import Members, regions
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.traits import measure
from tests.sim.answers import answer, inference, scene
from tests.sim.green_model import green_manifest

LEAVES = green_manifest()


def measured(manifest, outputs):
    image, placement = fit(np.full((128, 128, 3), (40, 160, 60), np.uint8), 128, 128)
    found = decode(inference(manifest, outputs), manifest, placement)
    entries = measure(image, found, Plots(None).on(placement), manifest)
    return {entry.plot: (entry.outcome, {value.trait: value for value in entry.traits}) for entry in entries}


def test_a_count_is_as_sure_as_the_scores_of_what_it_counts():
    _, values = measured(LEAVES, scene(LEAVES, [(12, 20)], [(12, 12, 3), (12, 20, 3), (12, 28, 3)]))["frame"]
    assert values["leaf_count"].uncertainty == pytest.approx(np.sqrt(3 * 0.8 * 0.2), rel=0.01)
    assert values["plant_count"].uncertainty == pytest.approx(np.sqrt(0.9 * 0.1), rel=0.01)


def test_leaf_sizes_are_axes_of_ellipses_and_their_mean_has_an_error():
    leaves = [(16, 7, 5), (16, 23, 3)]
    _, values = measured(LEAVES, scene(LEAVES, [(16, 15)], leaves))["frame"]
    long, short = values["leaf_length"], values["leaf_width"]
    mean_diameter_px = 4 * (2 * 5 + 2 * 3) / 2
    assert long.value == pytest.approx(mean_diameter_px, rel=0.1)
    assert short.value == pytest.approx(mean_diameter_px, rel=0.1)
    assert long.uncertainty == pytest.approx(4 * (2 * 5 - 2 * 3) / 2, rel=0.1)


def test_a_plant_that_the_mask_lost_is_measured_by_its_cells():
    image, placement = fit(np.full((128, 128, 3), (40, 160, 60), np.uint8), 128, 128)
    found = decode(inference(LEAVES, scene(LEAVES, [(16, 16)], [(16, 16, 3)])), LEAVES, placement)
    members = Members.of(found, Plots(None).on(placement), LEAVES)
    ((plot, region),) = regions(image, np.zeros((128, 128), np.uint8), found.plant, members, placement)
    assert (plot, region.area) == (0, 16 * found.plant.sum())


def test_one_leaf_has_a_size_without_an_error():
    _, values = measured(LEAVES, scene(LEAVES, [(16, 15)], [(16, 15, 4)]))["frame"]
    assert values["leaf_length"].uncertainty is None


def test_a_long_leaf_is_longer_than_wide_however_it_lies():
    sizes = []
    for rows, columns in ((slice(8, 10), slice(4, 24)), (slice(4, 24), slice(8, 10))):
        outputs = answer(LEAVES)
        outputs["classes"][0, rows, columns] = 1
        y, x = (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2
        grid = np.indices((32, 32))
        outputs["offsets"][0] = np.array([y, x])[:, None, None] - grid
        outputs["centers"][0, :2] = [(y, x, 0.9, 0), (y, x, 0.9, 1)]
        _, values = measured(LEAVES, outputs)["frame"]
        sizes.append((values["leaf_length"].value, values["leaf_width"].value))
    assert sizes[0] == pytest.approx(sizes[1])
    assert sizes[0][0] == pytest.approx(4 * 20 * 2 / np.sqrt(3), rel=0.01)
    assert sizes[0][1] == pytest.approx(4 * 2 * 2 / np.sqrt(3), rel=0.01)
