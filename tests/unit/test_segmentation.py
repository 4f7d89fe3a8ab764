import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.contract.manifest import Thing
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import NONE, Objects, Segmentation, decode
from edge.settings import GridPlots
from edge.traits import measure
from tests.sim.answers import LEAF, PLANT, answer, inference, scene
from tests.sim.green_model import green_manifest

MANIFEST = green_manifest()
PLANT_THRESHOLD = MANIFEST.things[PLANT].threshold
_, WHOLE = fit(np.zeros((128, 128, 3), np.uint8), 128, 128)
_, WIDE = fit(np.zeros((64, 128, 3), np.uint8), 128, 128)


def segment(outputs, placement=WHOLE, manifest=MANIFEST) -> Segmentation:
    return decode(inference(manifest, outputs), manifest, placement)


def test_nothing_found_is_an_empty_segmentation():
    found = segment(answer(MANIFEST))

    assert len(found.objects) == 0
    assert not found.plant.any()
    assert (found.instances == NONE).all()


def test_each_cell_belongs_to_the_leaf_that_its_offset_points_to():
    found = segment(scene(MANIFEST, plants=[(16, 14)], leaves=[(16, 10, 4), (16, 18, 4)]))

    rows, columns = np.nonzero(found.plant)
    leaf = found.instances[rows, columns]
    assert set(found.objects.thing[leaf]) == {LEAF}
    assert (found.objects.x[leaf] == np.where(columns < 14, 10, 18))[columns != 14].all()
    assert set(found.objects.parent[leaf]) == {0}


def test_offsets_decide_where_leaves_overlap():
    outputs = scene(MANIFEST, leaves=[(16, 8, 3), (16, 20, 3)])
    outputs["offsets"][0, 1, outputs["classes"][0] == 1] = 0
    outputs["offsets"][0, 1, 16, 8] = 12  # a cell of the left leaf's place that belongs to the right one

    found = segment(outputs)

    assert found.objects.x[found.instances[16, 8]] == 20
    assert found.objects.x[found.instances[16, 7]] == 8


def test_peaks_below_their_things_threshold_are_no_objects():
    outputs = answer(MANIFEST)
    outputs["classes"][0] = 1
    plant, leaf = (thing.threshold for thing in MANIFEST.things)
    outputs["centers"][0, :4] = [
        (5, 5, plant * 1.01, PLANT),
        (9, 9, plant * 0.99, PLANT),
        (15, 15, leaf * 1.01, LEAF),
        (20, 20, leaf * 0.99, LEAF),
    ]

    assert segment(outputs).objects.y.tolist() == [5, 15]


def test_what_the_network_sees_in_the_padding_is_dropped():
    outputs = scene(MANIFEST, plants=[(16, 16), (2, 16), (30, 16)], leaves=[(16, 16, 12)])
    outputs["classes"][0] = 1

    found = segment(outputs, WIDE)

    rows, _ = WIDE.grid_region
    assert found.objects.y[found.objects.thing == PLANT].tolist() == [16]
    assert found.plant[rows].all()
    assert found.plant.sum() == found.plant[rows].sum()
    assert found.classes.sum() == found.plant.sum()


def test_a_cell_that_points_far_from_every_leaf_belongs_to_none():
    outputs = scene(MANIFEST, leaves=[(4, 4, 2)])
    outputs["classes"][0, 28, 28] = 1

    found = segment(outputs)

    assert found.plant[28, 28]
    assert found.instances[28, 28] == NONE
    assert found.instances[4, 4] != NONE


def test_a_leaf_belongs_to_the_plant_it_hangs_from_not_to_the_one_it_hangs_over():
    outputs = scene(MANIFEST, plants=[(16, 8), (16, 30)], leaves=[(16, 8, 3), (16, 30, 1), (16, 14, 3), (16, 20, 3)])

    found = segment(outputs)

    parents = {float(found.objects.x[row]): found.objects.parent[row] for row in range(2, 6)}
    assert parents == {8.0: 0, 30.0: 1, 14.0: 0, 20.0: 0}


def test_between_joined_plants_most_cells_decide_and_without_cells_the_distance():
    found = segment(
        scene(
            MANIFEST,
            plants=[(16, 8), (16, 24)],
            leaves=[(16, 8, 4), (16, 24, 3), (16, 19, 4), (16, 22, -1), (16, 10, -1)],
        )
    )
    assert found.objects.parent[2:].tolist() == [0, 1, 1, 1, 0]


def test_a_leaf_that_touches_no_found_plant_is_part_of_none():
    found = segment(scene(MANIFEST, plants=[(6, 6)], leaves=[(6, 6, 3), (24, 24, 3)]))

    assert found.objects.parent.tolist() == [NONE, 0, NONE]


def test_a_gap_of_two_cells_is_a_stalk_lost_on_the_grid():
    def parent_across(gap):
        leaves = [(16, 6, 2), (16, 6 + 4 + 1 + gap, 2)]
        return segment(scene(MANIFEST, plants=[(16, 6)], leaves=leaves)).objects.parent[2]

    assert parent_across(2) == 0
    assert parent_across(3) == NONE


