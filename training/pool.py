"""A pool of rendered scenes on the disk: plain ``.npy`` files, mapped rather than read, never pickled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from training.rosette import LEAF
from training.targets import Labels

FILES = ("pixels", "classes", "leaves", "plants", "leaf_centres", "plant_centres")


@dataclass(frozen=True, slots=True)
class Pool:
    """Scenes by index.

    ``pixels`` uint8 [N, H, W, 3] BGR; ``classes`` uint8, ``leaves`` and ``plants`` uint16 [N, H, W]; centres float32
    [n, 4]: scene, number, y_px, x_px.
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    leaves: NDArray[np.uint16]
    plants: NDArray[np.uint16]
    leaf_centres: NDArray[np.float32]
    plant_centres: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pixels)

    def labels(self, index: int) -> Labels:
        """Ground truth of a scene."""
        return Labels(
            classes=self.classes[index],
            instances=np.stack([self.plants[index], self.leaves[index]]),
            centres=(_rows(self.plant_centres, index), _rows(self.leaf_centres, index)),
            grouped=LEAF,
        )

    @classmethod
    def open(cls, folder: Path) -> "Pool":
        """Map a pool that ``training.render`` wrote.

        Raises:
            ConfigError: there is none, or it is incomplete.
        """
        try:
            return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in FILES))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{folder} holds no rendered scenes ({error}); make them with canopy-train render"
            ) from error


def _rows(centres: NDArray[np.float32], scene: int) -> NDArray[np.float32]:
    first, end = np.searchsorted(centres[:, 0], [scene, scene + 1])
    return centres[first:end, 1:]
