"""Counts of plants, leaves and fruit in each plot, and the sizes of leaves: what comes from the network's instances."""

import numpy as np
from numpy.typing import NDArray

from edge.calibration.plane import Plane
from edge.contract import traits as vocabulary
from edge.contract.manifest import Manifest
from edge.members import Members
from edge.plots import NO_PLOT
from edge.region import Estimate
from edge.segmentation import NONE, Segmentation

LEAST_LEAF_CELLS = 3
"""A leaf of fewer cells has no axes."""

Column = dict[int, Estimate]
"""Plot → what was measured in it."""


def counts(segmentation: Segmentation, members: Members, manifest: Manifest) -> dict[str, Column]:
    """Trait → counts of each plot, of each thing."""
    thing = segmentation.objects.thing
    return {
        each.count_trait: _count(thing == index, segmentation, members) for index, each in enumerate(manifest.things)
    }


def leaf_sizes(
    segmentation: Segmentation, members: Members, manifest: Manifest, cell_px: float, plane: Plane | None = None
) -> dict[str, Column]:
    """Mean length and width of each plot's leaves: axes of the ellipse with a leaf's second moments (skimage's).

    In px of the picture; with a ``plane`` in mm on it, the moments carried there at the middle of each leaf.
    """
    leaves = [thing.count_trait == vocabulary.LEAF_COUNT.name and thing.grouped for thing in manifest.things]
    chosen = np.array(leaves)[segmentation.objects.thing] & np.append(members.planted, False)[members.home]
    if not chosen.any():
        return {}
    long, short = _axes(segmentation.instances, len(chosen), plane)
    unit = 1.0 if plane else cell_px
    return {
        trait.name: _means(axis * unit, chosen & np.isfinite(axis), members)
        for trait, axis in ((vocabulary.LEAF_LENGTH, long), (vocabulary.LEAF_WIDTH, short))
    }


def _count(chosen: NDArray[np.bool_], segmentation: Segmentation, members: Members) -> Column:
    """How many of the ``chosen`` objects each plot has, none where no plant is; the scores are taken as chances."""
    score = np.clip(segmentation.objects.score[chosen], 0, 1)
    home = members.home[chosen]
    inside = home != NO_PLOT
    plots = len(members.planted)
    number = np.bincount(home[inside], minlength=plots) * members.planted
    doubt = np.sqrt(np.bincount(home[inside], (score * (1 - score))[inside], minlength=plots))
    return {
        plot: Estimate(float(count), sd if count else None)
        for plot, (count, sd) in enumerate(zip(number.tolist(), doubt.tolist(), strict=True))
    }


def _axes(
    instances: NDArray[np.int32], objects: int, plane: Plane | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both axes of each object's ellipse in cells or mm, NaN for one of too few; a cell adds 1/12 for its own size."""
    found = np.flatnonzero(instances != NONE)
    row = instances.ravel()[found]
    cells = np.bincount(row, minlength=objects)

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(row, weights, minlength=objects) / np.maximum(cells, 1)

    y, x = (place.astype(np.float64) for place in np.divmod(found, instances.shape[1]))
    mean_y, mean_x = mean(y), mean(x)
    yy, xx, xy = mean(y * y) - mean_y**2 + 1 / 12, mean(x * x) - mean_x**2 + 1 / 12, mean(x * y) - mean_y * mean_x
    if plane:
        xx, xy, yy = _carried(xx, xy, yy, plane.jacobian[np.rint(mean_y).astype(int), np.rint(mean_x).astype(int)])
    root = np.hypot(yy - xx, 2 * xy)
    enough = cells >= LEAST_LEAF_CELLS
    long, short = (4 * np.sqrt(np.maximum(yy + xx + sign * root, 0) / 2) for sign in (1, -1))
    return np.where(enough, long, np.nan), np.where(enough, short, np.nan)


def _carried(
    xx: NDArray[np.float64], xy: NDArray[np.float64], yy: NDArray[np.float64], jacobian: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Second moments after the linear map ``jacobian``, float64 [n, 2, 2]: J M J'."""
    moments = jacobian @ np.stack([xx, xy, xy, yy], axis=-1).reshape(-1, 2, 2) @ jacobian.transpose(0, 2, 1)
    return moments[:, 0, 0], moments[:, 0, 1], moments[:, 1, 1]


def _means(values: NDArray[np.float64], chosen: NDArray[np.bool_], members: Members) -> Column:
    """Mean over the chosen objects of each plot that has any, and its standard error where there are two."""
    home, own = members.home[chosen], values[chosen]
    count = np.bincount(home)
    mean = np.bincount(home, own) / np.maximum(count, 1)
    squares = np.bincount(home, (own - mean[home]) ** 2)
    error = np.sqrt(squares / np.maximum(count * (count - 1), 1))
    return {
        plot: Estimate(value, sd if number > 1 else None)
        for plot, (number, value, sd) in enumerate(zip(count.tolist(), mean.tolist(), error.tolist(), strict=True))
        if number
    }
