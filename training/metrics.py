"""Metrics by the names and definitions that the field uses.

Segmentation: intersection over union. Leaves: symmetric best Dice, difference in count (Minervini et al. 2016, the
CVPPP leaf challenges; Scharr et al. 2016, eqs. 1-3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.integer]


def confusion(predicted: Mask, truth: Mask, classes: int) -> NDArray[np.int64]:
    """Pixels by (true class, predicted class); sum those of all pictures before dividing."""
    pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_iou(confused: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class; NaN for one that is neither there nor predicted."""
    shared = np.diag(confused).astype(np.float64)
    union = confused.sum(0) + confused.sum(1) - np.diag(confused)
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, shared / union, np.nan)


def mean_iou(confused: NDArray[np.int64]) -> float:
    """Mean over the classes that occur."""
    return float(np.nanmean(class_iou(confused)))


def best_dice(ours: Mask, theirs: Mask) -> float:
    """Mean over our instances of the Dice with their best match; 0 is no instance. Both empty is 1, one empty 0."""
    numbers, ours_flat = np.unique(ours, return_inverse=True)
    labels, theirs_flat = np.unique(theirs, return_inverse=True)
    joint = np.bincount(ours_flat.ravel() * len(labels) + theirs_flat.ravel(), minlength=len(numbers) * len(labels))
    shared = joint.reshape(len(numbers), len(labels))
    sizes = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True)
    dice = (2 * shared / sizes)[numbers != 0][:, labels != 0]
    if dice.size == 0:
        return float(dice.shape[0] == dice.shape[1])
    return float(dice.max(1).mean())


def symmetric_best_dice(predicted: Mask, truth: Mask) -> float:
    """The lower of the best Dice taken from either side."""
    return min(best_dice(predicted, truth), best_dice(truth, predicted))


def difference_in_count(predicted: Sequence[float], truth: Sequence[float]) -> float:
    """DiC: mean of predicted - true; tells a bias."""
    return float(np.mean(np.subtract(predicted, truth)))


def absolute_difference_in_count(predicted: Sequence[float], truth: Sequence[float]) -> float:
    """|DiC|, also called the count's mean absolute error."""
    return float(np.mean(np.abs(np.subtract(predicted, truth))))
