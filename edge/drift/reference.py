"""References: made from captures, told apart by what they hold, and compared with a window."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.contract.drift import FOURIER_TERMS, Moments, WindowSums
from edge.contract.reference import BINS, Distribution

LEAST_CAPTURES = 2 * BINS
"""With fewer, bins of equal share say nothing."""

Distributions = Mapping[str, Distribution]


def distribution(values: Sequence[float] | NDArray[np.float64]) -> Distribution:
    """Bins of equal share, as far as the values differ."""
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)
    return Distribution(
        edges=tuple(edges.tolist()),
        shares=tuple((counts / len(values)).tolist()),
        mean=float(np.mean(values)),
        standard_deviation=float(np.std(values)),
    )


def distributions(rows: Sequence[Mapping[str, float]]) -> dict[str, Distribution]:
    """Of each statistic that enough of the captures have."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: distribution(known) for name, known in values.items() if len(known) >= LEAST_CAPTURES}


def by_band(rows: Sequence[tuple[str, Mapping[str, float]]]) -> dict[str, dict[str, Distribution]]:
    """Of each light that there were enough captures of."""
    bands = sorted({band for band, _ in rows})
    members = {band: [row for other, row in rows if other == band] for band in bands}
    return {band: distributions(rows) for band, rows in members.items() if len(rows) >= LEAST_CAPTURES}


def digest_of(reference: Distributions) -> str:
    """Names what windows are compared with: those of one digest have one set of edges, so they add up."""
    content = json.dumps({name: each.model_dump(mode="json") for name, each in reference.items()}, sort_keys=True)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def sums_of(values: Mapping[str, float], fourier: NDArray[np.float64], reference: Distributions) -> WindowSums:
    """A window of one capture.

    A statistic that the reference does not have is left out; one that is NaN now is counted in no bin, so that the
    windows of a camera have the same statistics and add up.
    """
    known = {name: value for name, value in values.items() if name in reference}
    return WindowSums(
        captures=1,
        histograms={name: _bins_of(value, reference[name]) for name, value in known.items()},
        moments={name: _moments_of(value) for name, value in known.items()},
        fourier=tuple(fourier.round(6).tolist()),
    )


def _bins_of(value: float, reference: Distribution) -> tuple[int, ...]:
    bin_of = int(np.searchsorted(reference.edges, value, side="right")) if np.isfinite(value) else None
    return tuple(int(index == bin_of) for index in range(BINS))


def _moments_of(value: float) -> Moments:
    return Moments(count=1, mean=value, m2=0.0) if np.isfinite(value) else Moments(count=0, mean=0.0, m2=0.0)


def psi(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Population stability index: sum of (p - q) ln(p / q), each share smoothed by half a count."""
    found, expected = _smoothed(counts, shares)
    return float(np.sum((found - expected) * np.log(found / expected)))


def jensen_shannon(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Jensen-Shannon divergence in bits, 0 for equal shares, at most 1 (Lin 1991)."""
    found, expected = _smoothed(counts, shares)
    middle = (found + expected) / 2
    return float((np.sum(found * np.log2(found / middle)) + np.sum(expected * np.log2(expected / middle))) / 2)


def _smoothed(counts: Sequence[int], shares: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = np.asarray(counts, np.float64) + 0.5
    expected = np.asarray(shares, np.float64) * sum(counts) + 0.5
    return found / found.sum(), expected / expected.sum()


class Fourier:
    """Random Fourier terms of the graph's features: their mean over captures tells distributions apart.

    The squared distance of two such means estimates the squared maximum mean discrepancy under a Gaussian kernel
    (Rahimi and Recht 2007; Gretton et al. 2012). The directions come from a generator whose numbers never change, so
    every device has the same.

    Args:
        mean: of the reference's features, [D].
        deviation: theirs, [D].
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self._mean = np.asarray(mean, np.float64)
        self._deviation = np.maximum(np.asarray(deviation, np.float64), 1e-3)
        frozen = np.random.RandomState(0)
        self._directions = frozen.standard_normal((FOURIER_TERMS, len(self._mean))) / np.sqrt(2 * len(self._mean))
        self._phases = frozen.uniform(0, 2 * np.pi, FOURIER_TERMS)

    def terms(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The terms of one capture's features, float32 [D] → float64 [FOURIER_TERMS]."""
        standard = np.clip((features - self._mean) / self._deviation, -10, 10)
        return np.asarray(np.sqrt(2 / FOURIER_TERMS) * np.cos(self._directions @ standard + self._phases))
