"""Drift: what a camera's pictures and the model's answers were like over a time, in numbers that add up.

Windows of the same reference add exactly, over cameras, sites, days and models: counts add, and means and sums of
squares are joined without loss (Chan, Golub and LeVeque 1983). Every number is of *captures*: pictures that lie far
enough apart to count as independent looks.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.message import Count, Digest, Entry, Name, Wire
from edge.contract.records import Clock
from edge.contract.reference import BINS

MAX_STATISTICS = 64
FOURIER_TERMS = 64
"""Random Fourier features (Rahimi and Recht 2007): a window's mean of them is what its graph features are like."""

Bins = Annotated[tuple[Count, ...], Field(min_length=BINS, max_length=BINS)]
PerStatistic = Annotated[dict[Name, float], Field(max_length=MAX_STATISTICS)]


class Moments(Wire):
    """How many, their mean, and the sum of squared deviations from it."""

    count: Count
    mean: float
    m2: Annotated[float, Field(ge=0)]

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + apart * other.count / count,
            m2=self.m2 + other.m2 + apart**2 * self.count * other.count / count,
        )


class WindowSums(Wire):
    """The part of a window that adds up.

    ``histograms`` are on the reference's edges of the window's band; ``fourier`` is the sum over captures of the
    features' random Fourier terms.
    """

    captures: Count = 0
    histograms: Annotated[dict[Name, Bins], Field(max_length=MAX_STATISTICS)] = Field(default_factory=dict)
    moments: Annotated[dict[Name, Moments], Field(max_length=MAX_STATISTICS)] = Field(default_factory=dict)
    fourier: Annotated[tuple[float, ...], Field(max_length=FOURIER_TERMS)] = ()

    def __add__(self, other: "WindowSums") -> "WindowSums":
        """Both together.

        Raises:
            ValueError: they do not hold the same statistics, so their sum would say nothing of either.
        """
        if not self.captures or not other.captures:
            return self if self.captures else other
        if self.histograms.keys() != other.histograms.keys() or len(self.fourier) != len(other.fourier):
            raise ValueError("windows of different statistics do not add up")
        return WindowSums(
            captures=self.captures + other.captures,
            histograms={
                name: tuple(a + b for a, b in zip(bins, other.histograms[name], strict=True))
                for name, bins in self.histograms.items()
            },
            moments={name: moments + other.moments[name] for name, moments in self.moments.items()},
            fourier=tuple(a + b for a, b in zip(self.fourier, other.fourier, strict=True)),
        )


def discoveries(evidence: Mapping[str, float], alpha: float) -> tuple[str, ...]:
    """Which of many e-values are too large for chance, at a false discovery rate of at most ``alpha``, largest first.

    e-BH (Wang and Ramdas 2022), which needs no independence: the k largest, for the largest k of which the k-th is at
    least n / (k alpha).
    """
    ordered = sorted(evidence, key=lambda name: (-evidence[name], name))
    passing = [k for k, name in enumerate(ordered, start=1) if evidence[name] * k * alpha >= len(ordered)]
    return tuple(ordered[: max(passing, default=0)])


def merged(parts: Iterable[WindowSums]) -> WindowSums:
    """The whole of which these are the parts."""
    return reduce(WindowSums.__add__, parts, WindowSums())


class CountError(Wire):
    """How far counts of a thing are off, as estimated without any truth: the mean absolute error in a picture.

    ``found`` is the mean number found; with the chance for which the package was measured, the error lies between
    ``low`` and ``high``.
    """

    error: Annotated[float, Field(ge=0)]
    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(ge=0)]
    found: Annotated[float, Field(ge=0)]


class DriftWindow(Wire):
    """One camera's captures of one light band from ``since`` to ``until``.

    ``reference`` names what it is compared with: the model package's own, or, with ``rebased``, the camera's first
    clean days. ``psi`` and ``js`` (population stability index; Jensen-Shannon divergence, base 2) are for people who
    know them; nothing is alarmed on. ``scores`` say how far the middle capture of the day lay from the camera's own
    last days at the same hour, in their spread; ``changes`` the same in the statistic's unit. ``evidence`` holds, at
    the window's end, the value of each statistic's e-detector: 1/evidence bounds the chance of seeing so much in a year
    of a camera that has not drifted. ``alarms`` are the statistics that have passed the limit. ``count_errors`` are
    estimates by thing; of one that is not there, there is none.
    """

    camera: Name
    model: Digest
    reference: Digest
    rebased: bool = False
    band: Name
    since: Clock
    until: Clock
    sums: WindowSums
    psi: PerStatistic = Field(default_factory=dict)
    js: PerStatistic = Field(default_factory=dict)
    scores: PerStatistic = Field(default_factory=dict)
    changes: PerStatistic = Field(default_factory=dict)
    evidence: PerStatistic = Field(default_factory=dict)
    alarms: Annotated[tuple[Name, ...], Field(max_length=MAX_STATISTICS)] = ()
    count_errors: Annotated[dict[Name, CountError], Field(max_length=16)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> "DriftWindow":
        if self.until.at < self.since.at and self.since.clock_ok and self.until.clock_ok:
            raise ValueError("until lies before since")
        return self


class DriftEntry(Entry):
    """A window in its place in the stream."""

    record: DriftWindow
