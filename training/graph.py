"""What runs on the device, as a torch module: the network and the tail that makes its outputs those of the contract.

Training evaluates through it and export writes it to ONNX, so there is one definition of a peak.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.network import Maps, Network

TIE_BREAK = 1e-3
"""Weight of the neighbourhood in deciding which cell is the peak; far below a score that matters."""


class Graph(nn.Module):
    """The graph of a model package, for a batch of one."""

    def __init__(self, network: Network, top_k: int) -> None:
        super().__init__()
        self.network = network
        self.top_k = top_k

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Picture [1, 3, H, W], BGR in 0…1 → the contract's classes, centers, offsets, certainty and features."""
        maps: Maps = self.network(picture)
        highest, classes = maps.semantic.max(1, keepdim=True)
        # The winner's softmax without the others': a softmax over few channels is slow wherever channels come first.
        best = 1 / (maps.semantic - highest).exp().sum(1, keepdim=True)
        return (
            classes[:, 0].to(torch.uint8),
            strongest_peaks(maps.heat.sigmoid(), self.top_k),
            maps.offsets,
            _certainty(best, classes, maps.semantic.shape[1]),
            maps.features,
        )


def strongest_peaks(heat: Tensor, count: int) -> Tensor:
    """Scores [1, T, h, w] → [1, count, 4]: y, x, score, thing of the strongest local maxima; score 0 is none.

    A peak is the highest of its 3x3 cells. INT8 scores tie often, which would find a peak twice; among equals the cell
    with the higher neighbourhood wins, then the earlier one.
    """
    _, things, height, width = heat.shape
    order = torch.arange(things * height * width, dtype=torch.float32).reshape(1, things, height, width)
    rank = heat + TIE_BREAK * functional.avg_pool2d(heat, 3, 1, 1) - (TIE_BREAK / order.numel()) * order
    peak = (functional.max_pool2d(rank, 3, 1, 1) == rank).to(heat.dtype) * heat
    score, index = peak.flatten(1).topk(count, 1)
    thing, place = _divide(index.to(torch.float32), height * width)
    row, column = _divide(place, width)
    return torch.stack([row, column, score, thing], 2)


def _divide(number: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """Quotient and remainder of whole numbers below 2**23 in float32; integer division exports as eight nodes."""
    quotient = ((number + 0.5) / by).floor()
    return quotient, number - quotient * by


def _certainty(best: Tensor, classes: Tensor, count: int) -> Tensor:
    """Mean of the winning probability over the cells given to each class; 0 for a class that got none.

    ``best`` and ``classes`` [1, 1, h, w] → [1, count]. Compared in float and channels first, for speed.
    """
    numbers = torch.arange(count, dtype=best.dtype).reshape(1, count, 1, 1)
    members = (classes.to(best.dtype) == numbers).to(best.dtype)
    return (members * best).sum((2, 3)) / members.sum((2, 3)).clamp(min=1.0)
