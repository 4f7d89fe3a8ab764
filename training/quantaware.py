"""Training with the rounding of INT8 in place, for where quantising afterwards costs more than the gate admits.

Every convolution of the folded network sees its weights and inputs as INT8 will have them, and gradients pass straight
through the rounding (Jacob et al. 2018). Both are symmetric, activations in one scale per tensor and weights in one per
channel: what TensorRT takes, and the coarser of the two INT8 files.
"""

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.network import ConvNorm, Network, RepConv, fold

LEVELS: Final = 127
REMEMBERED: Final = 0.98
"""Share of an activation's range that outlives one batch."""


class RoundedConv(nn.Module):
    """A convolution in INT8, computed in float."""

    largest: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] → [B, outputs, H/stride, W/stride]."""
        if self.training:
            seen = x.detach().abs().amax().float()
            known = bool(self.largest > 0)
            self.largest.copy_(torch.lerp(seen, self.largest, REMEMBERED) if known else seen)
        weight, conv = self.conv.weight.float(), self.conv
        scales = weight.detach().abs().amax((1, 2, 3)).clamp(min=1e-8) / LEVELS
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -LEVELS, LEVELS)
        scale = self.largest.clamp(min=1e-8) / LEVELS
        inputs = torch.fake_quantize_per_tensor_affine(x.float(), scale, zeros[0], -LEVELS, LEVELS)
        return functional.conv2d(inputs, rounded, conv.bias, conv.stride, conv.padding)


def rounded(network: Network) -> Network:
    """The folded network with every convolution in INT8; what its activations reach it learns while it trains."""
    prepared = fold(network)
    for name, module in list(prepared.named_modules()):
        if isinstance(module, nn.Conv2d):
            parent, _, leaf = name.rpartition(".")
            setattr(prepared.get_submodule(parent), leaf, RoundedConv(module))
    return prepared


def unrounded(prepared: Network) -> Network:
    """An ordinary network with the weights of one that ``rounded`` made: idle branches, and norms that keep all."""
    network = Network(prepared.spec, prepared.settings).eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, RepConv | ConvNorm):
            folded = prepared.get_submodule(name)[0]  # type: ignore[index]  # a sequence: the convolution and its ReLU
            _become(module, folded.conv)
    for name in ("semantic", "heat", "offsets"):
        network.get_submodule(name).load_state_dict(prepared.get_submodule(name).conv.state_dict())  # type: ignore[union-attr]
    return network


@torch.no_grad()
def _become(module: RepConv | ConvNorm, conv: nn.Conv2d) -> None:
    if isinstance(module, RepConv):
        plain, norm = module.conv, module.norm
        module.point.weight.zero_()
        if module.identity_norm is not None:
            module.identity_norm.weight.zero_()
    else:
        plain, norm = module[0], module[1]  # type: ignore[assignment]
    plain.weight.copy_(conv.weight)
    assert norm.running_var is not None  # noqa: S101 - every norm here has statistics
    norm.running_var.fill_(1 - norm.eps)
    if conv.bias is not None:
        norm.bias.copy_(conv.bias)


def ordinary(network: Network) -> Network:
    """What a checkpoint can hold: the network itself, or if it is rounded the one behind it."""
    is_rounded = any(isinstance(module, RoundedConv) for module in network.modules())
    return unrounded(copy.deepcopy(network)) if is_rounded else network
