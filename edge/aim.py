"""What helps to aim a camera: how sharp a picture is, how it is exposed, and how its straight edges lean.

All of it is measured on the pixels as the camera gives them, strip by strip, so that it costs little memory beside a
daemon. The numbers compare pictures of one scene with each other; between scenes they mean nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

STRIP_PX = 256
BINS = 32
BRIGHT_FROM, DARK_BELOW = 250, 12
LEAN_WIDTH_PX = 480
LEAN_RANGE_DEG = 15.0
"""Edges that lean further are taken for leaves."""

LEAN_DISTINCT = 2.5
"""So many times the mean the histogram of directions must reach for a lean to be told."""

STRAIGHT_WITHIN_DEG = 1.0
FAIR_SHARE = 0.02
"""This share of lost highlights is nothing to act on."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One picture's reading.

    Attributes:
        width_px, height_px: of the whole picture.
        focus: variance of the Laplacian of the slightly smoothed grey picture; higher is sharper.
        histogram: shares of 32 equal bins of grey.
        bright_share, dark_share: pixels at 250 or above, and below 12.
        median: median grey, 0 to 255.
        lean_deg: how far the edges that are nearly upright or level lean, clockwise; None if there are none distinct.
    """

    width_px: int
    height_px: int
    focus: float
    histogram: tuple[float, ...]
    bright_share: float
    dark_share: float
    median: float
    lean_deg: float | None


def aim(pixels: NDArray[np.uint8]) -> Aim:
    """Read a picture, uint8 [h, w, 3], BGR."""
    counts = np.zeros(256)
    squares = 0.0
    for top in range(0, pixels.shape[0], STRIP_PX):
        grey = cv2.cvtColor(pixels[top : top + STRIP_PX], cv2.COLOR_BGR2GRAY)
        counts += cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
        squares += float(cv2.norm(cv2.Laplacian(cv2.GaussianBlur(grey, (3, 3), 0), cv2.CV_16S), cv2.NORM_L2SQR))
    total = counts.sum()
    return Aim(
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        focus=round(squares / total, 2),
        histogram=tuple(np.round(counts.reshape(BINS, -1).sum(1) / total, 4).tolist()),
        bright_share=round(float(counts[BRIGHT_FROM:].sum() / total), 4),
        dark_share=round(float(counts[:DARK_BELOW].sum() / total), 4),
        median=float(np.searchsorted(np.cumsum(counts), total / 2)),
        lean_deg=lean_deg(pixels),
    )


def lean_deg(pixels: NDArray[np.uint8]) -> float | None:
    """How far the scene's straight edges (pots, benches, gutters) are turned from upright and level, clockwise.

    Gradients vote for their direction modulo a right angle, weighted by the square of their strength; the peak counts
    if it stands out. A scene of leaves alone has none.
    """
    height = max(1, round(pixels.shape[0] * LEAN_WIDTH_PX / pixels.shape[1]))
    small = cv2.resize(pixels, (LEAN_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), 1.5)
    dx, dy = cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    degrees = (np.degrees(np.arctan2(dy, dx)) + 45) % 90 - 45
    votes, edges = np.histogram(degrees, 180, (-45, 45), weights=dx * dx + dy * dy)
    smooth = np.convolve(np.concatenate((votes[-2:], votes, votes[:2])), np.ones(5) / 5, "valid")
    peak = int(np.argmax(smooth))
    lean = float((edges[peak] + edges[peak + 1]) / 2)
    if not votes.any() or smooth[peak] < LEAN_DISTINCT * smooth.mean() or abs(lean) > LEAN_RANGE_DEG:
        return None
    near = slice(max(0, peak - 4), peak + 5)
    middle = (edges[:-1] + edges[1:])[near] / 2
    return round(float(np.average(middle, weights=votes[near] + 1e-9)), 1)


def advice(now: Aim, best_focus: float) -> list[str]:
    """What to do about a reading, the most urgent first; nothing if all is well."""
    told = []
    if now.bright_share > FAIR_SHARE:
        told.append(f"{now.bright_share:.0%} of the picture is overexposed: shorten the exposure or shade the sun")
    if now.median < 2 * DARK_BELOW:
        told.append("the picture is dark: lengthen the exposure or switch on the light")
    if best_focus and now.focus < 0.8 * best_focus:
        told.append(f"it was sharper before: turn the focus back ({now.focus / best_focus:.0%} of the best)")
    if now.lean_deg is not None and abs(now.lean_deg) > STRAIGHT_WITHIN_DEG:
        way = "counter-clockwise" if now.lean_deg > 0 else "clockwise"
        told.append(f"straight edges lean by {now.lean_deg:+.1f}°: turn the camera's picture {way}")
    return told
