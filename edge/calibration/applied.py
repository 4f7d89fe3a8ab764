"""What a calibration does to the measuring of one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.calibration.plane import Plane
from edge.calibration.sizes import SIZES
from edge.contract import traits as vocabulary
from edge.contract.traits import Trait, Unit

METRIC = {Unit.PX: Unit.MM, Unit.PX2: Unit.MM2}
ON_PLANE = {*SIZES, vocabulary.LEAF_LENGTH.name, vocabulary.LEAF_WIDTH.name}
"""Traits that have a size in mm. Centroids stay px: they say where in the picture, not how large."""

UNCORRECTED = "not calibrated"


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """The plane under the picture, and the table that corrects its colours; ``None`` where neither is known."""

    plane: Plane | None = None
    colours: NDArray[np.uint8] | None = None

    def unit(self, trait: Trait) -> Unit:
        """In which unit ``trait`` is given: never mm by a guess."""
        return METRIC[trait.unit] if self.plane and trait.name in ON_PLANE else trait.unit

    def method(self, trait: Trait) -> str:
        """How it is measured, as far as the calibration changes it."""
        if self.plane and trait.name in ON_PLANE:
            return f"{trait.method}; on the calibrated plane"
        if self.colours is not None:
            return trait.method.replace(UNCORRECTED, "corrected by colour card")
        return trait.method


UNCALIBRATED = Applied()
