"""Each metric against a case worked by hand."""

import numpy as np
import pytest

from training.metrics import (
    absolute_difference_in_count,
    best_dice,
    calibration_error,
    centres_matched,
    class_iou,
    coefficient_of_determination,
    confusion,
    difference_in_count,
    f1,
    mean_iou,
    panoptic_matches,
    panoptic_quality,
    relative_error,
    root_mean_square_error,
    symmetric_best_dice,
)


def test_iou_of_a_worked_case() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1])
    predicted = np.array([0, 0, 1, 1, 1, 0])
    confused = confusion(predicted, truth, 2)
    assert confused.tolist() == [[2, 1], [1, 2]]
    assert class_iou(confused).tolist() == [0.5, 0.5]


def test_a_class_that_never_occurs_does_not_count() -> None:
    confused = confusion(np.array([0, 0, 1]), np.array([0, 0, 1]), 3)
    assert np.isnan(class_iou(confused)[2])
    assert mean_iou(confused) == 1.0


def test_best_dice_of_a_worked_case() -> None:
    truth = np.array([1, 1, 1, 1, 2, 2, 0, 0])
    predicted = np.array([7, 7, 7, 0, 0, 5, 5, 0])
    # 7 with 1: 2·3 / (3 + 4); 5 with 2: 2·1 / (2 + 2)
    assert best_dice(predicted, truth) == pytest.approx((6 / 7 + 1 / 2) / 2)
    assert best_dice(truth, predicted) == pytest.approx((6 / 7 + 1 / 2) / 2)


def test_a_split_leaf_lowers_the_symmetric_best_dice() -> None:
    truth = np.array([1, 1, 1, 1])
    predicted = np.array([1, 1, 2, 2])
    assert symmetric_best_dice(predicted, truth) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("predicted", "dice"), [([0, 0], 1.0), ([0, 3], 0.0)])
def test_best_dice_without_a_leaf(predicted: list[int], dice: float) -> None:
    assert symmetric_best_dice(np.array(predicted), np.array([0, 0])) == dice


def test_difference_in_count_keeps_its_sign_and_its_size() -> None:
    assert difference_in_count([4, 8, 6], [5, 6, 6]) == pytest.approx(1 / 3)
    assert absolute_difference_in_count([4, 8, 6], [5, 6, 6]) == 1.0


def test_panoptic_quality_of_a_worked_case() -> None:
    truth = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3, 0])
    predicted = np.array([5, 5, 5, 0, 6, 6, 9, 9, 0, 9])
    # 5 with 1: 3/4; 6 with 2: 2/3; 9 touches 2, 3 and nothing: it matches none, and 3 is missed
    matches = panoptic_matches(predicted, truth)
    assert matches == (pytest.approx(3 / 4 + 2 / 3), 2, 1, 1)
    assert panoptic_quality([matches]) == pytest.approx((3 / 4 + 2 / 3) / (2 + 1 / 2 + 1 / 2))
    assert panoptic_quality([matches, (1.0, 1, 0, 1)]) == pytest.approx((3 / 4 + 2 / 3 + 1) / (3 + 1 / 2 + 2 / 2))
    assert panoptic_quality([panoptic_matches(np.zeros(3, int), np.zeros(3, int))]) == 1


def test_half_an_overlap_is_no_match() -> None:
    assert panoptic_matches(np.array([1, 1, 0, 0]), np.array([1, 1, 1, 1]))[1] == 0


def test_root_mean_square_error_of_a_worked_case() -> None:
    assert root_mean_square_error([3, 5, 9], [3, 8, 5]) == pytest.approx(np.sqrt((0 + 9 + 16) / 3))


def test_coefficient_of_determination_of_a_worked_case() -> None:
    # the truth's mean is 4, its squares about that 4 + 0 + 4; the errors' squares 1 + 1 + 0
    assert coefficient_of_determination([3, 3, 6], [2, 4, 6]) == pytest.approx(1 - 2 / 8)
    assert coefficient_of_determination([4, 4, 4], [2, 4, 6]) == 0
    assert np.isnan(coefficient_of_determination([3, 4], [5, 5]))


def test_relative_error_is_of_what_is_there() -> None:
    assert relative_error([90, 10, 5], [100, 8, 0]) == pytest.approx((0.1 + 0.25) / 2)
    assert np.isnan(relative_error([3], [0]))


def test_calibration_error_of_a_worked_case() -> None:
    # four at 0.9 of which three are right, one at 0.35 which is wrong: 4/5 · 0.15 + 1/5 · 0.35
    error = calibration_error([0.9, 0.9, 0.9, 0.9, 0.35], [True, True, True, False, False])
    assert error == pytest.approx(0.8 * 0.15 + 0.2 * 0.35)
    assert calibration_error([1.0, 1.0], [True, True]) == 0


def test_f1_of_a_worked_case() -> None:
    assert f1(6, 2, 1) == pytest.approx(2 * (6 / 8) * (6 / 7) / (6 / 8 + 6 / 7))
    assert f1(0, 0, 0) == 1


def test_a_box_is_hit_once_and_by_the_surest_centre() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 6, 10, 16]])
    # the first lies in both boxes and nearer to the middle of the left one; the second only in that; the third nowhere
    y, x = np.array([5.0, 5.0, 50.0, 5.0]), np.array([7.0, 3.0, 5.0, 14.0])
    assert centres_matched(y, x, boxes).tolist() == [True, False, False, True]
    assert centres_matched(y, x, boxes[:0]).tolist() == [False] * 4
