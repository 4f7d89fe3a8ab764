"""The loss: what class, where are centres, and how far to mine."""

from typing import Annotated, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from training.network import Maps

Weight = Annotated[float, Field(ge=0)]


class LossWeights(BaseModel):
    """How much each term counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    semantic: Weight = 1.0
    dice: Weight = 0.5
    heat: Weight = 1.0
    offsets: Weight = 0.05


class Wanted(NamedTuple):
    """Targets of a batch: semantic int64 [B, h, w], heat [B, T, h, w], offsets [B, 2, h, w], inside [B, h, w]."""

    semantic: Tensor
    heat: Tensor
    offsets: Tensor
    inside: Tensor


def loss_terms(maps: Maps, wanted: Wanted) -> dict[str, Tensor]:
    """The unweighted terms by name; the names are those of ``LossWeights``."""
    return {
        "semantic": functional.cross_entropy(maps.semantic, wanted.semantic),
        "dice": dice_loss(maps.semantic, wanted.semantic),
        "heat": focal_loss(maps.heat, wanted.heat),
        "offsets": offset_loss(maps.offsets, wanted.offsets, wanted.inside),
    }


def weighted(terms: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The sum to descend."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice, averaged over the classes but the background; keeps small plants from being lost among soil."""
    probability = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(target, logits.shape[1]).movedim(-1, 1)[:, 1:].to(probability.dtype)
    shared = (probability * truth).sum((0, 2, 3))
    total = probability.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return (1 - (2 * shared + 1) / (total + 1)).mean()


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Penalty-reduced focal loss per centre (Zhou et al. 2019, Objects as Points, eq. 1).

    Each picture counts the same, and in it each thing: else a tray's hundreds of leaves drown the one large rosette,
    and its many leaves the one plant.
    """
    probability = logits.sigmoid()
    peak = (target > 0.999).to(logits.dtype)
    hit = peak * (1 - probability).square() * functional.logsigmoid(logits)
    miss = (1 - peak) * (1 - target).pow(4) * probability.square() * functional.logsigmoid(-logits)
    per_centre = (hit + miss).sum((2, 3)) / peak.sum((2, 3)).clamp(min=1)
    return -per_centre.sum(1).mean()


def offset_loss(predicted: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Mean distance in cells, over the cells that have an instance."""
    distance = (predicted - target).abs().sum(1)
    return (distance * inside).sum() / inside.sum().clamp(min=1)
