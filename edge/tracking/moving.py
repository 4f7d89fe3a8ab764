"""The camera's own movement, from each picture to the next, by the corners that both show."""

import numpy as np
from numpy.typing import NDArray

from edge.calibration.movement import Affine, Landmarks

STILL: Affine = np.array([[1.0, 0, 0], [0, 1.0, 0]])


class EgoMotion:
    """Where what the last picture showed lies in this one. Where corners do not tell, the camera goes on as before.

    Args:
        reach: how far the picture may move in one step, as a share of its longer side.
    """

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._last: Landmarks | None = None
        self._movement = STILL

    def step(self, picture: NDArray[np.uint8]) -> tuple[Affine, bool]:
        """The movement to ``picture``, uint8 [h, w, 3] BGR, in its px; and whether it was seen, not guessed."""
        here = Landmarks(picture)
        last, self._last = self._last, here
        if last is None or last.shape != here.shape:
            self._movement = STILL
            return STILL, last is None
        found = last.carried_to(here, self._reach)
        if found is None:
            return self._movement, False
        self._movement = found[0]
        return self._movement, True
