"""What belongs to which plot: plants by where their centre lies, with all their parts."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.plots import NO_PLOT, PlotMap
from edge.preprocess import Placement
from edge.refine import PLANT, around, on_pixels, pixels_of
from edge.region import Region
from edge.segmentation import NONE, Segmentation

SPECK_CELLS = 16
"""Fewer plant cells than these, without the centre of a plant, are no plant: moss, a label, noise of the network."""


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """What belongs to which plot.

    Attributes:
        home: plot of each object, int64 [objects].
        owner: plot of each plant cell, ``NO_PLOT`` for those of none, for specks and elsewhere, int64 [h, w].
        planted: whether the plot holds a plant, bool [plots].
    """

    home: NDArray[np.int64]
    owner: NDArray[np.int64]
    planted: NDArray[np.bool_]

    @classmethod
    def of(cls, segmentation: Segmentation, plots: PlotMap, manifest: Manifest) -> "Members":
        """Give everything that was found to its plot.

        A leaf that hangs over the next pot gives that pot no plant. A leaf of which no plant was found belongs to the
        plot in which its centre lies, and cells of no leaf to that in which they lie.
        """
        objects = segmentation.objects
        is_whole = np.array([thing.part_of is None for thing in manifest.things])[objects.thing]
        centre_rows, centre_columns = objects.cells
        home = plots.labels[centre_rows, centre_columns][objects.root].astype(np.int64)
        cells = np.flatnonzero(segmentation.plant)
        instance = segmentation.instances.ravel()[cells]
        own = np.where(instance == NONE, plots.labels.ravel()[cells], np.append(home, NO_PLOT)[instance])
        count = len(plots.names)
        planted = (tally(home[is_whole], count) > 0) | (tally(own, count) >= SPECK_CELLS)
        owner = np.full(plots.labels.size, NO_PLOT, np.int64)
        owner[cells] = np.where(np.append(planted, False)[own], own, NO_PLOT)
        return cls(home, owner.reshape(plots.labels.shape), planted)


def tally(plot: NDArray[np.int64], plots: int) -> NDArray[np.int64]:
    """How often each plot stands in ``plot``."""
    return np.bincount(plot[plot != NO_PLOT], minlength=plots)


def regions(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    plant: NDArray[np.bool_],
    members: Members,
    placement: Placement,
    colour_table: NDArray[np.uint8] | None = None,
) -> Iterator[tuple[int, Region]]:
    """Each plot's pixels, where it has plant cells. Of a plant that the mask lost the cells are taken.

    Args:
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        mask: its plant pixels, uint8 [H, W].
        plant: the plant cells, bool [h, w].
        members: whose they are.
        placement: where the picture lies.
        colour_table: corrects the colours, as of ``Region``.
    """
    for plot in np.flatnonzero(tally(members.owner, len(members.planted))):
        own = (members.owner == plot).view(np.uint8)
        rows, columns = around(own, 1)
        others = plant[rows, columns] & (own[rows, columns] == 0)
        near = cv2.dilate(own[rows, columns], np.ones((3, 3), np.uint8)) * np.uint8(PLANT)
        near[others] = 0
        box = pixels_of(rows), pixels_of(columns)
        pixels = cv2.bitwise_and(mask[box], on_pixels(near))
        if not pixels.any():
            pixels = on_pixels(own[rows, columns] * np.uint8(PLANT))
        region = Region(
            mask=np.asarray(pixels, np.uint8),
            pixels=image[0][box],
            pixel_px=1 / placement.scale,
            top_px=(box[0].start - placement.top_px) / placement.scale,
            left_px=(box[1].start - placement.left_px) / placement.scale,
            picture_px=(placement.height_px, placement.width_px),
            colour_table=colour_table,
        )
        yield int(plot), region
