"""Proposes plots: the rows and columns in which plants were found, and the pots between them that hold none."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import CalibrationFailed
from edge.settings import GridPlots, PlotSettings, Point, PolygonPlots

LEAST_PLANTS = 4
ASKEW_DEGREE = 35.0
"""A tray lies along the picture up to so much; beyond, which way its rows run is a guess."""

OFF_GRID = 0.35
"""A plant farther from its pot's middle, as a share of the distance between pots, is of another tray, or a weed."""

ORDERED, PLANTED = 0.7, 0.5
"""So many of the plants found must stand in the rows, and so many of the pots must hold one."""

MOST_SPREAD = 0.14
"""Plants that lie farther from their pots' middles than this share of the pots' distance stand in no rows."""

STRAIGHT = 0.1
"""Pots that deviate no more from an upright grid, as a share of their distance, are one."""

Points = NDArray[np.float64]


class Lattice(NamedTuple):
    """Rows and columns of pots: ``to_px`` takes (column, row), middles at whole numbers from 0, to px."""

    rows: int
    columns: int
    to_px: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Plots, and what they stand on: ``planted`` are the places of plants that lie in the grid, ``strays`` all others.

    ``planted_in`` names the plots in which a plant was found; ``spread`` is how far plants lie from their pots'
    middles, as a share of the distance between pots.
    """

    plots: PlotSettings
    rows: int
    columns: int
    outlines: dict[str, Points]
    planted: Points
    strays: Points
    planted_in: frozenset[str]
    spread: float


def propose(plants: Points, size_px: tuple[int, int], rows: int | None, columns: int | None) -> Proposal:
    """Plots for plants found at (x, y) in px, float64 [n, 2], in a picture of ``size_px``, height and width.

    ``rows`` and ``columns`` say how many there are, where that is known: empty ones at the side cannot be seen.

    Raises:
        CalibrationFailed: there are too few plants, or they do not stand in rows, or in more than were named.
    """
    along, down = _steps(plants)
    index, chosen = _indexed(plants, along, down)
    index, chosen, to_px = _fitted(plants, index, chosen, along, down)
    found = index.max(axis=0) + 1
    spread = _spread(plants[chosen], index, to_px, along)
    if len(chosen) < max(ORDERED * len(plants), PLANTED * int(found.prod())) or spread > MOST_SPREAD:
        raise CalibrationFailed(
            f"of {len(plants)} plants found, {len(chosen)} stand in {found[1]} rows and {found[0]} columns: too few to "
            "believe it; draw the plots by hand (docs/calibration.md)"
        )
    first, count = _extended(found, (columns, rows), to_px, size_px)
    to_px = to_px @ np.array([[1, 0, first[0]], [0, 1, first[1]], [0, 0, 1.0]])
    index = index - first
    lattice = Lattice(rows=int(count[1]), columns=int(count[0]), to_px=to_px)
    outlines = _outlines(lattice, size_px)
    return Proposal(
        plots=_settings(lattice, outlines, size_px),
        rows=lattice.rows,
        columns=lattice.columns,
        outlines=outlines,
        planted=plants[chosen],
        strays=np.delete(plants, chosen, axis=0),
        planted_in=frozenset(f"R{row + 1}C{column + 1}" for column, row in index.tolist()),
        spread=spread,
    )


def _spread(planted: Points, index: NDArray[np.int64], to_px: NDArray[np.float64], along: Points) -> float:
    off = (planted - _mapped(index.astype(np.float64), to_px)) / np.hypot(*along)
    return float(np.sqrt((off**2).sum(axis=1).mean()))


def _steps(plants: Points) -> tuple[Points, Points]:
    """From a pot to the next in its row, and in its column: medians over the nearest neighbours."""
    if len(plants) < LEAST_PLANTS:
        raise CalibrationFailed(
            f"{len(plants)} plants are found, {LEAST_PLANTS} are needed to tell rows from columns; wait until they are "
            "larger, or draw the plots by hand (plots in docs/calibration.md)"
        )
    apart = plants[None] - plants[:, None]
    angle = np.degrees(np.arctan2(apart[..., 1], apart[..., 0]))
    steps = []
    for turn in (0.0, 90.0):
        ahead = (np.abs(angle - turn) < ASKEW_DEGREE) & (np.hypot(apart[..., 0], apart[..., 1]) > 0)
        length = np.where(ahead, np.hypot(apart[..., 0], apart[..., 1]), np.inf)
        nearest = np.argmin(length, axis=1)[np.isfinite(length.min(axis=1))]
        which = np.flatnonzero(np.isfinite(length.min(axis=1)))
        steps.append(apart[which, nearest])
    along, down = (_typical(each) for each in steps)
    if along is None and down is None:
        raise CalibrationFailed("the plants found stand in no rows; draw the plots by hand (docs/calibration.md)")
    along = np.array([down[1], -down[0]]) if along is None and down is not None else along
    down = np.array([-along[1], along[0]]) if down is None and along is not None else down
    return np.asarray(along), np.asarray(down)


def _typical(steps: Points) -> Points | None:
    """Median of the steps about as long as the short ones are: longer ones go over a missing plant.

    A quarter may be shorter still, between two plants of one pot.
    """
    if len(steps) < 2:
        return None
    length = np.hypot(*steps.T)
    alike = np.abs(np.log(length / np.quantile(length, 0.3))) < 0.3
    return np.asarray(np.median(steps[alike], axis=0), np.float64) if alike.any() else None


def _indexed(plants: Points, along: Points, down: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of the plants that can be reached from one to the next, over one missing pot at the most."""
    basis = np.linalg.inv(np.column_stack([along, down]))
    best: dict[int, NDArray[np.int64]] = {}
    for seed in range(len(plants)):
        if seed in best:
            continue
        index, waiting = {seed: np.zeros(2, np.int64)}, [seed]
        while waiting:
            at = waiting.pop(0)
            steps = (plants - plants[at]) @ basis.T
            near = np.abs(steps - np.rint(steps)).max(axis=1) < OFF_GRID
            small = (np.abs(np.rint(steps)).sum(axis=1) <= 2) & (np.abs(np.rint(steps)).sum(axis=1) > 0)
            for other in np.flatnonzero(near & small).tolist():
                if other not in index:
                    index[other] = index[at] + np.rint(steps[other]).astype(np.int64)
                    waiting.append(other)
        if len(index) > len(best):
            best = index
    return np.array(list(best.values())), np.array(list(best))


