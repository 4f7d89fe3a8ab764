"""How ripe each fruit is: by how much of its surface has changed colour, as the USDA classes tomatoes (7 CFR 51.1860).

| here | there | of the surface |
|---|---|---|
| green | green | all green |
| turning | breakers, turning, pink | a part has changed to tannish-yellow, pink or red; of pink or red at most 60 % |
| ripe | light red, red | more than 60 % are pink or red |

What is seen of a fruit stands for all of it. Colours are averaged over 2x2 px, because JPEG and sensors blur them, and
taken from inside the fruit alone: at its edge they are mixed with what lies behind it.
"""

from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import traits as vocabulary
from edge.contract.manifest import Manifest
from edge.counts import Column
from edge.members import Members
from edge.plots import NO_PLOT
from edge.preprocess import GRID_STRIDE_PX
from edge.region import HUE_BINS, Estimate, colours_of
from edge.segmentation import NONE, Segmentation


class Stage(IntEnum):
    """What a fruit can be."""

    GREEN = 0
    TURNING = 1
    RIPE = 2


STAGES = {
    vocabulary.FRUIT_COUNT_GREEN.name: Stage.GREEN,
    vocabulary.FRUIT_COUNT_TURNING.name: Stage.TURNING,
    vocabulary.FRUIT_COUNT_RIPE.name: Stage.RIPE,
}
"""Trait → what it counts, in the order of the stages."""

SPOT_PX = 2
"""Side of what a colour is averaged over, in px of the fitted picture."""

LEAST_SPOTS = 4
"""A fruit of which fewer have a colour is in no class."""

DARKEST, BRIGHTEST, PALEST = 30, 249, 26
"""Darker spots, those burnt out by glare in a channel, and those of less saturation (of 255) have no hue."""

TURN = 30
"""Bins of 2 degrees: hues are counted from 300 degrees on, so that red is in one piece, before yellow and green."""

FRUIT_BINS = 120
"""From magenta over red and yellow to cyan, 180 degrees; no tomato is blue or purple."""

CHANGED, RED = 60, 48
"""Bins below which the surface is no longer green (60 degrees of hue, where red passes green), and pink or red (36)."""

LEAST_CHANGED, LEAST_RED = 0.05, 0.6
"""Shares of the surface: a break in colour on less of it is not told from noise, and more red than this is ripe."""

DOUBT, DOUBT_CORRECTED = 8, 2
"""So many bins may all hues of a picture be off by its light, and if a colour card has corrected them."""

IN_ANY = 2 / 9
"""Variance of a count by a fruit that may be of any of three stages."""


def ripeness_counts(
    image: NDArray[np.uint8],
    segmentation: Segmentation,
    members: Members,
    manifest: Manifest,
    colour_table: NDArray[np.uint8] | None,
    *,
    white: bool,
) -> dict[str, Column]:
    """Trait → fruit of each stage in each plot. A plot with fruit of which none could be judged has none of the traits.

    Args:
        image: the fitted picture, uint8 [1, H, W, 3], BGR.
        segmentation: what was found in it.
        members: whose it is.
        manifest: what is counted.
        colour_table: corrects the colours, as of ``Region``.
        white: whether the light is; under purple lamps no fruit can be judged.
    """
    things = np.array([t.grouped and t.count_trait == vocabulary.FRUIT_COUNT.name for t in manifest.things])
    if not things.any():
        return {}
    objects, plots = segmentation.objects, len(members.planted)
    stages = stages_of(image, segmentation, colour_table) if white else np.full((3, len(objects)), NONE)
    fruit = things[objects.thing] & (members.home != NO_PLOT)
    score = np.clip(objects.score[fruit], 0, 1)
    kinds = len(Stage) + 1  # the first are those in no class
    kind = members.home[fruit] * kinds + stages[:, fruit] - NONE
    seen, greener, redder = (
        np.bincount(row, minlength=plots * kinds).reshape(-1, kinds) * members.planted[:, None] for row in kind
    )
    by_scores = np.bincount(kind[0], score * (1 - score), minlength=plots * kinds).reshape(-1, kinds)
    doubt = np.sqrt(by_scores + ((redder - greener) / 2) ** 2 + seen[:, :1] * IN_ANY)
    told = np.flatnonzero((seen[:, 1:].sum(axis=1) > 0) | (seen[:, 0] == 0)).tolist()
    return {
        trait: {plot: Estimate(float(seen[plot, column]), float(doubt[plot, column]) or None) for plot in told}
        for column, trait in enumerate(STAGES, start=1)
    }


def stages_of(
    image: NDArray[np.uint8], segmentation: Segmentation, colour_table: NDArray[np.uint8] | None
) -> NDArray[np.int64]:
    """Stage of each object, ``NONE`` where too little of it has a colour, int64 [3, objects].

    In the first row as its hues are, in the others as if all of them were greener, and redder, than they look.
    """
    seen = np.cumsum(_hues(image, segmentation, colour_table), axis=1)
    whole = seen[:, -1:]
    off = DOUBT if colour_table is None else DOUBT_CORRECTED
    shift = np.array([0, -off, off])
    changed, red = (seen[:, edge - 1 + shift] / np.maximum(whole, 1) for edge in (CHANGED, RED))
    stages = np.where(red > LEAST_RED, Stage.RIPE, np.where(changed > LEAST_CHANGED, Stage.TURNING, Stage.GREEN))
    told: NDArray[np.int64] = np.where(whole < LEAST_SPOTS, NONE, stages).T
    return told


def _hues(
    image: NDArray[np.uint8], segmentation: Segmentation, colour_table: NDArray[np.uint8] | None
) -> NDArray[np.int64]:
    """How many spots of each object have each hue from 300 degrees on, int64 [objects, 120]."""
    owner = _inside(segmentation.instances)
    places = np.flatnonzero(owner)
    if not places.size:
        return np.zeros((len(segmentation.objects), FRUIT_BINS), np.int64)
    spots = cv2.resize(image[0], owner.shape[::-1], interpolation=cv2.INTER_AREA)
    hue, saturation, value = cv2.cvtColor(colours_of(spots, places, colour_table), cv2.COLOR_BGR2HSV)[0].T
    turned = (hue.astype(np.int64) + TURN) % HUE_BINS
    lit = (value >= DARKEST) & (value <= BRIGHTEST)
    told = lit & (saturation >= PALEST) & (turned < FRUIT_BINS)
    row = owner.ravel()[places].astype(np.int64) - 1
    counted = np.bincount(row[told] * FRUIT_BINS + turned[told], minlength=len(segmentation.objects) * FRUIT_BINS)
    return counted.reshape(-1, FRUIT_BINS)


def _inside(instances: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Number of the object, from 1, at each spot with no other and no edge beside it, else 0."""
    size = tuple(side * GRID_STRIDE_PX // SPOT_PX for side in instances.shape[::-1])
    number = cv2.resize((instances + 1).astype(np.uint16), size, interpolation=cv2.INTER_NEAREST)
    beside = np.ones((3, 3), np.uint8)
    least, most = cv2.erode(number, beside), cv2.dilate(number, beside)
    return np.where(least == most, number, 0).astype(np.uint16)
