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

    semantic: Weight = 2.0
    dice: Weight = 1.0
    heat: Weight = 1.0
    offsets: Weight = 0.1


class Wanted(NamedTuple):
    """Targets of a batch, as ``Targets`` has them for one picture: [B, classes, h, w], [B, things, h, w] and so on."""

    allowed: Tensor
    heat: Tensor
    counted: Tensor
    offsets: Tensor
    inside: Tensor


def loss_terms(maps: Maps, wanted: Wanted) -> dict[str, Tensor]:
    """The unweighted terms by name; the names are those of ``LossWeights``."""
    return {
        "semantic": partial_cross_entropy(maps.semantic, wanted.allowed),
        "dice": dice_loss(maps.semantic, wanted.allowed),
        "heat": focal_loss(maps.heat, wanted.heat, wanted.counted),
        "offsets": offset_loss(maps.offsets, wanted.offsets, wanted.inside),
    }


def weighted(terms: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The sum to descend."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


def partial_cross_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """-log of the probability given to the classes that a cell can have; the usual cross-entropy where that is one.

    The likelihood of partial labels (Jin & Ghahramani 2002). Cells of which nothing is known do not count.
    """
    outside = torch.logsumexp(logits.masked_fill(~allowed, -torch.inf), 1)
    surprise = torch.logsumexp(logits, 1) - outside
    said = ~allowed.all(1)
    return (surprise * said).sum() / said.sum().clamp(min=1)


def dice_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """1 - Dice over the cells whose class is known, averaged over the classes but the background, and over pictures.

    It keeps small plants from being lost among soil, and soil from being taken for a small plant: each picture counts
    the same, whatever is in it. A class that is nowhere known to be has no say.
    """
    known = (allowed.sum(1, keepdim=True) == 1).to(logits.dtype)
    probability = (logits.softmax(1) * known)[:, 1:]
    truth = (allowed * known)[:, 1:]
    shared = (probability * truth).sum((2, 3))
    total = probability.sum((2, 3)) + truth.sum((2, 3))
    return (1 - (2 * shared + 1) / (total + 1)).mean()


def focal_loss(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """Penalty-reduced focal loss per centre (Zhou et al. 2019, Objects as Points, eq. 1).

    Each picture counts the same, and in it each thing: else a tray's hundreds of leaves drown the one large rosette,
    and its many leaves the one plant.
    """
    probability = logits.sigmoid()
    peak = (target > 0.999).to(logits.dtype)
    hit = peak * (1 - probability).square() * functional.logsigmoid(logits)
    miss = (1 - peak) * (1 - target).pow(4) * probability.square() * functional.logsigmoid(-logits)
    per_centre = ((hit + miss) * counted).sum((2, 3)) / peak.sum((2, 3)).clamp(min=1)
    return -per_centre.sum(1).mean()


def offset_loss(predicted: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Mean distance in cells, over the cells that have an instance, each by its weight."""
    distance = (predicted - target).abs().sum(1)
    return (distance * inside).sum() / inside.sum().clamp(min=1)
