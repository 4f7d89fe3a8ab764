"""Metrics by the names and definitions that the field uses.

Segmentation: intersection over union. Leaves: symmetric best Dice, difference in count (Minervini et al. 2016, the
CVPPP leaf challenges; Scharr et al. 2016, eqs. 1-3). Instances: panoptic quality (Kirillov et al. 2019). Confidence:
expected calibration error (Guo et al. 2017).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.integer]
Numbers = Sequence[float] | NDArray[np.floating]


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


def _overlaps(ours: Mask, theirs: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pixels shared by each instance of ours and each of theirs, and the sizes of both; 0 is no instance."""
    numbers, ours_flat = np.unique(ours, return_inverse=True)
    labels, theirs_flat = np.unique(theirs, return_inverse=True)
    joint = np.bincount(ours_flat.ravel() * len(labels) + theirs_flat.ravel(), minlength=len(numbers) * len(labels))
    shared = joint.reshape(len(numbers), len(labels))
    kept = shared[numbers != 0][:, labels != 0]
    return kept, shared.sum(1)[numbers != 0], shared.sum(0)[labels != 0]


def best_dice(ours: Mask, theirs: Mask) -> float:
    """Mean over our instances of the Dice with their best match; 0 is no instance. Both empty is 1, one empty 0."""
    shared, our_sizes, their_sizes = _overlaps(ours, theirs)
    if shared.size == 0:
        return float(len(our_sizes) == len(their_sizes))
    return float((2 * shared / (our_sizes[:, None] + their_sizes)).max(1).mean())


def symmetric_best_dice(predicted: Mask, truth: Mask) -> float:
    """The lower of the best Dice taken from either side."""
    return min(best_dice(predicted, truth), best_dice(truth, predicted))


def panoptic_matches(predicted: Mask, truth: Mask) -> tuple[float, int, int, int]:
    """Sum of the IoU of matched instances, and how many matched, were found wrongly, and were missed.

    Two instances match if their IoU is above 0.5; then neither can match another.
    """
    shared, our_sizes, their_sizes = _overlaps(predicted, truth)
    iou = shared / (our_sizes[:, None] + their_sizes - shared) if shared.size else np.zeros(shared.shape)
    matched = iou > 0.5
    count = int(matched.sum())
    return float(iou[matched].sum()), count, len(our_sizes) - count, len(their_sizes) - count


def panoptic_quality(matches: Sequence[tuple[float, int, int, int]]) -> float:
    """PQ over all pictures (Kirillov et al. 2019): IoU of the matched by them and half the wrong and the missed."""
    iou, matched, wrong, missed = (sum(column) for column in zip(*matches, strict=True))
    return iou / (matched + wrong / 2 + missed / 2) if matched + wrong + missed else 1.0


def difference_in_count(predicted: Numbers, truth: Numbers) -> float:
    """DiC: mean of predicted - true; tells a bias."""
    return float(np.mean(np.subtract(predicted, truth)))


def absolute_difference_in_count(predicted: Numbers, truth: Numbers) -> float:
    """|DiC|, also called the count's mean absolute error."""
    return float(np.mean(np.abs(np.subtract(predicted, truth))))


def root_mean_square_error(predicted: Numbers, truth: Numbers) -> float:
    """RMSE; large errors weigh more than in the mean absolute error."""
    return float(np.sqrt(np.mean(np.square(np.subtract(predicted, truth)))))


def coefficient_of_determination(predicted: Numbers, truth: Numbers) -> float:
    """R²: 1 is perfect, 0 no better than always saying the mean, below 0 worse; NaN where the truth never varies."""
    spread = float(np.sum(np.square(np.subtract(truth, np.mean(truth)))))
    return 1 - float(np.sum(np.square(np.subtract(predicted, truth)))) / spread if spread > 0 else float("nan")


def relative_error(predicted: Numbers, truth: Numbers) -> float:
    """Mean of |predicted - true| / true over where there is something; NaN where there never is."""
    there = np.asarray(truth, np.float64) > 0
    errors = np.abs(np.subtract(predicted, truth))[there] / np.asarray(truth, np.float64)[there]
    return float(errors.mean()) if errors.size else float("nan")


def calibration_error(confidence: Numbers, right: Numbers, bins: int = 10) -> float:
    """ECE: how far confidence is from the share that is right, in equal bins of confidence, weighted by their size."""
    said, was = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if not said.size:
        return float("nan")
    place = np.minimum((said * bins).astype(int), bins - 1)
    gaps = np.abs(np.bincount(place, said, bins) - np.bincount(place, was, bins))
    return float(gaps.sum() / said.size)


def f1(matched: int, wrong: int, missed: int) -> float:
    """Harmonic mean of precision and recall; 1 if there was nothing to find and nothing found."""
    return 2 * matched / (2 * matched + wrong + missed) if matched + wrong + missed else 1.0


def centres_matched(y: NDArray[np.floating], x: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each centre, best first, lies in a box that no better one has taken.

    It takes the box whose middle is nearest. ``boxes``: rows of top, left, bottom, right.
    """
    free, hits = np.ones(len(boxes), np.bool_), np.zeros(len(y), np.bool_)
    middle_y, middle_x = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for index, (row, column) in enumerate(zip(y, x, strict=True)):
        within = (boxes[:, 0] <= row) & (row <= boxes[:, 2]) & (boxes[:, 1] <= column) & (column <= boxes[:, 3]) & free
        if within.any():
            taken = np.argmin(np.where(within, np.hypot(middle_y - row, middle_x - column), np.inf))
            free[taken], hits[index] = False, True
    return hits
