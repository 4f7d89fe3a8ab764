import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FrameUnreadable
from edge.preprocess import GRID_STRIDE_PX, PADDING, fit


def test_a_wide_picture_keeps_its_aspect_and_is_padded_above_and_below():
    image, placement = fit(np.full((1080, 1920, 3), 200, np.uint8), 512, 512)

    assert image.shape == (1, 512, 512, 3)
    assert image.dtype == np.uint8
    rows, columns = placement.region
    assert (rows.stop - rows.start, columns.stop - columns.start) == (288, 512)
    assert (image[0][rows, columns] == 200).all()
    outside = np.ones((512, 512), bool)
    outside[rows, columns] = False
    assert (image[0][outside] == PADDING).all()


def test_a_tall_picture_is_padded_left_and_right():
    _, placement = fit(np.zeros((400, 100, 3), np.uint8), 128, 256)

    assert placement.top_px == 0
    assert placement.left_px == 112
    assert placement.scale == pytest.approx(0.32)


def test_a_mark_is_found_where_the_placement_says():
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    pixels[700:740, 1500:1540] = 255
    image, placement = fit(pixels, 512, 512)

    rows, columns = np.nonzero(cv2.resize(image[0, :, :, 0], (128, 128), interpolation=cv2.INTER_AREA) > 60)
    y, x = placement.to_picture(rows, columns)

    assert y.mean() == pytest.approx(720, abs=placement.cell_px / 2)
    assert x.mean() == pytest.approx(1520, abs=placement.cell_px / 2)


def test_shrinking_does_not_alias():
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255

    image, _ = fit(stripes, 128, 128)

    assert image.min() >= 126
    assert image.max() <= 129


def test_fitting_twice_gives_arrays_of_their_own():
    first, _ = fit(np.full((64, 64, 3), 1, np.uint8), 64, 64)
    fit(np.full((64, 64, 3), 2, np.uint8), 64, 64)

    assert (first == 1).all()


def test_a_picture_of_the_right_size_is_not_changed():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)

    image, placement = fit(pixels, 64, 64)

    assert placement.scale == 1.0
    np.testing.assert_array_equal(image[0], pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 640, 3), np.uint8),
        np.zeros((480, 0, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((1, 480, 640, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape(pixels):
    with pytest.raises(FrameUnreadable, match=str(pixels.dtype)):
        fit(pixels, 128, 128)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.integers(8, 64).map(lambda n: 4 * n),
    st.integers(8, 64).map(lambda n: 4 * n),
)
def test_any_picture_lies_within_the_input_and_fills_a_cell(height, width, input_height, input_width):
    image, placement = fit(np.full((height, width, 3), 255, np.uint8), input_height, input_width)

    rows, columns = placement.region
    assert 0 <= rows.start < rows.stop <= input_height
    assert 0 <= columns.start < columns.stop <= input_width
    assert rows.start % GRID_STRIDE_PX == columns.start % GRID_STRIDE_PX == 0
    assert np.count_nonzero(image[0, :, :, 0]) == (rows.stop - rows.start) * (columns.stop - columns.start)
    grid = np.zeros(placement.grid_shape)[placement.grid_region]
    assert grid.size >= 1
