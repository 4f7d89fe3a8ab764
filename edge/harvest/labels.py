"""A segmentation as labels to go on with: run lengths on the grid, which hold all that the model said."""

import numpy as np
from numpy.typing import NDArray

from edge.contract.frames import MAX_LABELS, PreLabel
from edge.contract.manifest import Manifest
from edge.contract.masks import packed
from edge.preprocess import Placement
from edge.segmentation import NONE, Segmentation


def categories_of(manifest: Manifest) -> tuple[str, ...]:
    """What can be labelled: the model's things, and its classes but the background."""
    return tuple(dict.fromkeys((*(thing.name for thing in manifest.things), *manifest.classes[1:])))


def labels_of(
    found: Segmentation, placement: Placement, manifest: Manifest, visible: NDArray[np.bool_]
) -> tuple[PreLabel, ...]:
    """Each object with its cells, a whole with those of its parts; and of each class what is no object's, as a crowd.

    Args:
        found: what the model found.
        placement: where the picture lies.
        manifest: the model's.
        visible: which cells were not made black, bool [h, w] of the picture's part of the grid.

    Returns:
        The largest ``MAX_LABELS``; an object without a cell of its own has no outline and is left out.
    """
    region = placement.grid_region
    instances, classes = found.instances[region], found.classes[region]
    root = np.append(found.objects.root, NONE)[instances]  # NONE is -1, the last
    labels: list[tuple[int, PreLabel]] = []
    for row in range(len(found.objects)):
        cells = ((instances == row) | (root == row)) & visible
        score = float(np.clip(found.objects.score[row], 0, 1))
        _add(labels, manifest.things[found.objects.thing[row]].name, score, cells)
    for number, name in enumerate(manifest.classes):
        if number > 0:
            _add(labels, name, 1.0, (classes == number) & (instances == NONE) & visible, crowd=True)
    return tuple(label for _, label in sorted(labels, key=lambda each: -each[0])[:MAX_LABELS])


def _add(
    labels: list[tuple[int, PreLabel]], category: str, score: float, cells: NDArray[np.bool_], *, crowd: bool = False
) -> None:
    size = int(np.count_nonzero(cells))
    if size:
        label = PreLabel(category=category, score=round(score, 4), counts=packed(runs_of(cells)), crowd=crowd)
        labels.append((size, label))


def runs_of(cells: NDArray[np.bool_]) -> list[int]:
    """Run lengths of a mask, bool [h, w], column by column, background first."""
    line = cells.ravel(order="F")
    changes = np.flatnonzero(np.diff(line.view(np.int8), prepend=np.int8(0)))
    return [int(length) for length in np.diff(changes, prepend=0, append=line.size)]