def test_two_leaves_with_their_peaks_in_one_cell_are_two():
    found = segment(scene(MANIFEST, leaves=[(10, 10, 3), (10.1, 10.1, 3)]))
    assert len(found.objects) == 2


def test_a_peak_over_nothing_that_is_plant_is_none():
    outputs = scene(MANIFEST, plants=[(10, 10), (10, 24)], leaves=[(10, 10, 3), (20, 24, 0)])
    outputs["classes"][0, 20, 24] = 0
    found = segment(outputs)
    assert found.objects.x.tolist() == [10, 10]


@pytest.mark.parametrize(("apart", "plants"), [(1, 1), (2, 1), (12, 2)])
def test_a_plant_that_is_found_twice_is_one_and_keeps_its_leaves(apart: int, plants: int):
    found = segment(scene(MANIFEST, plants=[(16, 10), (16, 10 + apart)], leaves=[(16, 8, 4), (16, 12 + apart, 4)]))
    assert (found.objects.thing == PLANT).sum() == plants
    assert len(set(found.objects.parent[found.objects.thing == LEAF])) == plants
    assert (found.instances >= 0).sum() == found.plant.sum()
    assert set(found.objects.thing[found.instances[found.plant]]) == {LEAF}


def test_of_a_plant_that_is_found_twice_the_surer_stays():
    outputs = scene(MANIFEST, plants=[(16, 10), (16, 12)], leaves=[(16, 8, 4), (16, 14, 4)])
    outputs["centers"][0, :2, 2] = (0.5, 0.8)
    found = segment(outputs)
    assert found.objects.x[found.objects.thing == PLANT].tolist() == [12]


@pytest.mark.parametrize(("score", "plants"), [(PLANT_THRESHOLD + 0.1, 1), (PLANT_THRESHOLD + 0.2, 2)])
def test_a_plant_to_which_no_leaf_came_must_be_sure(score: float, plants: int):
    outputs = scene(MANIFEST, plants=[(10, 10), (24, 24)], leaves=[(10, 10, 3)])
    outputs["classes"][0, 23:26, 23:26] = 1
    outputs["offsets"][0, 0, 23:26, 23:26] = -14
    outputs["offsets"][0, 1, 23:26, 23:26] = -14
    outputs["centers"][0, 1, 2] = score
    found = segment(outputs)
    assert (found.objects.thing == PLANT).sum() == plants


def test_a_model_of_fruit_alone_has_wholes_without_parts():
    fruit = Thing(name="fruit", threshold=0.3, grouped=True, count_trait="fruit_count")
    manifest = MANIFEST.model_copy(update={"things": (fruit,)})
    outputs = answer(manifest)
    outputs["classes"][0, 4:8, 4:8] = 1
    outputs["centers"][0, 0] = (5, 5, 0.9, 0)

    found = segment(outputs, manifest=manifest)

    assert found.objects.parent.tolist() == [NONE]
    assert (found.instances[4:8, 4:8] == 0).all()


def test_parts_that_do_not_belong_together_are_refused():
    good = segment(scene(MANIFEST, plants=[(6, 6)], leaves=[(6, 6, 3)]))
    short = Objects(good.objects.y[:1], good.objects.x, good.objects.score, good.objects.thing, good.objects.parent)

    with pytest.raises(ValueError, match="maps differ"):
        Segmentation(good.classes[1:], good.plant, good.instances, good.objects)
    with pytest.raises(ValueError, match="columns of objects differ"):
        Segmentation(good.classes, good.plant, good.instances, short)
    with pytest.raises(ValueError, match="but there are 2 objects"):
        Segmentation(good.classes, good.plant, good.instances + 2, good.objects)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def any_answer(draw):
    """Any tensors that the graph contract allows."""
    outputs = answer(MANIFEST)
    outputs["classes"] = draw(arrays.arrays(np.uint8, (1, 32, 32), elements=st.integers(0, 1), fill=st.integers(0, 1)))
    near = st.floats(-2, 40, width=32)
    rows = st.tuples(near | finite, near | finite, st.floats(0, 1, width=32) | finite, st.sampled_from([0.0, 1.0]))
    peaks = draw(st.lists(rows, max_size=MANIFEST.top_k))
    outputs["centers"][0, : len(peaks)] = np.array(peaks, np.float32).reshape(-1, 4)
    outputs["offsets"] = draw(arrays.arrays(np.float32, (1, 2, 32, 32), elements=finite, fill=finite))
    return outputs


@settings(max_examples=80, deadline=None)
@given(any_answer(), st.sampled_from([WHOLE, WIDE]), st.integers(0, 2**32 - 1))
def test_any_finite_answer_gives_finite_traits(outputs, placement, seed):
    image = np.random.default_rng(seed).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    plots = Plots(GridPlots(rows=2, columns=2)).on(placement)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = measure(image, segment(outputs, placement), plots, MANIFEST)

    assert [entry.plot for entry in measured] == ["R1C1", "R1C2", "R2C1", "R2C2"]
    for entry in measured:
        values = {trait.trait: trait.value for trait in entry.traits}
        assert np.isfinite(list(values.values())).all()
        assert 0 <= values["canopy_cover"] <= 1
        assert 0 <= values.get("centroid_x", 0) <= placement.width_px
        assert 0 <= values.get("centroid_y", 0) <= placement.height_px
