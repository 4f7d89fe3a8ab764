"""The quality gate: is a picture fit to measure? A bad one makes a flagged record, never a zero."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.records import QualityFlag
from edge.preprocess import Placement
from edge.settings import QualitySettings

BRIGHTEST_SHARE = 0.005
OVEREXPOSED_FROM = 250
LIT_FROM = 24
STRIDE_PX = 4
"""The colour of the light needs no fine detail."""


class QualityGate:
    """Judges the pictures of one camera, one after the other."""

    def __init__(self, settings: QualitySettings, *, live: bool) -> None:
        self._settings = settings
        self._live = live
        self._previous: NDArray[np.uint8] | None = None
        self._times = 0

    def judge(self, image: NDArray[np.uint8], placement: Placement) -> tuple[QualityFlag, ...]:
        """Why a fitted picture, uint8 [1, H, W, 3], is not fit to measure; empty if it is."""
        grey = cv2.cvtColor(image[0][placement.region], cv2.COLOR_BGR2GRAY)
        counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
        findings = {
            QualityFlag.DARK: brightness(counts) < self._settings.dark_below,
            QualityFlag.LAMP: lamp_ratio(image[0][placement.region], grey) > self._settings.lamp_above,
            QualityFlag.OVEREXPOSED: overexposed_share(counts) > self._settings.overexposed_share,
            QualityFlag.BLURRED: sharpness(grey, counts, self._settings.dark_below) < self._settings.blurred_below,
            QualityFlag.FROZEN: self._live and self._repeats(grey) >= self._settings.frozen_after,
        }
        return tuple(flag for flag, found in findings.items() if found)

    def forbids(self, flags: tuple[QualityFlag, ...]) -> bool:
        """Whether a picture with these flags is not to be measured; else it is measured and flagged."""
        flagged = {QualityFlag.DARK: self._settings.dark == "flag", QualityFlag.LAMP: self._settings.lamp == "flag"}
        return not all(flagged.get(flag, False) for flag in flags)

    def _repeats(self, grey: NDArray[np.uint8]) -> int:
        """How many times running this picture was seen. The noise of a live sensor makes an exact repeat impossible."""
        same = self._previous is not None and np.array_equal(self._previous, grey)
        self._times = self._times + 1 if same else 1
        self._previous = grey
        return self._times


def brightness(counts: NDArray[np.float32]) -> int:
    """The grey value that the brightest half percent of the pixels reaches, from their histogram."""
    return int(np.searchsorted(np.cumsum(counts), (1 - BRIGHTEST_SHARE) * counts.sum()))


def overexposed_share(counts: NDArray[np.float32]) -> float:
    """Share of the pixels that have lost their colour to the sensor's limit."""
    return float(counts[OVEREXPOSED_FROM:].sum() / counts.sum())


def sharpness(grey: NDArray[np.uint8], counts: NDArray[np.float32], dark_below: float) -> float:
    """Mean square of the Laplacian over the pixels that are not dark, so that a black surround does not thin it out.

    The Laplacian's mean is about 0, so this is its variance (Pech-Pacheco et al. 2000). Infinite if all is dark: then
    there is nothing to be sharp.
    """
    lit = float(counts[int(np.ceil(dark_below)) :].sum())
    return float(cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L2SQR)) / lit if lit else float("inf")


def lamp_ratio(pixels: NDArray[np.uint8], grey: NDArray[np.uint8]) -> float:
    """How far the light lacks green: the weaker of the mean red and blue over the mean green, of what is lit.

    Clipped pixels have lost their colour, and dark ones never had any, so neither counts; 0 if nothing else is there.
    """
    sample, sample_grey = (np.ascontiguousarray(each[::STRIDE_PX, ::STRIDE_PX]) for each in (pixels, grey))
    lit = cv2.inRange(sample_grey, LIT_FROM, OVEREXPOSED_FROM - 1)
    blue, green, red, _ = cv2.mean(sample, mask=lit)
    return min(blue, red) / green if green else 0.0
