"""Objects under a camera that passes over them: each gets one number, and leaves once.

The two stages of ByteTrack (Zhang et al. 2022): what was surely found is assigned first, what is doubtful continues
tracks but begins none. Each track has a Kalman filter whose prediction is the camera's own movement, since the objects
stand still: so one variance for both coordinates is all its state beside the place. An object that left is still
carried along outside the picture, and is itself when the cart comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.calibration.movement import Affine
from edge.settings import IdentitySettings

GATE = 3.0
"""An object is not farther from where it should be than so many standard deviations: 99 % of two coordinates."""

FOUND_SD = 0.014
"""How well the network places an object, as a share of the picture's longer side."""

MOVED_SD = 0.003
"""How well the camera's movement is known from one picture to the next; three times as badly where it is guessed."""

FORGOTTEN_SD = 0.05
"""An object of which is no longer known where it is, as a share of the longer side, cannot come back."""

MOST_LEFT = 2_000

T = TypeVar("T")


@dataclass(slots=True)
class Track(Generic[T]):
    """One object.

    Attributes:
        number: names it; 1, 2, 3 … in the order of being found.
        x, y: where it is, in px of the picture, also outside.
        variance: of each coordinate, px².
        seen: in how many pictures it was found; ``missed`` in how many since then it was not, though it should be.
        best: what was measured of it where it lay nearest to the picture's middle, ``nearness`` tells how near.
        left: it was counted, or given up, and lies outside.
    """

    number: int
    x: float
    y: float
    variance: float
    best: T
    nearness: float
    seen: int = 1
    missed: int = 0
    left: bool = False

    def inside(self, size_px: tuple[int, int]) -> bool:
        """Whether it lies in a picture of that height and width."""
        return 0 <= self.x < size_px[1] and 0 <= self.y < size_px[0]


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """An object in one picture, at (x, y) in px; ``sure`` enough to begin a track; ``measured`` is kept for it."""

    x: float
    y: float
    sure: bool
    measured: T


@dataclass(slots=True)
class Passing(Generic[T]):
    """Follows objects from picture to picture.

    Attributes:
        size_px: height and width of the pictures.
        tracks: everything that is or was in sight, as far as it is known where it is.
    """

    size_px: tuple[int, int]
    settings: IdentitySettings
    tracks: list[Track[T]] = field(default_factory=list)
    _next: int = field(default=1, init=False)

    def step(self, found: Sequence[Found[T]], movement: Affine, *, known: bool = True) -> list[Track[T]]:
        """Take up the next picture, in which what the last one showed lies where ``movement`` says.

        ``known`` is whether that was seen, or is what the camera did before.

        Returns:
            The confirmed tracks that left with this picture: each is returned once.
        """
        self._predict(movement, known=known)
        matched, free = self._assign(list(range(len(found))), found, sure=True)
        more, free = self._assign(free, found, sure=False, taken=set(matched))
        matched |= more
        for track, index in matched.items():
            self._update(self.tracks[track], found[index])
        for number, track_seen in enumerate(self.tracks):
            if number not in matched and track_seen.inside(self.size_px):
                track_seen.missed += 1
        for index in free:
            if found[index].sure:
                self._begin(found[index])
        return self._departed()

    def rest(self) -> list[Track[T]]:
        """The confirmed tracks that are in sight still: all that will come of them."""
        last = [track for track in self.tracks if not track.left and track.seen >= self.settings.confirm_pictures]
        self.tracks = []
        return last

    def _predict(self, movement: Affine, *, known: bool) -> None:
        noise = (MOVED_SD * (1 if known else 3) * max(self.size_px)) ** 2
        for track in self.tracks:
            x, y = movement[:, :2] @ (track.x, track.y) + movement[:, 2]
            track.x, track.y = float(x), float(y)
            track.variance += noise

    def _assign(
        self,
        indices: list[int],
        found: Sequence[Found[T]],
        *,
        sure: bool,
        taken: set[int] = frozenset(),  # type: ignore[assignment]
    ) -> tuple[dict[int, int], list[int]]:
        """Track → object, by the least sum of distances in standard deviations; and the objects left over."""
        own = [index for index in indices if found[index].sure == sure]
        rows = [number for number in range(len(self.tracks)) if number not in taken]
        if not own or not rows:
            return {}, indices
        places = np.array([(found[index].x, found[index].y) for index in own])
        tracks = np.array([(self.tracks[row].x, self.tracks[row].y) for row in rows])
        spread = np.array([self.tracks[row].variance for row in rows]) + (FOUND_SD * max(self.size_px)) ** 2
        distance = np.hypot(*(tracks[:, None] - places).transpose(2, 0, 1)) / np.sqrt(spread)[:, None]
        pairs = zip(*linear_sum_assignment(np.minimum(distance, 2 * GATE)), strict=True)
        matched = {rows[row]: own[column] for row, column in pairs if distance[row, column] < GATE}
        used = set(matched.values())
        return matched, [index for index in indices if index not in used]

    def _update(self, track: Track[T], found: Found[T]) -> None:
        noise = (FOUND_SD * max(self.size_px)) ** 2
        gain = track.variance / (track.variance + noise)
        track.x += gain * (found.x - track.x)
        track.y += gain * (found.y - track.y)
        track.variance *= 1 - gain
        track.seen, track.missed = track.seen + 1, 0
        if (nearness := self._nearness(found)) > track.nearness:
            track.best, track.nearness = found.measured, nearness

    def _begin(self, found: Found[T]) -> None:
        variance = (FOUND_SD * max(self.size_px)) ** 2
        self.tracks.append(Track(self._next, found.x, found.y, variance, found.measured, self._nearness(found)))
        self._next += 1

    def _departed(self) -> list[Track[T]]:
        """Who left the picture, or was not seen for too long; a track that was never confirmed is forgotten."""
        gone, kept = [], []
        for track in self.tracks:
            leaves = not track.left and (not track.inside(self.size_px) or track.missed >= self.settings.lost_pictures)
            confirmed = track.seen >= self.settings.confirm_pictures
            if leaves and confirmed:
                track.left = True
                gone.append(track)
            if confirmed if track.left else not leaves:
                kept.append(track)
        limit = (FORGOTTEN_SD * max(self.size_px)) ** 2
        self.tracks = [track for track in kept if track.variance < limit or not track.left][-MOST_LEFT:]
        return gone

    def _nearness(self, found: Found[T]) -> float:
        """0 at an edge of the picture, 1 in its middle."""
        height, width = self.size_px
        return min(found.x / width, 1 - found.x / width, found.y / height, 1 - found.y / height) * 2
