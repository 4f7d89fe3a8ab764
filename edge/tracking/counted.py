"""A moving camera's observations: every object is measured in each picture, and told of once, when it has left."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.applied import Applied
from edge.contract.manifest import Manifest
from edge.contract.records import QualityFlag
from edge.plots import NO_PLOT, WHOLE_PICTURE, PlotMap
from edge.preprocess import Placement
from edge.segmentation import Segmentation
from edge.settings import IdentitySettings
from edge.tracking.moving import EgoMotion
from edge.tracking.passing import Found, Passing
from edge.traits import PlotTraits, measure

SURER = 0.1
"""So far above its threshold an object may begin a track."""


@dataclass(frozen=True, slots=True)
class Counted:
    """An object that has left: its number, and its traits where it lay nearest to the picture's middle."""

    track: int
    traits: PlotTraits


class Counter:
    """Follows the objects of one moving camera."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._ego = EgoMotion(reach=1 - settings.frame_overlap)
        self._passing: Passing[PlotTraits] | None = None

    def step(
        self,
        image: NDArray[np.uint8],
        segmentation: Segmentation,
        place: Placement,
        manifest: Manifest,
        applied: Applied,
        flags: tuple[QualityFlag, ...],
    ) -> list[Counted]:
        """Take up the next picture, fitted as uint8 [1, H, W, 3], with what is wrong with it; what has left with it."""
        picture = image[0][place.region]
        size_px = picture.shape[0], picture.shape[1]
        if self._passing is None or self._passing.size_px != size_px:
            self._passing = Passing(size_px, self._settings)
        movement, known = self._ego.step(picture)
        found = list(_measured(image, segmentation, place, manifest, applied, flags))
        return [Counted(track.number, track.best) for track in self._passing.step(found, movement, known=known)]

    def rest(self) -> list[Counted]:
        """What is in sight still, when no picture will come any more."""
        return [Counted(track.number, track.best) for track in self._passing.rest()] if self._passing else []


def _measured(
    image: NDArray[np.uint8],
    segmentation: Segmentation,
    place: Placement,
    manifest: Manifest,
    applied: Applied,
    flags: tuple[QualityFlag, ...],
) -> list[Found[PlotTraits]]:
    """Every whole of a picture with its traits: each has the cells nearest to it as its plot."""
    objects = segmentation.objects
    rows = np.flatnonzero(np.array([thing.part_of is None for thing in manifest.things])[objects.thing])
    if not len(rows):
        return []
    traits = measure(image, segmentation, _around(segmentation, rows, place), manifest, applied, flags=flags)
    least = np.array([thing.threshold for thing in manifest.things])[objects.thing[rows]] + SURER
    y, x = place.to_picture(objects.y[rows], objects.x[rows])
    return [
        Found(float(across) * place.scale, float(down) * place.scale, bool(sure), entry)
        for across, down, sure, entry in zip(x, y, objects.score[rows] >= least, traits, strict=True)
    ]


def _around(segmentation: Segmentation, rows: NDArray[np.int64], place: Placement) -> PlotMap:
    """A plot for each object: the cells nearest to its centre, without plants that hang together with no object.

    Those come into the picture at its edge, where their centres are not seen yet.
    """
    own = tuple(cells[rows] for cells in segmentation.objects.cells)
    elsewhere = np.ones(place.grid_shape, np.uint8)
    elsewhere[own] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        elsewhere, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    plot_of = np.zeros(int(nearest.max()) + 1, np.int32)
    plot_of[nearest[own]] = np.arange(len(rows))
    labels = plot_of[nearest]
    _, patches = cv2.connectedComponents(cv2.dilate(segmentation.plant.view(np.uint8), np.ones((3, 3), np.uint8)))
    labels[segmentation.plant & ~np.isin(patches, patches[own])] = NO_PLOT
    sizes = np.maximum(
        np.bincount(labels[labels != NO_PLOT], minlength=len(rows)), 1
    )  # two in one cell: the last one has it
    return PlotMap((WHOLE_PICTURE,) * len(rows), labels, sizes, place)
