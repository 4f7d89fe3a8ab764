"""A pool of rendered scenes on the disk: plain ``.npy`` files, mapped rather than read, never pickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract.message import Digest
from edge.errors import ConfigError
from training.labels import Labels, exact
from training.spec import ModelSpec

FILES = ("pixels", "classes", "instances", "centres")
DIGEST_FILE = "digest"


class Examples(Protocol):
    """Labelled pictures by index: rendered or photographed."""

    @property
    def digest(self) -> Digest:
        """Names the content."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Labels]:
        """Pixels, uint8 [H, W, 3] BGR, and their ground truth."""
        ...

    def name(self, index: int) -> str:
        """What a person finds the picture by."""
        ...


@dataclass(frozen=True, slots=True)
class Pool:
    """Rendered scenes.

    ``pixels`` uint8 [N, H, W, 3] BGR; ``classes`` uint8 [N, H, W]; ``instances`` uint16 [N, things, H, W]; ``centres``
    float32 [n, 5]: scene, thing, number, y_px, x_px, by scene; ``spec`` says what the numbers mean.
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    centres: NDArray[np.float32]
    spec: ModelSpec
    digest: Digest

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Labels]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.pixels[index], self.labels(index)

    def name(self, index: int) -> str:
        """Its place in the pool."""
        return f"scene {index}"

    def labels(self, index: int) -> Labels:
        """Ground truth of a scene."""
        first, end = np.searchsorted(self.centres[:, 0], [index, index + 1])
        centres = self.centres[first:end]
        return Labels(
            classes=self.classes[index],
            instances=self.instances[index],
            centres=tuple(centres[centres[:, 1] == thing][:, 2:] for thing in range(self.instances.shape[1])),
            grouped=self.spec.grouped,
            allowed=exact(len(self.spec.classes)),
        )

    @classmethod
    def open(cls, folder: Path, spec: ModelSpec) -> "Pool":
        """Map a pool that ``training.render`` wrote.

        Raises:
            ConfigError: there is none, it is incomplete, or of another kind of scene.
        """
        try:
            pixels, classes, instances, centres = (
                np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in FILES
            )
            digest = (folder / DIGEST_FILE).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{folder} holds no rendered scenes ({error}); make them with canopy-train render"
            ) from error
        if instances.shape[1] != len(spec.things):
            raise ConfigError(
                f"{folder} holds scenes with {instances.shape[1]} things, the run counts {len(spec.things)} "
                f"({', '.join(spec.thing_names)}); render them anew with this run's configuration"
            )
        return cls(pixels, classes, instances, centres, spec, digest)
