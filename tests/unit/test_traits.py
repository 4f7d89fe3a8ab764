import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.records import Outcome
from edge.contract.traits import TRAIT_SETS, VOCABULARY, Unit
from edge.members import SPECK_CELLS
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import GridPlots, PolygonPlots
from edge.traits import measure
from tests.sim.answers import answer, inference, scene
from tests.sim.green_model import green_manifest

MANIFEST = green_manifest()
HUES = {"hue", "hue_circular_std", "hue_median", "hue_distribution"}
INDICES = {"excess_green", "green_leaf_index", "greenness"}
SCALES = {Unit.PX: 2, Unit.PX2: 4}
"""Factor of a trait in a picture of twice the size."""

OF_THE_PAST = {"leaf_count_followed"}
"""Not told by one picture."""


def measured(outputs, plots=None, pixels=None, manifest=MANIFEST):
    """Plot → (outcome, trait → value) for a picture of 128x128 px, or the one given."""
    pixels = np.full((128, 128, 3), (40, 160, 60), np.uint8) if pixels is None else pixels
    image, placement = fit(pixels, 128, 128)
    found = decode(inference(manifest, outputs), manifest, placement)
    entries = measure(image, found, Plots(plots).on(placement), manifest)
    return {entry.plot: (entry.outcome, {value.trait: value.value for value in entry.traits}) for entry in entries}


def test_no_plant_is_a_record_of_its_own_with_no_trait_that_a_plant_would_have():
    outcome, values = measured(answer(MANIFEST))["frame"]

    assert outcome is Outcome.NO_PLANT
    assert values == {"plant_count": 0, "leaf_count": 0, "canopy_cover": 0}


def test_one_plant_in_numbers():
    outcome, values = measured(scene(MANIFEST, plants=[(12, 20)], leaves=[(12, 18, 2), (12, 23, 2)]))["frame"]

    assert outcome is Outcome.MEASURED
    assert set(values) == set(MANIFEST.traits) - OF_THE_PAST
    assert (values["plant_count"], values["leaf_count"]) == (1, 2)
    assert values["projected_leaf_area"] == 26 * 16
    assert values["canopy_cover"] == pytest.approx(26 / 1024)
    assert values["centroid_y"] == pytest.approx(4 * 12.5)
    assert values["centroid_x"] == pytest.approx(4 * 21)
    assert (values["extent_y"], values["extent_x"]) == (20, 40)


def test_no_plant_is_larger_than_the_picture():
    outputs = answer(MANIFEST)
    outputs["classes"][0] = 1

    _, values = measured(outputs, pixels=np.full((499, 500, 3), 90, np.uint8))["frame"]

    assert (values["extent_y"], values["extent_x"]) == (499, 500)


def test_units_and_methods_are_the_vocabularys():
    image, placement = fit(np.full((128, 128, 3), 90, np.uint8), 128, 128)
    found = decode(inference(MANIFEST, scene(MANIFEST, [(12, 20)], [(12, 20, 3)])), MANIFEST, placement)

    (entry,) = measure(image, found, Plots(None).on(placement), MANIFEST)

    for value in entry.traits:
        assert (value.unit, value.method) == (VOCABULARY[value.trait].unit, VOCABULARY[value.trait].method)


def test_only_the_manifests_traits_are_reported_in_its_order():
    manifest = MANIFEST.model_copy(update={"traits": ("hue", "plant_count")})
    _, values = measured(scene(manifest, [(12, 20)], [(12, 20, 3)]), manifest=manifest)["frame"]
    assert list(values) == ["hue", "plant_count"]


def test_colours_are_those_of_the_leaf_not_of_the_soil():
    pixels = np.full((128, 128, 3), (10, 20, 200), np.uint8)
    pixels[32:64, 32:64] = (blue, green, red) = (40, 160, 60)
    outputs = answer(MANIFEST)
    outputs["classes"][0, 8:16, 8:16] = 1

    _, values = measured(outputs, pixels=pixels)["frame"]

    assert values["excess_green"] == pytest.approx((2 * green - red - blue) / (red + green + blue))
    assert values["green_leaf_index"] == pytest.approx((2 * green - red - blue) / (2 * green + red + blue))
    assert values["hue"] == pytest.approx(360 * colorsys.rgb_to_hsv(red, green, blue)[0], abs=0.1)


