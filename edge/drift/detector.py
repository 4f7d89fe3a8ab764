"""Whether a camera has changed: one e-detector for each statistic, valid at any time and for a whole year.

A statistic's score says how far a capture lies from those of the camera's own last days at the same hour, in their
spread. What a score beyond a threshold is worth depends on how often this camera's scores lay there before: sun,
weather and growth make scores that follow upon each other and have no simple law, so nothing is assumed of their law
but that the next score lies beyond a threshold at most ``INFLATION`` times as often as those so far did, whatever came
before it (with ``MARGIN`` between the threshold that is bet on and the one whose frequency is known). Under that, the
bet below has an expectation of at most 1 given the past, so products of bets are e-processes, their sum over all
starting times is an e-detector, and a year of it passes 1/alpha with a chance of at most alpha.

Source: J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
arXiv 2203.03532; the bet is a mixture over thresholds and sides.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.array([2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30], np.float64)
MARGIN = 1.25
INFLATION = 3.0
BET = 0.8
"""Share that is put on the score lying beyond the threshold."""

PRIOR_SCORES = 50.0
LEAST_SCORES = 80
"""Nothing is bet before so many scores are known: eight days of ten captures."""

STARTS_A_YEAR = 365 * 12
"""Over so many starting times the sum is taken, hourly captures by day."""

MOST = 1e30


@dataclass(slots=True)
class Detector:
    """The evidence that each of ``count`` statistics has changed.

    Attributes:
        beyond: how many scores lay above each threshold, and below its negative, float64 [count, 2, thresholds].
        scores: how many scores each statistic has had, int64 [count].
        evidence: the detectors' values, float64 [count]; 1/value bounds the chance of so much in a year without change.
    """

    count: int
    beyond: NDArray[np.float64] = field(init=False)
    scores: NDArray[np.int64] = field(init=False)
    evidence: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.beyond = np.zeros((self.count, 2, len(THRESHOLDS)))
        self.scores = np.zeros(self.count, np.int64)
        self.evidence = np.zeros(self.count)

    def take(self, score: NDArray[np.float64]) -> None:
        """Bet on the scores of one capture, float64 [count], NaN where there is none; then learn from them."""
        known = np.isfinite(score)
        sides = np.where(known, score, 0.0)[:, None] * np.array([1.0, -1.0])
        bets = known & (self.scores >= LEAST_SCORES)
        gain = self._gain(sides)
        grown = np.minimum((self.evidence + 1.0 / STARTS_A_YEAR) * gain, MOST)
        self.evidence = np.where(bets, grown, self.evidence)
        self.beyond += (sides[:, :, None] > THRESHOLDS) & known[:, None, None]
        self.scores += known

    def forget(self, which: NDArray[np.bool_]) -> None:
        """Begin anew with some statistics."""
        self.beyond[which], self.scores[which], self.evidence[which] = 0.0, 0, 0.0

    def _gain(self, sides: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a unit that was put on each statistic has become, [count]."""
        chance = INFLATION * (self.beyond + 1.0) / (self.scores[:, None, None] + PRIOR_SCORES)
        came = sides[:, :, None] > MARGIN * THRESHOLDS
        gain = np.where(came, BET / chance, (1 - BET) / np.maximum(1 - chance, 1 - BET))
        return np.asarray(np.where(chance < BET, gain, 1.0).mean(axis=(1, 2)))
