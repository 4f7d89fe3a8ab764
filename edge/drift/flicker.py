"""How much brightness jumps from one picture to the next: a cloud is slow, an exposure that is not locked is not."""

import math
from collections import deque
from statistics import median

import numpy as np
from numpy.typing import NDArray

from edge.contract.records import Clock
from edge.preprocess import Placement

STRIDE_PX = 8
LEAST_APART_S, MOST_APART_S = 60.0, 900.0
"""Pictures nearer to each other show one exposure; between those farther apart the sun moves."""

MOST_JUMPS = 64
LEAST_JUMPS = 3


class Flicker:
    """Jumps between the pictures since the last look."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self._jumps: deque[float] = deque(maxlen=MOST_JUMPS)

    def take(self, clock: Clock, image: NDArray[np.uint8], placement: Placement) -> None:
        """Note a fitted picture, uint8 [1, H, W, 3]."""
        if self._last is not None and 0 <= clock.monotonic_s - self._last[0] < LEAST_APART_S:
            return
        light = math.log2(float(image[0][placement.region][::STRIDE_PX, ::STRIDE_PX].mean()) + 1.0)
        if self._last is not None and 0 < clock.monotonic_s - self._last[0] <= MOST_APART_S:
            self._jumps.append(abs(light - self._last[1]))
        self._last = clock.monotonic_s, light

    def told(self) -> float:
        """The middle jump in stops; NaN of fewer than ``LEAST_JUMPS``. It then begins anew."""
        jumps = median(self._jumps) if len(self._jumps) >= LEAST_JUMPS else math.nan
        self._jumps.clear()
        return jumps
