"""Smooth random fields, the raw material of every surface."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

_BANK_PX = 2048


@cache
def _bank() -> NDArray[np.float32]:
    """Grain made once: drawing a million normal numbers for each scene would take longer than all else."""
    return np.random.default_rng(20260101).standard_normal((_BANK_PX, _BANK_PX), np.float32)


def grain(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Independent normal numbers, a random window of the bank, mirrored at random; float32 [height, width]."""
    rows, columns = (-(-side // _BANK_PX) for side in (height, width))
    bank = np.tile(_bank(), (rows, columns)) if rows > 1 or columns > 1 else _bank()
    top, left = rng.integers(bank.shape[0] - height + 1), rng.integers(bank.shape[1] - width + 1)
    window = bank[top : top + height, left : left + width]
    return np.ascontiguousarray(window[:: rng.choice([1, -1]), :: rng.choice([1, -1])])


def field(rng: np.random.Generator, shape: tuple[int, int], cell_px: float) -> NDArray[np.float32]:
    """Normal numbers at points ``cell_px`` apart and smooth in between, float32 [height, width]."""
    height, width = shape
    if cell_px <= 1:
        return grain(rng, height, width)
    coarse = grain(rng, int(height / cell_px) + 3, int(width / cell_px) + 3)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
