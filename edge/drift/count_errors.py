"""How far counts are off, estimated from how sure the model was: no truth is needed once it is in use."""

from collections.abc import Mapping

import numpy as np

from edge.contract.drift import CountError, WindowSums
from edge.contract.reference import CountErrors


def estimated(sums: WindowSums, known: Mapping[str, CountErrors]) -> dict[str, CountError]:
    """Of each thing that is known; of one that was never found, of which nothing was sure or unsure, none."""
    found = {thing: _estimated(sums, thing, errors) for thing, errors in known.items()}
    return {thing: error for thing, error in found.items() if error is not None}


def _estimated(sums: WindowSums, thing: str, errors: CountErrors) -> CountError | None:
    count, score = sums.moments.get(f"count.{thing}"), sums.moments.get(f"score.{thing}")
    if count is None or score is None or not score.count or count.mean <= 0:
        return None
    error, low, high = (
        round(count.mean * float(np.interp(score.mean, errors.scores, line)), 3)
        for line in (errors.middle, errors.low, errors.high)
    )
    return CountError(error=error, low=low, high=high, found=round(count.mean, 3))