def test_hues_on_both_sides_of_red_average_to_red():
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:, :64] = (30, 0, 200)
    pixels[:, 64:] = (0, 30, 200)
    outputs = answer(MANIFEST)
    outputs["classes"][0] = 1

    hue = measured(outputs, pixels=pixels)["frame"][1]["hue"]

    assert min(hue, 360 - hue) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("value", "missing"), [(0, HUES | INDICES), (120, HUES)], ids=["black", "grey"])
def test_a_colour_that_is_not_defined_is_absent(value, missing):
    outputs = scene(MANIFEST, [(12, 20)], [(12, 20, 3)])
    outcome, values = measured(outputs, pixels=np.full((128, 128, 3), value, np.uint8))["frame"]

    assert outcome is Outcome.MEASURED
    assert set(MANIFEST.traits) - set(values) - OF_THE_PAST == missing


def test_a_centre_without_cells_is_no_plant():
    outcome, values = measured(scene(MANIFEST, plants=[(12, 20)]))["frame"]

    assert outcome is Outcome.NO_PLANT
    assert values == {"plant_count": 0, "leaf_count": 0, "canopy_cover": 0}


def test_a_leaf_over_the_next_pot_gives_that_pot_no_plant():
    outputs = scene(MANIFEST, plants=[(16, 8)], leaves=[(16, 8, 4), (16, 14, 4), (16, 20, 4)])

    plots = measured(outputs, GridPlots(rows=1, columns=2))

    assert outputs["classes"][0, :, 16:].sum() > SPECK_CELLS
    assert plots["R1C2"] == (Outcome.NO_PLANT, {"plant_count": 0, "leaf_count": 0, "canopy_cover": 0})
    outcome, values = plots["R1C1"]
    assert outcome is Outcome.MEASURED
    assert values["leaf_count"] == 3
    assert values["projected_leaf_area"] == 16 * outputs["classes"].sum()
    assert values["canopy_cover"] == pytest.approx(outputs["classes"][0, :, :16].sum() / 512)


def test_a_plant_that_was_missed_is_not_added_to_its_neighbour():
    alone = measured(scene(MANIFEST, [(16, 6)], [(16, 6, 3)]), GridPlots(rows=1, columns=2))
    plots = measured(scene(MANIFEST, [(16, 6)], [(16, 6, 3), (16, 26, 3)]), GridPlots(rows=1, columns=2))

    assert plots["R1C1"] == alone["R1C1"]
    outcome, values = plots["R1C2"]
    assert outcome is Outcome.MEASURED
    assert (values["plant_count"], values["leaf_count"]) == (0, 1)
    assert values["projected_leaf_area"] > 0


@pytest.mark.parametrize(("cells", "outcome"), [(SPECK_CELLS - 1, Outcome.NO_PLANT), (SPECK_CELLS, Outcome.MEASURED)])
def test_a_speck_of_green_without_a_centre_is_no_plant(cells, outcome):
    outputs = answer(MANIFEST)
    outputs["classes"][0, 10, 5 : 5 + cells] = 1

    found, values = measured(outputs)["frame"]

    assert found is outcome
    if outcome is Outcome.NO_PLANT:
        assert values == {"plant_count": 0, "leaf_count": 0, "canopy_cover": 0}
    else:
        assert values["projected_leaf_area"] == 16 * cells


def test_a_leaf_no_larger_than_a_speck_is_not_counted_without_a_plant():
    assert measured(scene(MANIFEST, leaves=[(12, 20, 1)]))["frame"] == (
        Outcome.NO_PLANT,
        {"plant_count": 0, "leaf_count": 0, "canopy_cover": 0},
    )


