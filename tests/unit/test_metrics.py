"""Each metric against a case worked by hand."""

import numpy as np
import pytest

from training.metrics import (
    absolute_difference_in_count,
    best_dice,
    class_iou,
    confusion,
    difference_in_count,
    mean_iou,
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
