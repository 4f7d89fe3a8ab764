"""Rendered scenes as batches for training."""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.args import AugmentationSettings
from training.augment import random_view, relight, see
from training.loss import Wanted
from training.pool import Pool
from training.targets import Targets, make_targets


class SceneViews(Dataset[tuple[Tensor, Wanted]]):
    """Views of a pool's scenes, another one at each asking: item i is a random window on scene i modulo the pool."""

    def __init__(self, pool: Pool, classes: int, augmentation: AugmentationSettings, seed: int, length: int) -> None:
        self.pool, self.classes, self.augmentation = pool, classes, augmentation
        self.seed, self.length = seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Wanted]:
        """A picture, float32 [3, S, S] BGR in 0…1, and its targets; the same for the same seed and index."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng((self.seed, index))
        scene = int(rng.integers(len(self.pool)))
        pixels = self.pool.pixels[scene]
        view = random_view(rng, pixels.shape[:2], self.augmentation)
        pixels, labels = see(pixels, self.pool.labels(scene), view)
        picture = relight(scaled(torch.from_numpy(pixels)), rng, self.augmentation)
        return picture, to_tensors(make_targets(labels, self.classes))


def scaled(pixels: Tensor) -> Tensor:
    """Pixels uint8 [..., H, W, 3] → what the network takes, float32 [..., 3, H, W] in 0…1."""
    return pixels.movedim(-1, -3).to(torch.float32) / 255


def to_tensors(targets: Targets) -> Wanted:
    """The targets of one picture, without the batch axis."""
    return Wanted(*(torch.from_numpy(np.ascontiguousarray(part)) for part in (
        targets.semantic, targets.heat, targets.offsets, targets.inside,
    )))  # fmt: skip
