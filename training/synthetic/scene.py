"""A scene while it is painted, and when it is done."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.labels import Labels, exact

Colour = NDArray[np.float32]
"""Blue, green, red in 0…255; may leave the range until the picture is developed."""

Picture = NDArray[np.float32]

CLASSES, THINGS = ("background", "leaf"), ("plant", "leaf")
"""What pixels of a scene with rosettes can be, and what is counted in it."""

PLANT, LEAF = 0, 1
"""Index of each thing."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A labelled picture: ``pixels`` uint8 [H, W, 3], BGR, and its ground truth.

    Centres of parts are the mean of their seen pixels; those of plants are where their leaves meet.
    """

    pixels: NDArray[np.uint8]
    labels: Labels


@dataclass(slots=True)
class Canvas:
    """What painting changes: the picture, the number of the leaf at each pixel, and who owns it.

    Attributes:
        picture: float32 [H, W, 3].
        leaves: uint16 [H, W].
        stems: plant that is of no leaf, bool [H, W].
        ripeness: of the fruit's skin where one was painted, in 0…1, float32 [H, W].
        owners: plant of leaf n at index n; leaf 0 is none and owned by plant 0, which is none.
        plant_places: y and x of plant n at index n - 1.
    """

    picture: Picture
    leaves: NDArray[np.uint16]
    stems: NDArray[np.bool_]
    ripeness: NDArray[np.float32]
    owners: list[int] = field(default_factory=lambda: [0])
    plant_places: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def on(cls, ground: Picture) -> "Canvas":
        """A canvas that shows nothing but ``ground``."""
        shape = ground.shape[:2]
        return cls(ground, np.zeros(shape, np.uint16), np.zeros(shape, np.bool_), np.zeros(shape, np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.leaves.shape[0], self.leaves.shape[1]

    def add_plant(self, y: float, x: float) -> int:
        """A new plant's number."""
        self.plant_places.append((y, x))
        return len(self.plant_places)

    def add_leaf(self, plant: int) -> int:
        """A new leaf's number."""
        self.owners.append(plant)
        return len(self.owners) - 1

    def finish(self, pixels: NDArray[np.uint8]) -> Scene:
        """The scene as ``pixels`` show it; leaves and plants of which nothing is seen are left out."""
        plants = np.asarray(self.owners, np.uint16)[self.leaves]
        places = np.asarray(self.plant_places, np.float32).reshape(-1, 2)
        seen = np.flatnonzero(np.bincount(plants.ravel(), minlength=len(places) + 1)[1:])
        labels = Labels(
            classes=((self.leaves > 0) | self.stems).astype(np.uint8),
            instances=np.stack([plants, self.leaves]),
            centres=(np.column_stack([seen + 1, places[seen]]).astype(np.float32), centroids(self.leaves)),
            grouped=LEAF,
            allowed=exact(len(CLASSES)),
        )
        return Scene(pixels, labels)


def centroids(numbers: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Rows (number, y, x) of the mean place of each number but 0."""
    rows, columns = np.nonzero(numbers)
    owner = numbers[rows, columns]
    areas = np.bincount(owner)
    there = np.flatnonzero(areas)
    y = np.bincount(owner, rows)[there] / areas[there]
    x = np.bincount(owner, columns)[there] / areas[there]
    return np.column_stack([there, y, x]).astype(np.float32)
