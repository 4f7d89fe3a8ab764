"""Labelled pictures as batches for training."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edge.errors import ConfigError
from training.args import FitSettings
from training.augment import random_view, relight, see
from training.loss import Wanted
from training.pool import Examples
from training.targets import Targets, make_targets

# Pictures are spread over processes. Threads of OpenCV would compete with them, and hang those that are forked.
cv2.setNumThreads(1)


class Source(NamedTuple):
    """Labelled pictures, what they are called, and how much of what training sees comes from them."""

    name: str
    examples: Examples
    share: float


class Views(Dataset[tuple[Tensor, Wanted]]):
    """Windows on labelled pictures, another one at each asking.

    Item i is drawn from the seed and i alone, whatever was asked before: a run that is resumed sees what it would have
    seen.
    """

    def __init__(self, sources: Sequence[Source], settings: FitSettings) -> None:
        if not sources or any(not len(source.examples) for source in sources):
            raise ConfigError("there is nothing to train on: a source of pictures is empty")
        self.sources, self.settings = sources, settings
        self.ends = np.cumsum([source.share for source in sources])

    def __getitem__(self, index: int) -> tuple[Tensor, Wanted]:
        """A picture, float32 [3, S, S] BGR in 0…1, and its targets."""
        rng = np.random.default_rng((self.settings.seed, index))
        examples = self.sources[int(np.searchsorted(self.ends, rng.uniform(0, self.ends[-1]), side="right"))].examples
        pixels, labels = examples[int(rng.integers(len(examples)))]
        height, width = pixels.shape[:2]
        pixels, labels = see(
            pixels, labels, random_view(rng, (height, width), self.settings.size_px, self.settings.augmentation)
        )
        picture = relight(scaled(torch.from_numpy(pixels)), rng, self.settings.augmentation)
        return picture, to_tensors(make_targets(labels))


def scaled(pixels: Tensor) -> Tensor:
    """Pixels uint8 [..., H, W, 3] → what the network takes, float32 [..., 3, H, W] in 0…1."""
    return pixels.movedim(-1, -3).to(torch.float32) / 255


def to_tensors(targets: Targets) -> Wanted:
    """The targets of one picture, without the batch axis."""
    return Wanted(*(torch.from_numpy(np.ascontiguousarray(getattr(targets, name))) for name in Wanted._fields))
