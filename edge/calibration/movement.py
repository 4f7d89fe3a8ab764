"""Whether a camera still stands where it was calibrated: corners of its reference picture, found again.

Leaves grow and move, so nothing is looked at where plants are, in either picture; light changes, so ORB's corners are
compared by the order of brightness around them (Rublee et al. 2011); a hand or a new label is outvoted (RANSAC). Shift,
turn and zoom are sought, four parameters: a full homography has eight, and where corners lie on one side of the picture
the other four are noise, which looks like movement.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURES = 400
LEAST_MATCHES = 12
"""Fewer corners that agree tell nothing: night, fog, a cloth over the tray."""

AGREED_SHARE = 0.3
"""Of all matches, so many must agree on one movement, or it is chance; a camera at rest agrees with itself on more."""

RANSAC_PX = 2.0
RATIO = 0.8
"""A match must be so much better than the second best (Lowe 2004)."""

REACH = 0.25
"""A corner is not sought farther away than this share of the picture's longer side: a knock, not another scene."""

GRID = 4
"""Corners are taken from each of 4x4 parts of the picture, so that one label does not have them all."""

Grey = NDArray[np.uint8]
Affine = NDArray[np.float64]
"""Shift, turn and zoom: points (x, y) of one picture in another, float64 [2, 3]."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How the picture moved against the reference.

    Attributes:
        share: how far the corner of the picture that moved most has moved, as a share of its width.
        shift: of the middle along x and y, as shares of the width.
        turn_degree: clockwise as the picture shows it.
        zoom: 1 is none.
        agreed: how many corners agree.
    """

    share: float
    shift: tuple[float, float]
    turn_degree: float
    zoom: float
    agreed: int


class Landmarks:
    """Corners of a picture.

    Args:
        picture: uint8 [h, w, 3], BGR.
        hidden: what is not to be looked at, bool [h, w].
    """

    def __init__(self, picture: NDArray[np.uint8], hidden: NDArray[np.bool_] | None = None) -> None:
        self.shape = picture.shape[:2]
        self.points, self.marks = _corners(_grey(picture), hidden)

    def __len__(self) -> int:
        return len(self.points)

    def movement_to(self, other: "Landmarks") -> Movement | None:
        """How the ``other`` picture, of the same size, moved against this one; ``None`` where that cannot be told."""
        found = self.carried_to(other, REACH)
        return None if found is None else _movement(found[0], self.shape, found[1])

    def carried_to(self, other: "Landmarks", reach: float) -> tuple[Affine, int] | None:
        """Where points of this picture lie in the ``other``, and how many corners agree; ``None``: it cannot be told.

        Corners are not sought farther away than ``reach`` of the picture's longer side.
        """
        if min(len(self), len(other)) < LEAST_MATCHES:
            return None
        ours, theirs = self._matched(other, reach * max(self.shape))
        if len(ours) < LEAST_MATCHES:
            return None
        found, inside = cv2.estimateAffinePartial2D(
            ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=1000, confidence=0.995
        )
        agreed = 0 if inside is None else int(inside.sum())
        if found is None or agreed < max(LEAST_MATCHES, AGREED_SHARE * len(ours)):
            return None
        return np.asarray(found, np.float64), agreed

    def _matched(self, other: "Landmarks", reach_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(self.marks, other.marks, k=2)
        chosen = [
            (best.queryIdx, best.trainIdx)
            for best, second in (pair for pair in pairs if len(pair) == 2)
            if best.distance < RATIO * second.distance
            and math.dist(self.points[best.queryIdx], other.points[best.trainIdx]) < reach_px
        ]
        rows = np.array(chosen, np.int64).reshape(-1, 2)
        return self.points[rows[:, 0]], other.points[rows[:, 1]]


def _grey(picture: NDArray[np.uint8]) -> Grey:
    """Evened out: ORB's threshold is one of contrast, and dusk has little."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(grey), np.uint8)


def _corners(grey: Grey, hidden: NDArray[np.bool_] | None) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The strongest corners in each part of the picture: x and y, float32 [n, 2], and their marks, uint8 [n, 32]."""
    orb = cv2.ORB.create(nfeatures=4 * FEATURES, nlevels=4, fastThreshold=12, edgeThreshold=19, patchSize=25)
    found = orb.detect(grey, None if hidden is None else np.where(hidden, 0, 255).astype(np.uint8))
    rows, columns = np.array(grey.shape) / GRID
    parts: dict[tuple[int, int], list[cv2.KeyPoint]] = {}
    for corner in sorted(found, key=lambda each: -each.response):
        part = parts.setdefault((int(corner.pt[1] // rows), int(corner.pt[0] // columns)), [])
        if len(part) < FEATURES // GRID**2:
            part.append(corner)
    kept, marks = orb.compute(grey, [corner for part in parts.values() for corner in part])
    places = np.array([corner.pt for corner in kept], np.float32).reshape(-1, 2)
    return places, np.zeros((0, 32), np.uint8) if marks is None else np.asarray(marks, np.uint8)


def _movement(found: Affine, shape: tuple[int, ...], agreed: int) -> Movement:
    height, width = shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height], [width / 2, height / 2]], np.float64)
    moved = corners @ found[:, :2].T + found[:, 2] - corners
    return Movement(
        share=float(np.hypot(*moved.T).max() / width),
        shift=(float(moved[4, 0] / width), float(moved[4, 1] / width)),
        turn_degree=math.degrees(math.atan2(found[1, 0], found[0, 0])),
        zoom=float(np.hypot(found[0, 0], found[1, 0])),
        agreed=agreed,
    )
