"""Pictures for tests: drawn scenes, and the real ones where they are at hand."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

REAL = Path(__file__).parents[2] / ".." / "shared" / "data"
GREEN = (40, 160, 60)
SOIL = (50, 60, 75)


def real_pictures(pattern: str) -> list[Path]:
    """Paths of real pictures, sorted; skips the test if they are not at hand."""
    paths = sorted(REAL.glob(pattern))
    if not paths:
        pytest.skip(f"no {pattern} in shared/data beside the repository")
    return paths


def read(path: Path) -> NDArray[np.uint8]:
    """Pixels of a picture that is known to be readable."""
    pixels = cv2.imread(str(path))
    assert pixels is not None, path
    return pixels


def soil(height_px: int, width_px: int, seed: int = 0) -> NDArray[np.uint8]:
    """Bare soil with the noise of a sensor."""
    noise = np.random.default_rng(seed).integers(-12, 13, (height_px, width_px, 1))
    return np.clip(np.asarray(SOIL) + noise, 0, 255).astype(np.uint8)


def discs(pixels: NDArray[np.uint8], places: Iterable[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """The picture with green discs at (y, x, radius)."""
    drawn = pixels.copy()
    for y, x, radius in places:
        cv2.circle(drawn, (x, y), radius, GREEN, -1)
    return drawn


def draw_pictures(folder: Path, count: int) -> None:
    """Soil with discs that grow, named by their times."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = discs(soil(128, 128, number), [(32, 32, 3 + number % 20), (96, 96, 5 + number % 15)])
        cv2.imwrite(str(folder / f"2026-05-{1 + number // 24:02d}_{number % 24:02d}-00-00.jpg"), picture)