def test_a_plant_outside_all_plots_is_not_counted():
    corner = PolygonPlots(outlines={"corner": [(0.0, 0.0), (0.4, 0.0), (0.4, 0.4), (0.0, 0.4)]})
    outputs = scene(MANIFEST, plants=[(6, 6), (24, 24)], leaves=[(6, 6, 3), (24, 24, 3)])

    outcome, values = measured(outputs, corner)["corner"]

    assert outcome is Outcome.MEASURED
    assert (values["plant_count"], values["leaf_count"]) == (1, 1)


def test_every_pot_of_a_tray_gets_its_own_plant():
    places = [(8.0 * row + 4, 8.0 * column + 4) for row in range(4) for column in range(4)]
    manifest = green_manifest(top_k=64)
    outputs = scene(manifest, plants=places, leaves=[(y, x, 1 + index / 8) for index, (y, x) in enumerate(places)])

    plots = measured(outputs, GridPlots(rows=4, columns=4), manifest=manifest)

    assert len(plots) == 16
    assert all(values["plant_count"] == values["leaf_count"] == 1 for _, values in plots.values())
    areas = [values["projected_leaf_area"] for _, values in plots.values()]
    assert areas == sorted(areas)
    assert areas[-1] > areas[0]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(4, 27), st.integers(4, 27), st.integers(1, 4)), min_size=1, max_size=10),
    st.integers(1, 3),
)
def test_a_picture_of_twice_the_size_has_the_same_cover_and_four_times_the_area(leaves, pots):
    outputs = scene(MANIFEST, plants=[(y, x) for y, x, _ in leaves], leaves=leaves)
    pixels = np.random.default_rng(len(leaves)).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    plots = GridPlots(rows=pots, columns=pots)

    small = measured(outputs, plots, pixels)
    large = measured(outputs, plots, pixels.repeat(2, axis=0).repeat(2, axis=1))

    for name, (outcome, values) in small.items():
        assert large[name][0] is outcome
        assert large[name][1].keys() == values.keys()
        for trait, value in values.items():
            assert large[name][1][trait] == pytest.approx(SCALES.get(VOCABULARY[trait].unit, 1) * value)


def test_a_model_that_looks_from_the_side_gives_a_plant_its_height():
    side = MANIFEST.model_copy(update={"traits": ("side_view",)})
    outputs = scene(MANIFEST, plants=[(12, 20)], leaves=[(12, 18, 2), (12, 23, 2)])

    _, values = measured(outputs, manifest=side)["frame"]

    assert list(values) == list(TRAIT_SETS["side_view"])
    assert (values["height"], values["width"]) == (20, 40)


def test_a_set_in_the_manifest_means_what_this_release_knows_of_it():
    named = MANIFEST.model_copy(update={"traits": ("hue", "top_view")})
    _, values = measured(scene(MANIFEST, [(12, 20)], [(12, 20, 3), (12, 23, 3)]), manifest=named)["frame"]
    assert list(values) == ["hue", *(name for name in TRAIT_SETS["top_view"] if name not in {"hue", *OF_THE_PAST})]
    assert set(values) == set(TRAIT_SETS["top_view"]) - OF_THE_PAST


def test_sizes_say_how_surely_they_are_known():
    image, placement = fit(np.full((256, 256, 3), (40, 160, 60), np.uint8), 128, 128)
    found = decode(inference(MANIFEST, scene(MANIFEST, [(12, 20)], [(12, 20, 3)])), MANIFEST, placement)
    (entry,) = measure(image, found, Plots(None).on(placement), MANIFEST)
    sds = {value.trait: value.uncertainty for value in entry.traits}
    assert {name for name, sd in sds.items() if sd is not None} >= {"projected_leaf_area", "extent_x", "solidity"}
    assert all(sds[name] is None for name in HUES | INDICES)
    for value in entry.traits:
        assert value.uncertainty is None or VOCABULARY[value.trait].uncertainty
