"""Traits of plots: what is counted and measured in each place of the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.colour import colours
from edge.contract import traits as vocabulary
from edge.contract.manifest import Manifest
from edge.contract.records import Outcome, TraitValue
from edge.contract.traits import VOCABULARY
from edge.plots import NO_PLOT, PlotMap
from edge.segmentation import NONE, Segmentation

SPECK_CELLS = 16
"""Fewer plant cells than these, without the centre of a plant, are no plant: moss, a label, noise of the network."""

LEAST_DIRECTION = 1e-3
"""Hues that cancel out to a mean vector shorter than this have no mean."""

Columns = dict[str, NDArray[np.float64]]
"""Trait → its value for each plot; NaN where it has none."""


@dataclass(frozen=True, slots=True)
class PlotTraits:
    """What was found in one plot."""

    plot: str
    outcome: Outcome
    traits: tuple[TraitValue, ...]


def measure(
    image: NDArray[np.uint8], segmentation: Segmentation, plots: PlotMap, manifest: Manifest
) -> list[PlotTraits]:
    """Measure the manifest's traits in every plot.

    A plant belongs to the plot in which its centre lies, with all its parts, so a leaf that hangs over the next pot
    gives that pot no plant. A leaf of which no plant was found belongs to the plot in which its centre lies, and cells
    of no leaf to that in which they lie. What belongs to no plot is not measured.

    Args:
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        segmentation: what was found in it.
        plots: the plots on the same placement.
        manifest: names the traits and what is counted.

    Returns:
        One entry for each plot, in order. ``NO_PLANT`` has counts and cover of 0 and no other trait; ``MEASURED`` lacks
        those traits that its plants' cells do not define (a plant of which only the centre was found has no colour).
    """
    members = _own(segmentation, plots, manifest)
    columns = {
        **_counts(segmentation, members, manifest),
        **_sizes(members, plots),
        **_places(members, plots),
        **_colours(image, segmentation, members),
    }
    reported = {name: columns[name] for name in manifest.traits if name in columns}
    return [
        PlotTraits(
            plot=name,
            outcome=Outcome.MEASURED if members.planted[index] else Outcome.NO_PLANT,
            traits=_values(reported, index),
        )
        for index, name in enumerate(plots.names)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """What belongs to which plot.

    Attributes:
        home: plot of each object, int64 [objects].
        rows, columns: where the plant cells lie, int64 [n].
        owner: plot of each plant cell, ``NO_PLOT`` for those of no plot and for specks, int64 [n].
        planted: whether the plot holds a plant, bool [plots].
    """

    home: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    owner: NDArray[np.int64]
    planted: NDArray[np.bool_]

    def total(self, weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Sum of ``weights`` (of 1) over each plot's cells."""
        kept = self.owner != NO_PLOT
        chosen = None if weights is None else weights[kept]
        return np.bincount(self.owner[kept], chosen, minlength=len(self.planted)).astype(np.float64)


def _own(segmentation: Segmentation, plots: PlotMap, manifest: Manifest) -> _Members:
    objects = segmentation.objects
    is_whole = np.array([thing.part_of is None for thing in manifest.things])[objects.thing]
    centre_rows, centre_columns = objects.cells
    home = plots.labels[centre_rows, centre_columns][objects.root].astype(np.int64)
    rows, columns = np.nonzero(segmentation.plant)
    instance = segmentation.instances[rows, columns]
    owner = np.where(instance == NONE, plots.labels[rows, columns], np.append(home, NO_PLOT)[instance])
    planted = (_tally(home[is_whole], plots) > 0) | (_tally(owner, plots) >= SPECK_CELLS)
    owner[~np.append(planted, False)[owner]] = NO_PLOT
    return _Members(home, rows, columns, owner, planted)


def _tally(plot: NDArray[np.int64], plots: PlotMap) -> NDArray[np.int64]:
    return np.bincount(plot[plot != NO_PLOT], minlength=len(plots.names))


def _counts(segmentation: Segmentation, members: _Members, manifest: Manifest) -> Columns:
    counts = {thing.count_trait: np.zeros(len(members.planted)) for thing in manifest.things}
    for index, thing in enumerate(manifest.things):
        home = members.home[(segmentation.objects.thing == index) & (members.home != NO_PLOT)]
        counts[thing.count_trait] += np.bincount(home, minlength=len(members.planted)) * members.planted
    return counts


def _sizes(members: _Members, plots: PlotMap) -> Columns:
    """Area of all cells of a plot's plants; cover by those of them that lie in the plot."""
    area = members.total()
    lies_in = plots.labels[members.rows, members.columns] == members.owner
    return {
        vocabulary.PROJECTED_LEAF_AREA.name: np.where(area > 0, area * plots.placement.cell_px**2, np.nan),
        vocabulary.CANOPY_COVER.name: members.total(lies_in.astype(np.float32)) / plots.cells,
    }


def _places(members: _Members, plots: PlotMap) -> Columns:
    area = members.total()
    y, x = plots.placement.to_picture(
        _ratio(members.total(members.rows.astype(np.float32)), area),
        _ratio(members.total(members.columns.astype(np.float32)), area),
    )
    height, width = plots.labels.shape
    cell_px = plots.placement.cell_px
    return {
        vocabulary.CENTROID_Y.name: y,
        vocabulary.CENTROID_X.name: x,
        vocabulary.EXTENT_Y.name: np.minimum(_span(members, members.rows, height) * cell_px, plots.placement.height_px),
        vocabulary.EXTENT_X.name: np.minimum(
            _span(members, members.columns, width) * cell_px, plots.placement.width_px
        ),
    }


def _span(members: _Members, places: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """How many rows (or columns) lie between the first and the last that a plot's cells touch, both included."""
    kept = members.owner != NO_PLOT
    plots = len(members.planted)
    cells = np.bincount(members.owner[kept] * length + places[kept], minlength=plots * length)
    touched = cells.reshape(plots, length) > 0
    span = length - np.argmax(touched, axis=1) - np.argmax(touched[:, ::-1], axis=1)
    return np.where(touched.any(axis=1), span, np.nan)


def _colours(image: NDArray[np.uint8], segmentation: Segmentation, members: _Members) -> Columns:
    measured = colours(image, segmentation.plant)
    chromatic = members.total(measured.chromatic)
    x, y = members.total(measured.hue_x), members.total(measured.hue_y)
    hue = np.rad2deg(np.arctan2(y, x)) % 360
    directed = np.hypot(x, y) > LEAST_DIRECTION * np.maximum(members.total(), 1)
    return {
        vocabulary.EXCESS_GREEN.name: _ratio(members.total(measured.excess_green), chromatic),
        vocabulary.GREEN_LEAF_INDEX.name: _ratio(members.total(measured.green_leaf_index), chromatic),
        vocabulary.HUE.name: np.where(directed, hue, np.nan),
    }


def _ratio(total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return ratio


def _values(columns: Columns, plot: int) -> tuple[TraitValue, ...]:
    return tuple(
        TraitValue(trait=name, value=float(column[plot]), unit=VOCABULARY[name].unit, method=VOCABULARY[name].method)
        for name, column in columns.items()
        if np.isfinite(column[plot])
    )
