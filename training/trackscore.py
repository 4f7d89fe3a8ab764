"""How well objects are followed: HOTA (Luiten et al. 2021) and IDF1 (Ristani et al. 2016), of points.

Objects are points, so two are alike by their distance: 1 on the spot, 0 at ``reach`` and beyond. HOTA's thresholds are
0.05 to 0.95 as in its reference implementation.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

THRESHOLDS = np.arange(0.05, 0.99, 0.05)
IDF1_LIKENESS = 0.5
_EPSILON = 1e-9

Points = NDArray[np.float64]
"""Rows (number, x, y)."""


@dataclass(frozen=True, slots=True)
class TrackScore:
    """HOTA, its two factors, and IDF1; all 0…1, means over the thresholds for the first three."""

    hota: float
    detection: float
    association: float
    idf1: float


def track_score(truth: Sequence[Points], found: Sequence[Points], reach: float) -> TrackScore:
    """Hold what was ``found`` in each picture against the ``truth``."""
    likeness = [_likeness(there, seen, reach) for there, seen in zip(truth, found, strict=True)]
    lengths = Counter(_ids(truth)), Counter(_ids(found))
    overall = _overall(truth, found, likeness, lengths)
    scores = [_at(threshold, truth, found, likeness, lengths, overall) for threshold in THRESHOLDS]
    hota, detection, association = np.mean(scores, axis=0).tolist()
    return TrackScore(hota, detection, association, _idf1(truth, found, likeness, lengths))


Lengths = tuple[Counter[int], Counter[int]]


def _ids(pictures: Sequence[Points]) -> list[int]:
    return [int(number) for picture in pictures for number in picture[:, 0]]


def _likeness(there: Points, seen: Points, reach: float) -> NDArray[np.float64]:
    apart = np.hypot(*(there[:, None, 1:] - seen[None, :, 1:]).transpose(2, 0, 1))
    return np.asarray(np.maximum(0, 1 - apart / reach), np.float64)


def _overall(
    truth: Sequence[Points], found: Sequence[Points], likeness: Sequence[NDArray[np.float64]], lengths: Lengths
) -> dict[tuple[int, int], float]:
    """How well each two tracks go together over all pictures: what decides where likeness alone would not."""
    together: dict[tuple[int, int], float] = {}
    for there, seen, like in zip(truth, found, likeness, strict=True):
        share = like / np.maximum(like.sum(0)[None] + like.sum(1)[:, None] - like, _EPSILON)
        for row, column in zip(*np.nonzero(like), strict=True):
            key = int(there[row, 0]), int(seen[column, 0])
            together[key] = together.get(key, 0.0) + float(share[row, column])
    return {
        (one, other): value / (lengths[0][one] + lengths[1][other] - value) for (one, other), value in together.items()
    }


def _at(
    threshold: float,
    truth: Sequence[Points],
    found: Sequence[Points],
    likeness: Sequence[NDArray[np.float64]],
    lengths: Lengths,
    overall: dict[tuple[int, int], float],
) -> tuple[float, float, float]:
    pairs: Counter[tuple[int, int]] = Counter()
    for there, seen, like in zip(truth, found, likeness, strict=True):
        if not like.size:
            continue
        keys = [[(int(one), int(other)) for other in seen[:, 0]] for one in there[:, 0]]
        global_score = np.array([[overall.get(key, 0.0) for key in row] for row in keys])
        for row, column in zip(*linear_sum_assignment(-global_score * like), strict=True):
            if like[row, column] >= threshold - _EPSILON:
                pairs[keys[row][column]] += 1
    matched = sum(pairs.values())
    detection = matched / max(sum(lengths[0].values()) + sum(lengths[1].values()) - matched, 1)
    association = sum(
        count * count / (lengths[0][one] + lengths[1][other] - count) for (one, other), count in pairs.items()
    ) / max(matched, 1)
    return float(np.sqrt(detection * association)), detection, association


def _idf1(
    truth: Sequence[Points], found: Sequence[Points], likeness: Sequence[NDArray[np.float64]], lengths: Lengths
) -> float:
    """Share of all places that one-to-one pairs of whole tracks explain."""
    pairs: Counter[tuple[int, int]] = Counter()
    for there, seen, like in zip(truth, found, likeness, strict=True):
        for row, column in zip(*np.nonzero(like >= IDF1_LIKENESS), strict=True):
            pairs[int(there[row, 0]), int(seen[column, 0])] += 1
    ones, others = sorted(lengths[0]), sorted(lengths[1])
    table = np.array([[pairs[one, other] for other in others] for one in ones]).reshape(len(ones), len(others))
    explained = table[linear_sum_assignment(-table)].sum() if table.size else 0
    return float(2 * explained / max(sum(lengths[0].values()) + sum(lengths[1].values()), 1))
