"""From the network's answer to plants and their leaves: instances by grouping cells to peaks.

Bottom-up, after Cheng et al. 2020 (Panoptic-DeepLab): a cell belongs to the peak that its offset points to. Cost does
not grow with the number of peaks: the nearest peak of every place comes from one distance transform.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.manifest import Manifest
from edge.preprocess import Placement

NONE = -1
"""Stands for the row of an object that there is not."""

REACH_SHARE = 0.125
"""A cell that points to a place farther from every peak than this share of the grid's longer side has no instance."""

SUPPORT_CELLS = 4
"""How far from a peak the plant must be that it stands for."""

LEAST_CELLS = 3
"""As many cells of plant must be so near to a whole: with fewer the graph's maps disagree, or it is a crumb of soil."""

DOUBLE_SHARE = 0.75
"""Two wholes nearer than this share of the radius of what is theirs, taken together, are one found twice."""

SURER = 0.15
"""A whole to which none of its parts came must be so far above its threshold: a label or a pin has no leaf."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The things found in a picture, one row each.

    Attributes:
        y, x: place in rows and columns of the grid, float32 [n].
        score: the peak's score, float32 [n].
        thing: index in the manifest's things, int64 [n].
        parent: row of the object that it is part of; ``NONE`` if it is a whole or that was not found, int64 [n].
    """

    y: NDArray[np.float32]
    x: NDArray[np.float32]
    score: NDArray[np.float32]
    thing: NDArray[np.int64]
    parent: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of the cell in which each object's centre lies."""
        return _cells(self.y), _cells(self.x)

    @property
    def root(self) -> NDArray[np.int64]:
        """Row of what each object is part of in the end: its parent, or itself."""
        return np.where(self.parent == NONE, np.arange(len(self)), self.parent)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What is where in one picture, on the graph's grid; cells in the padding are background.

    Attributes:
        classes: class of each cell, uint8 [h, w].
        plant: whether the cell is plant, bool [h, w].
        instances: row in ``objects`` of the instance that the cell belongs to, or ``NONE``, int32 [h, w].
        objects: everything that was found.

    Raises:
        ValueError: the parts do not belong together.
    """

    classes: NDArray[np.uint8]
    plant: NDArray[np.bool_]
    instances: NDArray[np.int32]
    objects: Objects

    def __post_init__(self) -> None:
        if not self.classes.shape == self.plant.shape == self.instances.shape:
            raise ValueError(f"maps differ: {self.classes.shape}, {self.plant.shape}, {self.instances.shape}")
        columns = (self.objects.y, self.objects.x, self.objects.thing, self.objects.parent)
        if any(len(column) != len(self.objects) for column in columns):
            raise ValueError(f"columns of objects differ: {[len(column) for column in columns]}")
        for rows in (self.instances, self.objects.parent):
            if rows.size and not NONE <= rows.min() <= rows.max() < len(self.objects):
                raise ValueError(f"rows {rows.min()} to {rows.max()}, but there are {len(self.objects)} objects")


def decode(inference: Inference, manifest: Manifest, placement: Placement) -> Segmentation:
    """Group the network's answer into objects and their cells; what lies in the padding is dropped."""
    classes, plant = _inside(inference.classes, manifest, placement)
    peaks = _supported(_peaks(inference.centers, manifest, placement), plant, manifest)
    grouped = next((index for index, thing in enumerate(manifest.things) if thing.grouped), None)
    instances = np.full(classes.shape, NONE, np.int32)
    if grouped is not None:
        cells = plant & _of_classes(classes, manifest.things[grouped].classes or manifest.plant_classes, manifest)
        _group(instances, cells, inference.offsets, peaks, grouped)
    parent = _parents(plant, instances, peaks, manifest)
    area = _areas(instances, parent)
    kept = _first_of_doubles(area, peaks, manifest) & _with_parts_or_sure(area, peaks, manifest)
    if not kept.all():
        row = np.append(np.cumsum(kept) - 1, NONE)  # NONE is -1, the last
        instances, peaks = row[instances].astype(np.int32), _only(peaks, kept)
        parent = _parents(plant, instances, peaks, manifest)
    return Segmentation(classes, plant, instances, Objects(*peaks, parent=parent))


