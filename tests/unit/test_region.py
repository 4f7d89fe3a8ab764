"""Shape and colour do not depend on where an object lies, how it is turned, or how finely it is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.traits import VOCABULARY, Unit
from edge.region import Region
from edge.traits import OF_REGIONS

PLACED = {"centroid_x", "centroid_y"}
TURNED = {"extent_x": "extent_y", "extent_y": "extent_x", "width": "height", "height": "width"}
BY_DRAWING = {"convex_hull_area", "solidity", "perimeter", "compactness"}
"""Through the middles of pixels, so that a finer drawing comes nearer to the truth: the disc below."""
PIECES = {"perimeter", "compactness"}
"""Of several pieces PlantCV goes from one to the next, in an order that is the picture's."""


@st.composite
def objects(draw):
    """Blobs: the union of some discs and their gaps, in one piece, on a picture of some colours."""
    height, width = draw(st.integers(24, 60)), draw(st.integers(24, 60))
    y, x = np.indices((height, width))
    mask = np.hypot(y - height / 2, x - width / 2) <= draw(st.integers(3, 10))
    for _ in range(draw(st.integers(0, 4))):
        angle, reach = draw(st.floats(0, 6.28)), draw(st.floats(2, 9))
        mask |= np.hypot(y - height / 2 - reach * np.sin(angle), x - width / 2 - reach * np.cos(angle)) <= 4
    mask &= (y % 7 != 3) | (x % 9 != 4)
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return mask.astype(np.uint8) * np.uint8(255), pixels


def values(mask, pixels, **place):
    region = Region(np.ascontiguousarray(mask), np.ascontiguousarray(pixels), **place)
    return {name: task(region) for name, task in OF_REGIONS.items()}


@settings(max_examples=25, deadline=None)
@given(objects(), st.integers(1, 9), st.integers(1, 9))
def test_a_moved_object_measures_the_same(item, down, right):
    mask, pixels = (np.pad(plane, [(down, 3), (right, 2)] + [(0, 0)] * (plane.ndim - 2)) for plane in item)
    before, after = values(*item), values(mask, pixels)
    for name, estimate in before.items():
        if name not in PLACED:
            assert after[name] == estimate
    assert after["centroid_x"].value == pytest.approx(before["centroid_x"].value + right)
    assert after["centroid_y"].value == pytest.approx(before["centroid_y"].value + down)


@settings(max_examples=25, deadline=None)
@given(objects())
def test_an_object_turned_by_a_right_angle_measures_the_same(item):
    before, after = values(*item), values(*(np.rot90(plane) for plane in item))
    for name, estimate in before.items():
        if name not in PLACED | PIECES:
            assert after[TURNED.get(name, name)].value == pytest.approx(estimate.value)
    width = item[0].shape[1]
    assert after["centroid_x"].value == pytest.approx(before["centroid_y"].value)
    assert after["centroid_y"].value == pytest.approx(width - before["centroid_x"].value)


def test_the_outline_of_one_piece_is_as_long_whichever_way_it_is_turned():
    y, x = np.indices((40, 60))
    mask = ((y - 20) ** 2 * 4 + (x - 30) ** 2 <= 24**2).astype(np.uint8) * np.uint8(255)
    pixels = np.zeros((40, 60, 3), np.uint8)
    lengths = [values(np.rot90(mask, turns), np.rot90(pixels, turns))["perimeter"].value for turns in range(4)]
    assert lengths == pytest.approx([lengths[0]] * 4)


@settings(max_examples=25, deadline=None)
@given(objects(), st.floats(0.2, 5))
def test_lengths_and_areas_are_in_pixels_of_the_camera(item, pixel_px):
    before, after = values(*item), values(*item, pixel_px=pixel_px)
    powers = {Unit.PX: 1, Unit.PX2: 2}
    for name, estimate in before.items():
        factor = pixel_px ** powers.get(VOCABULARY[name].unit, 0)
        assert after[name].value == pytest.approx(factor * estimate.value)
        if estimate.sd is not None:
            assert after[name].sd == pytest.approx(factor * estimate.sd)


@settings(max_examples=25, deadline=None)
@given(objects())
def test_a_finer_drawing_of_the_same_object_measures_the_same(item):
    mask, pixels = (plane.repeat(4, axis=0).repeat(4, axis=1) for plane in item)
    before, after = values(*item), values(mask, pixels, pixel_px=0.25)
    for name, estimate in before.items():
        if name not in BY_DRAWING:
            assert after[name].value == pytest.approx(estimate.value)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_few_pixels_have_a_size_and_a_colour_and_a_shape_only_where_there_is_one(side):
    found = values(np.full((side, side), 255, np.uint8), np.full((side, side, 3), (40, 160, 60), np.uint8))
    without = {name for name, estimate in found.items() if estimate is None}
    assert found["projected_leaf_area"].value == side**2
    assert found["hue"].value == pytest.approx(110, abs=2)
    assert without == ({"convex_hull_area", "solidity", "perimeter", "compactness"} if side < 3 else set())


def test_a_disc_is_round_and_full():
    y, x = np.indices((220, 220))
    mask = ((y - 110) ** 2 + (x - 110) ** 2 <= 100**2).astype(np.uint8) * np.uint8(255)
    found = values(mask, np.zeros((220, 220, 3), np.uint8))
    assert found["projected_leaf_area"].value == pytest.approx(np.pi * 100**2, rel=0.01)
    assert found["solidity"].value == pytest.approx(1, abs=0.01)
    assert found["compactness"].value == pytest.approx(0.9, abs=0.02)
    assert found["extent"].value == pytest.approx(np.pi / 4, rel=0.01)


def test_yellow_and_brown_count_as_symptomatic_and_green_red_and_grey_do_not():
    colours = {
        "green": (40, 160, 60),
        "yellow": (40, 180, 190),
        "brown": (40, 70, 110),
        "grey": (90, 90, 92),
        "red": (30, 20, 190),
    }
    shares = {
        name: values(np.full((9, 9), 255, np.uint8), np.full((9, 9, 3), bgr, np.uint8))["symptomatic_share"].value
        for name, bgr in colours.items()
    }
    assert shares == {"green": 0, "yellow": 1, "brown": 1, "grey": 0, "red": 0}


def test_the_distribution_of_hues_adds_up_and_names_its_fullest_bin():
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, :7], pixels[:, 7:] = (40, 160, 60), (40, 180, 190)
    found = values(np.full((4, 10), 255, np.uint8), pixels)["hue_distribution"]
    assert found.value == 115
    assert len(found.histogram) == 36
    assert found.histogram[11] == pytest.approx(0.7)
    assert sum(found.histogram) == pytest.approx(1)