def _fitted(
    plants: Points, index: NDArray[np.int64], chosen: NDArray[np.int64], along: Points, down: Points
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The lattice through the plants by least squares, without those that lie off it, its least index at 0."""
    for _ in range(3):
        if len(chosen) < LEAST_PLANTS:
            raise CalibrationFailed("the plants found stand in no rows; draw the plots by hand (docs/calibration.md)")
        index = index - index.min(axis=0)
        to_px = _lattice(index.astype(np.float64), plants[chosen], along, down)
        off = np.hypot(*(plants[chosen] - _mapped(index.astype(np.float64), to_px)).T)
        on = off < OFF_GRID * min(np.hypot(*along), np.hypot(*down))
        if on.all():
            break
        index, chosen = index[on], chosen[on]
    return index, chosen, to_px


def _lattice(index: Points, places: Points, along: Points, down: Points) -> NDArray[np.float64]:
    """A homography where plants fill rows and columns, else as much as they tell: an affine map, or the steps alone."""
    span = np.ptp(index, axis=0)
    if span.min() >= 2 and len(index) >= 12:
        found, _ = cv2.findHomography(index, places, cv2.RANSAC, 0.3 * float(np.hypot(*along)))
        if found is not None:
            return np.asarray(found, np.float64)
    if span.min() >= 1:
        terms = np.column_stack([index, np.ones(len(index))])
        affine = np.linalg.lstsq(terms, places, rcond=None)[0].T
    else:
        shift = (places - index @ np.stack([along, down])).mean(axis=0)
        affine = np.column_stack([along, down, shift])
    return np.vstack([affine, [0, 0, 1]])


def _extended(
    found: NDArray[np.int64],
    wanted: tuple[int | None, int | None],
    to_px: NDArray[np.float64],
    size_px: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first pot, and how many there are: those that are wanted and not seen lie where there is room."""
    count = np.array([there if ask is None else ask for there, ask in zip(found.tolist(), wanted, strict=True)])
    if (count < found).any():
        raise CalibrationFailed(
            f"plants are found in {found[1]} rows and {found[0]} columns, more than were named; leave out --rows and "
            "--columns, or hide what is no tray"
        )
    best, first = -np.inf, np.zeros(2, np.int64)
    for shift in np.ndindex(*(count - found + 1).tolist()):
        low = -np.array(shift)
        ends = _mapped(np.array([low - 0.5, low + count - 0.5], np.float64), to_px)
        room = float(np.min([ends[0].min(), size_px[1] - ends[1, 0], size_px[0] - ends[1, 1]]))
        if room > best:
            best, first = room, low
    return first, count


def _mapped(points: Points, to_px: NDArray[np.float64]) -> Points:
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2), to_px), np.float64).reshape(-1, 2)


def _outlines(lattice: Lattice, size_px: tuple[int, int]) -> dict[str, Points]:
    """Corners of each pot's cell in px, within the picture."""
    around = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return {
        f"R{row + 1}C{column + 1}": _mapped(around + np.array([column, row]), lattice.to_px).clip(0, size_px[::-1])
        for row in range(lattice.rows)
        for column in range(lattice.columns)
    }


def _settings(lattice: Lattice, outlines: dict[str, Points], size_px: tuple[int, int]) -> PlotSettings:
    """A grid where the pots are one, which is easier to read and to correct by hand; else an outline for each."""
    corners = np.array(list(outlines.values()))
    low, high = corners.reshape(-1, 2).min(axis=0), corners.reshape(-1, 2).max(axis=0)
    pitch = (high - low) / (lattice.columns, lattice.rows)
    upright = np.array([(low + pitch * (column, row)) for row, column in np.ndindex(lattice.rows, lattice.columns)])
    off = np.abs(corners[:, 0] - upright) / pitch
    fraction = np.array(size_px[::-1])
    if off.max() < STRAIGHT:
        (left, top), (right, bottom) = (_rounded(each / fraction) for each in (low, high))
        return GridPlots(rows=lattice.rows, columns=lattice.columns, top_left=(left, top), bottom_right=(right, bottom))
    return PolygonPlots(
        outlines={name: [_rounded(corner / fraction) for corner in outline] for name, outline in outlines.items()}
    )


def _rounded(point: Points) -> Point:
    x, y = point.clip(0, 1).tolist()
    return round(x, 4), round(y, 4)
