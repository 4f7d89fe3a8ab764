"""Colour: a card found wherever it lies, and what corrects a camera whose colours are known."""

import cv2
import numpy as np
import pytest

from edge.calibration.card import find_card
from edge.calibration.chart import PATCHES_LAB
from edge.calibration.colourspace import ciede2000, encoded, from_lab, linear, to_lab
from edge.calibration.correction import colour_table, find_correction, terms
from edge.errors import CalibrationFailed
from edge.region import Region, table_rows
from tests.sim.colour_card import CAMERA, drawn_card, on_bench
from tests.sim.pictures import REAL, read

PHOTOGRAPH = REAL / "colour-card" / "tobacco-3_wt_891.jpg"

needs_photographs = pytest.mark.skipif(not REAL.is_dir(), reason="the photographs are not here")


def test_ciede2000_is_that_of_sharmas_pairs() -> None:
    """Of the 34 pairs in Sharma, Wu & Dalal 2005, table 1: those that tell the hue's cases apart."""
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (56, -27, -3), 31.9030),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for one, other, expected in pairs:
        assert ciede2000(np.array(one, float), np.array(other, float)) == pytest.approx(expected, abs=1e-4)


def test_colour_spaces_go_there_and_back() -> None:
    light = np.random.default_rng(1).random((50, 3))

    assert from_lab(to_lab(light)) == pytest.approx(light, abs=1e-9)
    assert linear(encoded(light)) == pytest.approx(light, abs=1e-9)
    assert to_lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=0.02)


@pytest.mark.parametrize("turn", [0, 12, 90, 180, -100])
def test_a_card_is_found_however_it_lies_and_its_patches_are_in_order(turn: float) -> None:
    card = find_card(on_bench(drawn_card(), turn, 1.1, np.random.default_rng(3)))

    expected = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ CAMERA.T)
    assert np.abs(card.patches - expected).max() < 4


def test_a_known_camera_is_corrected_to_below_one() -> None:
    correction = find_correction(find_card(on_bench(drawn_card(), 7, 1.2, np.random.default_rng(5))).patches)

    assert correction.before > 6
    assert correction.after < 0.8
    assert correction.left_out < 1.0
    assert (
        np.array(correction.matrix)[:, :3] @ CAMERA == pytest.approx(np.eye(3), abs=0.08) or correction.kind != "linear"
    )


def test_a_stain_on_one_patch_does_not_bend_the_others() -> None:
    patches = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ CAMERA.T)
    clean = find_correction(patches)
    patches[13] = (120, 60, 60)
    stained = find_correction(patches)

    others = np.arange(24) != 13
    light = linear(patches[others])
    error = ciede2000(to_lab(terms(light, stained.kind) @ np.array(stained.matrix).T), PATCHES_LAB[others])
    assert error.mean() < clean.after + 1.0


def test_burnt_patches_are_left_to_what_the_others_tell() -> None:
    burnt = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ CAMERA.T * 1.7)
    correction = find_correction(burnt)

    assert 6 <= correction.patches < 24
    assert correction.left_out < 2


def test_a_card_that_is_burnt_out_is_refused_with_the_mend() -> None:
    with pytest.raises(CalibrationFailed, match="lock an exposure"):
        find_correction(np.full((24, 3), 255.0))


def test_the_table_corrects_pixels_to_within_its_steps() -> None:
    patches = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ CAMERA.T)
    correction = find_correction(patches)
    table = colour_table(correction)
    bgr = np.rint(patches[:, ::-1]).astype(np.uint8)
    words = np.ascontiguousarray(np.column_stack([bgr, np.full(24, 255, np.uint8)])).view(np.uint32).ravel()

    exact = encoded(terms(linear(bgr[:, ::-1]), correction.kind) @ np.array(correction.matrix).T)
    assert np.abs(table[table_rows(words)][:, 2::-1] - exact).max() < 6
    assert np.abs((table[table_rows(words)][:, 2::-1] - exact).mean()) < 1.5


def test_traits_of_colour_are_those_of_the_leaf_and_not_of_the_camera() -> None:
    """Two cameras that see one leaf in different colours agree once each has seen the card."""
    leaf = from_lab(np.array([43.0, -13.0, 22.0]))
    means = []
    for camera in (CAMERA, np.array([[0.5, 0.1, 0.0], [0.05, 0.8, 0.1], [0.05, 0.2, 0.7]])):
        patches = encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ camera.T)
        pixels = np.tile(np.rint(encoded(leaf @ camera.T)[::-1]).astype(np.uint8), (8, 8, 1))
        mask = np.full((8, 8), 255, np.uint8)
        plain = Region(mask, pixels).mean_bgr
        means.append((plain, Region(mask, pixels, colour_table=colour_table(find_correction(patches))).mean_bgr))
    (plain, corrected), (other_plain, other_corrected) = means

    assert np.abs(np.subtract(plain, other_plain)).max() > 15
    assert np.abs(np.subtract(corrected, other_corrected)).max() < 6


@needs_photographs
def test_the_card_in_a_photograph_is_found() -> None:
    card = find_card(read(PHOTOGRAPH))

    left, top = card.outline.min(axis=0)
    right, bottom = card.outline.max(axis=0)
    assert (900, 2000) < (left, top) < (1100, 2100)
    assert (1250, 2500) < (right, bottom) < (1400, 2620)
    assert find_correction(card.patches).left_out < 6


@needs_photographs
@pytest.mark.parametrize(
    "name",
    [
        "tray/multiplant.jpg",
        "side-view/quinoa.raspi.jpg",
        "seedling-tray/VIS_TV_AA0359.png",
        "arabidopsis-trays/2016-09-27_1025_ch129-pos01.jpg",
    ],
)
def test_pictures_without_a_card_are_refused(name: str) -> None:
    with pytest.raises(CalibrationFailed, match="no card of 24 patches"):
        find_card(read(REAL / name))


def test_a_board_of_squares_is_no_card() -> None:
    keys = np.full((600, 800, 3), 40, np.uint8)
    rng = np.random.default_rng(9)
    for row in range(5):
        for column in range(8):
            colour = rng.integers(60, 255, 3).tolist()
            cv2.rectangle(keys, (40 + 90 * column, 40 + 90 * row), (100 + 90 * column, 100 + 90 * row), colour, -1)
    with pytest.raises(CalibrationFailed, match="no card of 24 patches"):
        find_card(keys)
