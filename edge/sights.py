"""What the loop has seen lately: pictures with their findings, for whoever must judge another model by them.

The loop hands over references and waits for nobody; what is kept is copied, without its padding, and bounded by a
number of pictures at the network's input size.
"""

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.preprocess import Placement
from edge.segmentation import Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a model found in a picture.

    Attributes:
        class_names: the meaning of the values in ``classes``.
        classes: class of each cell of the grid on the picture, uint8 [h, w].
        plant: whether the cell is plant, bool [h, w].
        counts: number of each thing, by the trait that counts it.
    """

    class_names: tuple[str, ...]
    classes: NDArray[np.uint8]
    plant: NDArray[np.bool_]
    counts: dict[str, int]

    @classmethod
    def of(cls, found: Segmentation, placement: Placement, manifest: Manifest) -> "Finding":
        """A segmentation without its padding and its places."""
        region = placement.grid_region
        numbers = np.bincount(found.objects.thing, minlength=len(manifest.things))
        counts = {thing.count_trait: int(count) for thing, count in zip(manifest.things, numbers, strict=True)}
        return cls(manifest.classes, found.classes[region], found.plant[region], counts)

    @property
    def sees_plants(self) -> bool:
        """Whether anything in it is plant."""
        return bool(self.plant.any())


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A picture, uint8 [h, w, 3] BGR, fitted to the network's input and without padding, and what was found in it.

    ``digest`` names the model's package, ``monotonic_s`` is when the camera gave it.
    """

    camera: str
    monotonic_s: float
    digest: str
    picture: NDArray[np.uint8]
    finding: Finding


@dataclass(frozen=True, slots=True)
class Seen:
    """How many pictures were segmented, and in how many of them there were plants."""

    pictures: int = 0
    with_plants: int = 0


class Sights:
    """Keeps the last ``keep`` sights, no two of a camera nearer than ``every_s``, and lends a share of them live.

    Safe for any number of threads.
    """

    def __init__(self, keep: int, every_s: float) -> None:
        self._every_s = every_s
        self._changed = threading.Condition()
        self._recent: deque[Sight] = deque(maxlen=keep)
        self._kept_at_s: dict[str, float] = {}
        self._seen = Seen()
        self._share = 0.0
        self._due = 0.0
        self._offered: Sight | None = None
        self._last_at_s: float | None = None
        self._doubted: set[str] = set()

    def witness(self, sight: Sight) -> None:
        """Take note of what the loop has just seen."""
        with self._changed:
            self._last_at_s = sight.monotonic_s
            self._seen = Seen(self._seen.pictures + 1, self._seen.with_plants + sight.finding.sees_plants)
            if sight.monotonic_s - self._kept_at_s.get(sight.camera, -np.inf) >= self._every_s:
                self._kept_at_s[sight.camera] = sight.monotonic_s
                self._recent.append(replace(sight, picture=sight.picture.copy()))
            self._due += self._share
            if self._due >= 1:
                self._due -= 1
                self._offered = sight
                self._changed.notify_all()

    def recent(self, digest: str) -> list[Sight]:
        """The kept sights of one model, oldest first."""
        with self._changed:
            return [sight for sight in self._recent if sight.digest == digest]

    @property
    def seen(self) -> Seen:
        """Counts since the daemon's start; two of them, subtracted, tell of the time between."""
        with self._changed:
            return self._seen

    @property
    def last_at_s(self) -> float | None:
        """When the camera gave the last picture that was fit to measure, by ``edge.clock.monotonic_s``."""
        with self._changed:
            return self._last_at_s

    def doubt(self, camera: str) -> None:
        """Note that another model disagrees on what was found in a camera's picture."""
        with self._changed:
            self._doubted.add(camera)

    def take_doubt(self, camera: str) -> bool:
        """Whether that was noted since it was last asked."""
        with self._changed:
            found = camera in self._doubted
            self._doubted.discard(camera)
            return found

    def lend(self, share: float) -> None:
        """Offer this share of the sights to ``borrow`` from now on; 0 ends it."""
        with self._changed:
            self._share, self._due, self._offered = share, 0.0, None

    def borrow(self, timeout_s: float) -> Sight | None:
        """The newest sight on offer; None if there is none within ``timeout_s``. Older ones are not waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._offered is not None, timeout_s)
            sight, self._offered = self._offered, None
            return sight
