"""Traits of plots: what is counted and measured in each place of the picture.

Counts come from the network's instances (``counts``), those of ripeness from their colours too (``ripeness``), size,
shape and colour from pixels (``shape``, ``colour``): the plant mask is redrawn on the pixels of the fitted picture
(``refine``), because on the network's grid, a quarter as fine, half of a seedling is edge.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.applied import UNCALIBRATED, Applied
from edge.calibration.sizes import SIZES
from edge.colour import COLOUR
from edge.contract import traits as vocabulary
from edge.contract.manifest import Manifest
from edge.contract.records import Outcome, QualityFlag, TraitValue
from edge.contract.traits import VOCABULARY, expanded
from edge.counts import Column, counts, leaf_sizes
from edge.members import Members, regions
from edge.plots import PlotMap
from edge.preprocess import GRID_STRIDE_PX
from edge.refine import on_pixels, refine
from edge.region import Estimate, Region
from edge.ripeness import STAGES, ripeness_counts
from edge.segmentation import Segmentation
from edge.shape import EDGE_SD, SHAPE

OF_REGIONS = SHAPE | COLOUR
"""Traits that a plot's pixels define."""


Followed = Callable[[Segmentation, Members, Manifest], Column]
"""What was found, and whose it is → leaves of each plot with those of the past."""


@dataclass(frozen=True, slots=True)
class PlotTraits:
    """What was found in one plot."""

    plot: str
    outcome: Outcome
    traits: tuple[TraitValue, ...]


def measure(
    image: NDArray[np.uint8],
    segmentation: Segmentation,
    plots: PlotMap,
    manifest: Manifest,
    applied: Applied = UNCALIBRATED,
    followed: Followed | None = None,
    flags: tuple[QualityFlag, ...] = (),
) -> list[PlotTraits]:
    """Measure the manifest's traits in every plot.

    A plant belongs to the plot in which its centre lies, with all its parts. What belongs to no plot is not measured.

    Args:
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        segmentation: what was found in it.
        plots: the plots on the same placement.
        manifest: names the traits and what is counted.
        applied: what is known of the camera; sizes are in px and colours as they are without.
        followed: counts leaves with those of the past; without, only what is seen is counted.
        flags: what is wrong with the picture.

    Returns:
        One entry for each plot, in order. ``NO_PLANT`` has counts and cover of 0 and no other trait; ``MEASURED`` lacks
        those traits that its plants' pixels do not define (a plant of which only the centre was found has no colour).
    """
    members = Members.of(segmentation, plots, manifest)
    names = expanded(manifest.traits)
    columns = counts(segmentation, members, manifest)
    if followed and vocabulary.LEAF_COUNT_FOLLOWED.name in names:
        columns[vocabulary.LEAF_COUNT_FOLLOWED.name] = followed(segmentation, members, manifest)
    if STAGES.keys() & set(names):
        white = QualityFlag.LAMP not in flags
        columns |= ripeness_counts(image, segmentation, members, manifest, applied.colours, white=white)
    if not columns.keys() >= set(names):
        columns |= leaf_sizes(segmentation, members, manifest, plots.placement.cell_px, applied.plane)
        columns |= _of_regions(image, segmentation, plots, members, names, applied)
    return [
        PlotTraits(
            plot=name,
            outcome=Outcome.MEASURED if members.planted[index] else Outcome.NO_PLANT,
            traits=tuple(
                _value(trait, columns[trait][index], applied) for trait in names if index in columns.get(trait, ())
            ),
        )
        for index, name in enumerate(plots.names)
    ]


def _of_regions(
    image: NDArray[np.uint8],
    segmentation: Segmentation,
    plots: PlotMap,
    members: Members,
    names: tuple[str, ...],
    applied: Applied,
) -> dict[str, Column]:
    columns: dict[str, Column] = {name: {} for name in names if name in OF_REGIONS}
    cover = dict.fromkeys(range(len(plots.names)), Estimate(0.0))
    mask = refine(image, segmentation.plant, plots.placement)
    for plot, region in regions(image, mask, segmentation.plant, members, plots.placement, applied.colours):
        cover[plot] = _cover(region, plots, plot)
        for name, column in columns.items():
            if estimate := _measured(name, region, applied):
                column[plot] = estimate
    return columns | {vocabulary.CANOPY_COVER.name: cover}


def _measured(trait: str, region: Region, applied: Applied) -> Estimate | None:
    if applied.plane and trait in SIZES:
        return SIZES[trait](region, applied.plane)
    return OF_REGIONS[trait](region)


def _cover(region: Region, plots: PlotMap, plot: int) -> Estimate:
    """Share of the plot's pixels that are plant: of its own plants, and only what lies in it."""
    place = plots.placement
    row = round((region.top_px * place.scale + place.top_px) / GRID_STRIDE_PX)
    column = round((region.left_px * place.scale + place.left_px) / GRID_STRIDE_PX)
    height, width = region.mask.shape
    labels = plots.labels[row : row + height // GRID_STRIDE_PX, column : column + width // GRID_STRIDE_PX]
    inside = (labels == plot).view(np.uint8)
    pixels = region.area
    if not inside.all():
        pixels = cv2.countNonZero(cv2.multiply(region.mask, on_pixels(inside)))
    whole = plots.cells[plot] * GRID_STRIDE_PX**2
    return Estimate(pixels / whole, EDGE_SD * region.edge_pixels / whole)


def _value(trait: str, estimate: Estimate, applied: Applied) -> TraitValue:
    entry = VOCABULARY[trait]
    return TraitValue(
        trait=trait,
        value=float(f"{estimate.value:.7g}"),
        unit=applied.unit(entry),
        method=applied.method(entry),
        uncertainty=None if estimate.sd is None else float(f"{estimate.sd:.3g}"),
        histogram=estimate.histogram,
    )
