"""How far counts are off, estimated from how sure the model was and from what is no longer found: without any truth.

A package knows how far counts are off at each score (``CountErrors``). What the camera found in its last days at the
same hour and does not find any more counts as missed beside that: a model that misses things is sure of the rest.
"""

from collections.abc import Mapping

import numpy as np

from edge.contract.drift import CountError, WindowSums
from edge.contract.reference import CountErrors


def estimated(
    sums: WindowSums, changes: Mapping[str, float], known: Mapping[str, CountErrors]
) -> dict[str, CountError]:
    """Of each thing that is known; of one that is not found and was not before, none.

    ``changes`` are those of the window: by how much counts and scores differ from the last days.
    """
    found = {thing: _estimated(sums, changes, thing, errors) for thing, errors in known.items()}
    return {thing: error for thing, error in found.items() if error is not None}


def _estimated(sums: WindowSums, changes: Mapping[str, float], thing: str, errors: CountErrors) -> CountError | None:
    count, score = sums.moments.get(f"count.{thing}"), sums.moments.get(f"score.{thing}")
    if count is None or score is None or not score.count:
        return None
    before = count.mean - changes.get(f"count.{thing}", 0.0)
    return error_of(count.mean, score.mean, before, score.mean - changes.get(f"score.{thing}", 0.0), errors)


def error_of(found: float, score: float, before: float, score_before: float, errors: CountErrors) -> CountError | None:
    """From the mean number found and its mean score, now and before; None where there is nothing to go by.

    How far counts were off at such scores, of what there was to find, and what is lost since. A fault lowers scores by
    more than it costs beyond the loss, and growth makes those of before too good, so they are taken half-way.
    """
    there, lost = max(found, before), max(0.0, before - found)
    if there <= 0:
        return None
    sure = (score + score_before) / 2 if found else score_before
    middle, high = (float(np.interp(sure, errors.scores, line)) for line in (errors.middle, errors.high))
    low = float(np.interp(score, errors.scores, errors.low))
    return CountError(
        error=round(there * middle + lost, 3),
        low=round(min(found * low, there * middle + lost), 3),
        high=round(there * high + lost, 3),
        found=round(found, 3),
    )
