"""How far two models agree on the same pictures, and whether that is near enough. Pure: findings in, histograms out."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.contract.control import ModelRef, ShadowReport
from edge.settings import AgreementSettings
from edge.sights import Finding

COUNT_REACH = 8
AREA_REACH = 2.0
AREA_BINS = 17
CLASS_BINS = 10

SPECK_CELLS = 16
"""Added to both areas before they are divided, so that nothing beside a speck of moss is no infinite ratio."""

Bins = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a candidate found in one picture, against what the model in force found in it.

    Attributes:
        count: number of the candidate's things less that of the other's, of the first kind that both count.
        most: the larger of the two numbers.
        area_log2: logarithm to base 2 of the ratio of the plant areas.
        same_class: share of cells to which both give the same class; of plant or not, where their classes differ.
        gone_blind: the one in force sees plants and the candidate none.
    """

    count: int
    most: int
    area_log2: float
    same_class: float
    gone_blind: bool

    def within(self, limits: AgreementSettings) -> bool:
        """Whether it is small enough."""
        return (
            abs(self.count) <= max(limits.count, limits.count_share * self.most)
            and abs(self.area_log2) <= limits.area_log2
            and self.same_class >= limits.same_class
        )


def difference(candidate: Finding, active: Finding) -> Difference:
    """Compare what two models found in one picture; their grids may differ."""
    shape = active.plant.shape
    area = float(candidate.plant.mean()) * active.plant.size, float(active.plant.sum())
    ratio = (area[0] + SPECK_CELLS) / (area[1] + SPECK_CELLS)
    trait = next((name for name in active.counts if name in candidate.counts), None)
    counts = (candidate.counts[trait], active.counts[trait]) if trait else (0, 0)
    if candidate.class_names == active.class_names:
        theirs, ours = candidate.classes, active.classes
    else:
        theirs, ours = candidate.plant.view(np.uint8), active.plant.view(np.uint8)
    if theirs.shape != shape:
        theirs = np.asarray(cv2.resize(theirs, shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    return Difference(
        count=counts[0] - counts[1],
        most=max(counts),
        area_log2=float(np.log2(ratio)),
        same_class=float(np.mean(theirs == ours)),
        gone_blind=active.sees_plants and not candidate.sees_plants,
    )


class Comparison:
    """Differences over many pictures, in memory that does not grow.

    Args:
        candidate: the model on trial.
        limits: what is near enough.
    """

    def __init__(self, candidate: ModelRef, limits: AgreementSettings) -> None:
        self._candidate, self._limits = candidate, limits
        self._counts = np.zeros(2 * COUNT_REACH + 1, np.int64)
        self._areas = np.zeros(AREA_BINS, np.int64)
        self._classes = np.zeros(CLASS_BINS, np.int64)
        self._agreed = self._blind = self._with_plants = 0

    @property
    def pictures(self) -> int:
        """How many were compared."""
        return int(self._counts.sum())

    def add(self, found: Difference, *, with_plants: bool) -> None:
        """Note one picture; ``with_plants`` says whether the model in force sees any in it."""
        self._counts[np.clip(found.count, -COUNT_REACH, COUNT_REACH) + COUNT_REACH] += 1
        place = (found.area_log2 + AREA_REACH) / (2 * AREA_REACH) * (AREA_BINS - 1)
        self._areas[np.clip(round(place), 0, AREA_BINS - 1)] += 1
        self._classes[min(int(found.same_class * CLASS_BINS), CLASS_BINS - 1)] += 1
        self._agreed += found.within(self._limits)
        self._blind += found.gone_blind
        self._with_plants += with_plants

    def report(self) -> ShadowReport:
        """For the wire."""
        return ShadowReport(
            model=self._candidate,
            pictures=self.pictures,
            agreed=self._agreed,
            count_bins=_bins(self._counts),
            area_bins=_bins(self._areas),
            class_bins=_bins(self._classes),
        )

    def objection(self, planned: int = 0) -> str:
        """Why the candidate cannot be believed; empty if it can, or nothing was compared.

        Of fewer pictures than the ``planned`` ones, disagreement is an objection once the rest could not mend it.
        """
        if self._with_plants and self._blind == self._with_plants:
            return (
                f"it is blind: it sees no plant in any of the {self._with_plants} pictures in which the model in force "
                "sees some"
            )
        whole = max(self.pictures, planned)
        least = self._limits.share * whole
        if self._agreed + whole - self.pictures < least:
            return (
                f"it disagrees with the model in force: only {self._agreed} of {self.pictures} pictures lie within the "
                f"limits of update.agreement, {np.ceil(least):.0f} of {whole} must"
            )
        return ""


def _bins(counts: "np.typing.NDArray[np.int64]") -> Bins:
    return tuple(int(count) for count in counts)
