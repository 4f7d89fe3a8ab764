"""Leaves of plants under a fixed camera, followed over days: one that is covered or missed now was there before.

Only the past is used. A leaf keeps its place around its plant's middle for days, while others rise over it; so leaves
are matched by that place, with room for growth and sway, and one that was seen often enough still counts for three
days when it is not found. What is learned is learned every few hours: pictures of one minute repeat one mistake.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from edge.contract import traits as vocabulary
from edge.contract.manifest import Manifest
from edge.counts import Column
from edge.members import Members
from edge.region import Estimate
from edge.segmentation import Segmentation

GATE_SHARE = 0.3
"""A leaf is not farther from where it was than this share of its plant's radius."""

GATE_CELLS = 2.0
"""Of a seedling, not farther than so many cells: the network places leaves no better."""

LEAST_RADIUS_CELLS = 3.0
LEARN_EVERY_S = 3 * 3600.0
LOOK_EVERY_S = 600.0
"""Leaves do not come and go in minutes: in between the last count holds, which costs a fast camera nothing."""

KEPT_S = 72 * 3600.0
"""A leaf counts for so long after it was last found; then it is taken for gone."""

CONFIRMED = 3
"""In so many of the looks that are learned from a leaf must have been found to count when it is not."""

HIDDEN_VARIANCE = 0.25
"""A leaf that is not found is there or not: at the worst a coin's toss."""

MOST_LEAVES = 200

Places = NDArray[np.float64]
"""Rows (y, x) in cells."""


@dataclass(slots=True)
class _Plant:
    """The leaves of one plot: places around the plant's middle, in how many looks found, and when last."""

    places: Places = field(default_factory=lambda: np.zeros((0, 2)))
    found: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    learned_s: float = -np.inf

    def look(self, places: Places, now_s: float) -> int:
        """How many leaves are there though not among ``places``; takes note of those."""
        if now_s < self.learned_s:
            self.learned_s = -np.inf  # the clock was set back, or the files begin anew
        self._forget(now_s)
        radius = max(float(np.hypot(*places.T).max()) if len(places) else 0.0, LEAST_RADIUS_CELLS)
        pairs = _matched(self.places, places, max(GATE_SHARE * radius, GATE_CELLS))
        hidden = np.ones(len(self.places), np.bool_)
        hidden[pairs[:, 0]] = False
        missed = int((hidden & (self.found >= CONFIRMED)).sum())
        if now_s - self.learned_s >= LEARN_EVERY_S:
            self._learn(places, pairs, now_s)
        return missed

    def _learn(self, places: Places, pairs: NDArray[np.int64], now_s: float) -> None:
        ours, theirs = pairs.T
        self.learned_s = now_s
        self.places[ours] = places[theirs]
        self.found[ours] += 1
        self.last_s[ours] = now_s
        new = np.setdiff1d(np.arange(len(places)), theirs)
        self.places = np.concatenate([self.places, places[new]])[-MOST_LEAVES:]
        self.found = np.concatenate([self.found, np.ones(len(new), np.int64)])[-MOST_LEAVES:]
        self.last_s = np.concatenate([self.last_s, np.full(len(new), now_s)])[-MOST_LEAVES:]

    def _forget(self, now_s: float) -> None:
        kept = (now_s - self.last_s <= KEPT_S) & (self.last_s <= now_s)
        if not kept.all():
            self.places, self.found, self.last_s = self.places[kept], self.found[kept], self.last_s[kept]


class LeafMemory:
    """The leaves of each plot of one fixed camera. It begins anew with the daemon, and after a change of plots."""

    def __init__(self) -> None:
        self._plants: dict[int, _Plant] = {}
        self._last: Column = {}
        self._looked_s = -np.inf

    def step(self, segmentation: Segmentation, members: Members, manifest: Manifest, at: datetime) -> Column:
        """Leaves of each plot: found now, and found before and only not now."""
        now_s = at.timestamp()
        if not 0 <= now_s - self._looked_s < LOOK_EVERY_S:
            self._last, self._looked_s = self._looked(segmentation, members, manifest, now_s), now_s
        return {plot: estimate for plot, estimate in self._last.items() if members.planted[plot]}

    def _looked(self, segmentation: Segmentation, members: Members, manifest: Manifest, now_s: float) -> Column:
        objects = segmentation.objects
        names = [thing.count_trait for thing in manifest.things]
        leaves = np.array([name == vocabulary.LEAF_COUNT.name for name in names])[objects.thing]
        wholes = np.array([thing.part_of is None for thing in manifest.things])[objects.thing]
        column: Column = {}
        for plot in np.flatnonzero(members.planted).tolist():
            home = members.home == plot
            places = np.stack([objects.y[home & leaves], objects.x[home & leaves]], axis=1).astype(np.float64)
            middle = _middle(np.stack([objects.y[home & wholes], objects.x[home & wholes]], axis=1), places)
            missed = self._plants.setdefault(plot, _Plant()).look(places - middle, now_s)
            score = np.clip(objects.score[home & leaves].astype(np.float64), 0, 1)
            variance = float((score * (1 - score)).sum()) + HIDDEN_VARIANCE * missed
            column[plot] = Estimate(float(len(places) + missed), float(np.sqrt(variance)))
        return column


def _middle(wholes: NDArray[np.float32], leaves: Places) -> Places:
    """Of the plot's plants, else of its leaves."""
    middles = wholes if len(wholes) else leaves
    return np.asarray(middles.mean(axis=0), np.float64) if len(middles) else np.zeros(2)


def _matched(ours: Places, theirs: Places, gate: float) -> NDArray[np.int64]:
    """Rows (ours, theirs) of pairs nearer than ``gate``, the nearest first, each in one pair, int64 [n, 2]."""
    apart = np.hypot(*(ours[:, None] - theirs).transpose(2, 0, 1))
    near = np.flatnonzero(apart.ravel() < gate)
    pairs: list[tuple[int, int]] = []
    used: tuple[set[int], set[int]] = set(), set()
    for index in near[np.argsort(apart.ravel()[near], kind="stable")].tolist():
        one, other = divmod(index, len(theirs))
        if one not in used[0] and other not in used[1]:
            pairs.append((one, other))
            used[0].add(one)
            used[1].add(other)
    return np.array(pairs, np.int64).reshape(-1, 2)
