"""Fruit by ripeness, leaf sizes, and how sure a count is."""

import numpy as np
import pytest

from edge.contract.manifest import Thing
from edge.contract.records import Outcome
from edge.members import Members, regions
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import GridPlots
from edge.traits import measure
from tests.sim.answers import answer, inference, scene
from tests.sim.green_model import green_manifest

LEAVES = green_manifest()
STAGES = ("green", "turning", "ripe")


def fruit_manifest(classes=STAGES):
    thing = Thing(name="fruit", threshold=0.2, grouped=True, classes=classes, count_trait="fruit_count")
    return green_manifest().model_copy(
        update={
            "classes": ("background", "leaf", *classes),
            "plant_classes": ("leaf", *classes),
            "things": (thing,),
            "traits": ("fruit",),
        }
    )


def fruit(manifest, places):
    """The right answer for fruit at (y, x) whose cells have the classes that are counted for each, on a leaf."""
    outputs = answer(manifest)
    outputs["classes"][0, 2:30, 2:30] = 1
    for slot, (y, x, cells) in enumerate(places):
        spots = [(y + row, x + column) for row in range(-1, 2) for column in range(-1, 2)]
        values = [manifest.classes.index(name) for name, count in cells.items() for _ in range(count)]
        for (row, column), value in zip(spots, values, strict=False):
            outputs["classes"][0, row, column] = value
            outputs["offsets"][0, :, row, column] = (y - row, x - column)
        outputs["centers"][0, slot] = (y, x, 0.9, 0)
    return outputs


def measured(manifest, outputs, plots=None):
    image, placement = fit(np.full((128, 128, 3), (40, 160, 60), np.uint8), 128, 128)
    found = decode(inference(manifest, outputs), manifest, placement)
    entries = measure(image, found, Plots(plots).on(placement), manifest)
    return {entry.plot: (entry.outcome, {value.trait: value for value in entry.traits}) for entry in entries}


@pytest.mark.parametrize("prefix", ["", "fruit_"])
def test_a_fruit_counts_as_what_most_of_its_cells_are(prefix):
    manifest = fruit_manifest(tuple(prefix + stage for stage in STAGES))
    places = [
        (6, 6, {f"{prefix}green": 9}),
        (6, 20, {f"{prefix}green": 4, f"{prefix}turning": 5}),
        (20, 6, {f"{prefix}ripe": 6, f"{prefix}turning": 3}),
        (20, 20, {f"{prefix}ripe": 9}),
    ]
    _, values = measured(manifest, fruit(manifest, places))["frame"]
    counts = {name: value.value for name, value in values.items()}
    assert counts.pop("canopy_cover") == pytest.approx(28**2 / 32**2)
    assert counts == {"fruit_count": 4, "fruit_count_green": 1, "fruit_count_turning": 1, "fruit_count_ripe": 2}


def test_a_fruit_without_cells_is_counted_and_has_no_class():
    manifest = fruit_manifest()
    _, values = measured(manifest, fruit(manifest, [(6, 6, {}), (20, 20, {"ripe": 9})]))["frame"]
    assert values["fruit_count"].value == 2
    assert [values[f"fruit_count_{stage}"].value for stage in STAGES] == [0, 0, 1]


def test_a_model_that_knows_no_ripeness_reports_none():
    manifest = fruit_manifest(("fruit",))
    _, values = measured(manifest, fruit(manifest, [(6, 6, {"fruit": 9})]))["frame"]
    assert set(values) == {"fruit_count", "canopy_cover"}


def test_ripeness_is_counted_in_the_plot_of_the_fruit():
    manifest = fruit_manifest()
    outputs = fruit(manifest, [(10, 6, {"green": 9}), (10, 24, {"ripe": 9})])
    plots = measured(manifest, outputs, GridPlots(rows=1, columns=2))
    assert [plots[name][1]["fruit_count_ripe"].value for name in ("R1C1", "R1C2")] == [0, 1]
    assert [plots[name][1]["fruit_count_green"].value for name in ("R1C1", "R1C2")] == [1, 0]


def test_no_fruit_is_no_class_of_fruit_either():
    outcome, values = measured(fruit_manifest(), answer(fruit_manifest()))["frame"]
    assert outcome is Outcome.NO_PLANT
    assert {value.value for value in values.values()} == {0.0}
    assert {value.uncertainty for value in values.values()} == {None}


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