Rows = NDArray[np.int64]
Peaks = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], Rows]


def _inside(
    classes: NDArray[np.uint8], manifest: Manifest, placement: Placement
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    region = placement.grid_region
    inside = np.zeros_like(classes)
    inside[region] = classes[region]
    plant = np.zeros(classes.shape, np.bool_)
    plant[region] = _of_classes(classes[region], manifest.plant_classes, manifest)
    return inside, plant


def _of_classes(classes: NDArray[np.uint8], names: tuple[str, ...], manifest: Manifest) -> NDArray[np.bool_]:
    wanted = np.array([name in names for name in manifest.classes])
    found: NDArray[np.bool_] = wanted[classes]
    return found


def _peaks(centers: NDArray[np.float32], manifest: Manifest, placement: Placement) -> Peaks:
    """Columns y, x, score and thing of the peaks that pass their thing's threshold and lie in the picture."""
    y, x, score = centers[:, 0], centers[:, 1], centers[:, 2]
    thing = centers[:, 3].astype(np.int64)
    thresholds = np.array([entry.threshold for entry in manifest.things], np.float32)
    rows, columns = placement.grid_region
    kept = (score >= thresholds[thing]) & _within(np.rint(y), rows) & _within(np.rint(x), columns)
    return y[kept], x[kept], score[kept], thing[kept]


def _only(peaks: Peaks, kept: NDArray[np.bool_]) -> Peaks:
    y, x, score, thing = peaks
    return y[kept], x[kept], score[kept], thing[kept]


def _supported(peaks: Peaks, plant: NDArray[np.bool_], manifest: Manifest) -> Peaks:
    """The peaks with plant around them: a part needs a cell, a whole some."""
    side = 2 * SUPPORT_CELLS + 1
    around = cv2.boxFilter(
        plant.view(np.uint8), cv2.CV_16U, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    least = np.array([LEAST_CELLS if thing.part_of is None else 1 for thing in manifest.things])
    return _only(peaks, around[_cells(peaks[0]), _cells(peaks[1])] >= least[peaks[3]])


def _areas(instances: NDArray[np.int32], parent: Rows) -> Rows:
    """Cells of each object together with those of its parts."""
    cells = np.bincount(instances[instances != NONE], minlength=len(parent))
    root = np.where(parent == NONE, np.arange(len(parent)), parent)
    areas: Rows = np.bincount(root, cells, minlength=len(parent)).astype(np.int64)
    return areas


def _first_of_doubles(area: Rows, peaks: Peaks, manifest: Manifest) -> NDArray[np.bool_]:
    """Which peaks stay when a whole that was found twice loses the weaker one."""
    y, x, score, thing = peaks
    kept = np.ones(len(score), np.bool_)
    wholes = np.flatnonzero(np.array([entry.part_of is None for entry in manifest.things])[thing])
    if len(wholes) > 1:
        wholes = wholes[np.argsort(-score[wholes], kind="stable")]
        radius = np.sqrt((area[wholes, None] + area[wholes]) / np.pi)
        apart = np.hypot(y[wholes, None] - y[wholes], x[wholes, None] - x[wholes])
        double = np.triu(apart < DOUBLE_SHARE * radius, 1) & (thing[wholes, None] == thing[wholes])
        for stronger, weaker in zip(*np.nonzero(double), strict=True):
            kept[wholes[weaker]] &= not kept[wholes[stronger]]
    return kept


def _with_parts_or_sure(area: Rows, peaks: Peaks, manifest: Manifest) -> NDArray[np.bool_]:
    """Which peaks stay when a whole that should have parts and got none must be sure."""
    _, _, score, thing = peaks
    consist = {entry.part_of for entry in manifest.things}
    least = np.array([entry.threshold + SURER if entry.name in consist else 0.0 for entry in manifest.things])
    kept: NDArray[np.bool_] = (area > 0) | (score >= least[thing])
    return kept


def _within(place: NDArray[np.float32], cells: slice) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = (place >= cells.start) & (place < cells.stop)
    return within


def _group(
    instances: NDArray[np.int32],
    cells: NDArray[np.bool_],
    offsets: NDArray[np.float32],
    peaks: Peaks,
    grouped: int,
) -> None:
    """Give each of the cells that can belong to the thing the peak nearest to where its offset points."""
    members = np.flatnonzero(peaks[3] == grouped)
    if not len(members):
        return
    nearest, distance = _nearest(cells.shape, peaks, members)
    rows, columns = np.nonzero(cells)
    target_rows = _pointed_at(rows, offsets[0][cells], cells.shape[0])
    target_columns = _pointed_at(columns, offsets[1][cells], cells.shape[1])
    found = nearest[target_rows, target_columns]
    far = distance[target_rows, target_columns] > REACH_SHARE * max(cells.shape)
    instances[rows, columns] = np.where(far, NONE, found)


def _pointed_at(place: NDArray[np.int64], offset: NDArray[np.float32], length: int) -> NDArray[np.int64]:
    target: NDArray[np.int64] = np.rint(np.clip(place + offset, 0, length - 1)).astype(np.int64)
    return target


def _nearest(
    shape: tuple[int, ...], peaks: Peaks, members: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For every cell the row of the nearest of ``members`` (at least one), and its distance in cells."""
    rows, columns = _cells(peaks[0][members]), _cells(peaks[1][members])
    elsewhere = np.ones(shape, np.uint8)
    elsewhere[rows, columns] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        elsewhere, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    row_of_label = np.full(labels.max() + 1, NONE, np.int32)
    row_of_label[labels[rows, columns]] = members
    return row_of_label[labels], distance


def _parents(plant: NDArray[np.bool_], instances: NDArray[np.int32], peaks: Peaks, manifest: Manifest) -> Rows:
    """For each peak the row of the peak that it is part of.

    That is the peak nearest to most of its cells, among those that it is joined to by plant: a leaf over an empty pot
    belongs to the plant that it hangs from, and to none if its own plant was not found.
    """
    names = [thing.name for thing in manifest.things]
    patches = _patches(plant, peaks)
    parent = np.full(len(peaks[3]), NONE, np.int64)
    for index, thing in enumerate(manifest.things):
        children = np.flatnonzero(peaks[3] == index)
        wholes = np.flatnonzero(peaks[3] == names.index(thing.part_of)) if thing.part_of else children[:0]
        if len(children) and len(wholes):
            joined = (patches[children, None] == patches[wholes]) & (patches[wholes] > 0)
            preference = np.where(joined, _votes(instances, peaks, children, wholes), -1.0)
            best = np.argmax(preference, axis=1)
            parent[children] = np.where(joined.any(axis=1), wholes[best], NONE)
    return parent


def _patches(plant: NDArray[np.bool_], peaks: Peaks) -> Rows:
    """Which patch of plant each peak lies in, 0 for none; gaps of two cells, as of a thin stalk, are bridged."""
    _, labels = cv2.connectedComponents(cv2.dilate(plant.view(np.uint8), np.ones((3, 3), np.uint8)))
    patches: Rows = labels[_cells(peaks[0]), _cells(peaks[1])].astype(np.int64)
    return patches


def _votes(instances: NDArray[np.int32], peaks: Peaks, children: Rows, wholes: Rows) -> NDArray[np.float64]:
    """For each child how many of its cells are nearest to each whole; ties go to the nearer centre."""
    nearest, _ = _nearest(instances.shape, peaks, wholes)
    order = np.full(len(peaks[3]) + 1, NONE, np.int64)  # one more, so that NONE stays NONE
    order[children] = np.arange(len(children))
    child = order[instances]
    ballots = child[child != NONE] * len(wholes) + np.searchsorted(wholes, nearest[child != NONE])
    votes = np.bincount(ballots, minlength=len(children) * len(wholes)).reshape(len(children), len(wholes))
    y, x = (peaks[axis][children, None] - peaks[axis][wholes] for axis in (0, 1))
    preference: NDArray[np.float64] = votes + 1 / (2 + np.hypot(y, x))
    return preference


def _cells(place: NDArray[np.float32]) -> Rows:
    return np.rint(place).astype(np.int64)
