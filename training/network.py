"""The network: a plain convolutional encoder, a feature pyramid and one merged head at a quarter of the resolution.

Bottom-up panoptic segmentation (Cheng et al. 2020, Panoptic-DeepLab): a semantic map, a heatmap of centres for each
thing, and for each pixel the offset to the centre of its instance. Only 3x3 and 1x1 convolutions with ReLU, because
those are what INT8 units run at full speed; in training each 3x3 has parallel branches (Ding et al. 2021, RepVGG) that
``fold`` merges without changing the result.
"""

import copy
from typing import Annotated, Final, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from training.spec import ModelSpec

STRIDE_PX: Final = 4
"""Input pixels per grid cell of the outputs."""

Width = Annotated[int, Field(ge=8, le=1024, multiple_of=8)]


class NetworkSettings(BaseModel):
    """Size of a network; ``SIZES`` has some by name. The default, small, is the one that ships."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[Width, Width, Width, Width] = (32, 64, 128, 256)
    depths: tuple[int, int, int, int] = (1, 2, 3, 1)
    pyramid_width: Width = 64
    fine_width: Width = 32
    head_width: Width = 48


SIZES: Final = {
    "nano": NetworkSettings(widths=(16, 32, 96, 160), depths=(1, 2, 2, 1), pyramid_width=48, head_width=48),
    "small": NetworkSettings(),
    "med": NetworkSettings(widths=(32, 64, 160, 256), depths=(1, 3, 6, 2), head_width=64),
    "large": NetworkSettings(
        widths=(48, 96, 208, 320), depths=(2, 4, 6, 2), pyramid_width=96, fine_width=48, head_width=64
    ),
}
"""From the fastest to the most accurate."""


class Maps(NamedTuple):
    """What the network says of a batch; h = H/4, w = W/4.

    Attributes:
        semantic: class logits, [B, classes, h, w].
        heat: logits of being the centre of a thing, [B, things, h, w].
        offsets: dy and dx from a cell to the centre of its instance, in cells, [B, 2, h, w].
        features: means of the deepest level, [B, widths[3]].
    """

    semantic: Tensor
    heat: Tensor
    offsets: Tensor
    features: Tensor


class RepConv(nn.Module):
    """A 3x3 convolution with batch norm and ReLU; beside it a 1x1 and, where shapes allow, an identity branch."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.point = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.point_norm = nn.BatchNorm2d(outputs)
        self.identity_norm = nn.BatchNorm2d(outputs) if inputs == outputs and stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] → [B, outputs, H/stride, W/stride]."""
        y: Tensor = self.norm(self.conv(x)) + self.point_norm(self.point(x))
        if self.identity_norm is not None:
            y = y + self.identity_norm(x)
        return functional.relu(y)

    def fold(self) -> nn.Sequential:
        """The same function, for fixed statistics, as one convolution and a ReLU."""
        kernel, bias = _absorb(self.conv.weight, self.norm)
        point, point_bias = _absorb(self.point.weight, self.point_norm)
        kernel, bias = kernel + functional.pad(point, [1, 1, 1, 1]), bias + point_bias
        if self.identity_norm is not None:
            identity = torch.zeros_like(kernel)
            nn.init.dirac_(identity)
            identity, identity_bias = _absorb(identity, self.identity_norm)
            kernel, bias = kernel + identity, bias + identity_bias
        return nn.Sequential(_plain(kernel, bias, self.stride, 1), nn.ReLU())


class ConvNorm(nn.Sequential):
    """A convolution with batch norm, and a ReLU if ``relu``."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs))
        self.stride, self.padding = stride, size // 2
        if relu:
            self.append(nn.ReLU())

    def fold(self) -> nn.Sequential:
        """The same function, for fixed statistics, without the batch norm."""
        conv, norm, *rest = self
        assert isinstance(conv, nn.Conv2d)  # noqa: S101 - as __init__ built it
        assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101
        return nn.Sequential(_plain(*_absorb(conv.weight, norm), self.stride, self.padding), *rest)


def _absorb(kernel: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded: train with track_running_stats")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return kernel * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def _plain(kernel: Tensor, bias: Tensor, stride: int, padding: int) -> nn.Conv2d:
    outputs, inputs, size, _ = kernel.shape
    conv = nn.Conv2d(inputs, outputs, size, stride, padding)
    conv.weight, conv.bias = nn.Parameter(kernel.detach().clone()), nn.Parameter(bias.detach().clone())
    return conv


class Context(nn.Module):
    """Spatial pyramid pooling: lets each cell of the deepest level see most of the picture (SPPF of YOLOv5)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(inputs, inputs // 2, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.merge = ConvNorm(2 * inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] → [B, outputs, H, W]."""
        near = self.reduce(x)
        middle = self.pool(near)
        far = self.pool(middle)
        merged: Tensor = self.merge(torch.cat([near, middle, far, self.pool(far)], 1))
        return merged


def _stage(inputs: int, outputs: int, depth: int, stride: int) -> nn.Sequential:
    first = [RepConv(inputs, outputs, stride)] if stride > 1 else []
    return nn.Sequential(*first, *(RepConv(outputs, outputs) for _ in range(depth)))


class Network(nn.Module):
    """A BGR picture in, as cameras give it; raw maps out."""

    def __init__(self, spec: ModelSpec, settings: NetworkSettings) -> None:
        super().__init__()
        self.spec, self.settings = spec, settings
        w4, w8, w16, w32 = settings.widths
        d, fine = settings.pyramid_width, settings.fine_width
        self.stem = ConvNorm(3, w4, 7, STRIDE_PX)
        self.stages = nn.ModuleList(
            _stage(inputs, outputs, depth, stride)
            for inputs, outputs, depth, stride in zip(
                (w4, w4, w8, w16), settings.widths, settings.depths, (1, 2, 2, 2), strict=True
            )
        )
        self.context = Context(w32, d)
        self.laterals = nn.ModuleList(ConvNorm(width, d, 1, relu=False) for width in (w8, w16))
        self.smooth = RepConv(d, d)
        self.narrow = ConvNorm(d, fine, 1, relu=False)
        self.fine_lateral = ConvNorm(w4, fine, 1, relu=False)
        self.head = RepConv(fine, settings.head_width)
        # One small convolution each: their outputs differ in range, and an INT8 tensor has one scale.
        self.semantic = nn.Conv2d(settings.head_width, len(spec.classes), 1)
        self.heat = nn.Conv2d(settings.head_width, len(spec.things), 1)
        self.offsets = nn.Conv2d(settings.head_width, 2, 1)
        _expect_few_peaks(self.heat)

    def forward(self, x: Tensor) -> Maps:
        """Picture [B, 3, H, W], BGR in 0…1, H and W multiples of 32 → maps."""
        fine = self.stages[0](self.stem(x))
        eighth = self.stages[1](fine)
        sixteenth = self.stages[2](eighth)
        deepest = self.stages[3](sixteenth)
        top = functional.relu(_twice(self.context(deepest)) + self.laterals[1](sixteenth))
        top = functional.relu(_twice(top) + self.laterals[0](eighth))
        merged = functional.relu(_twice(self.narrow(self.smooth(top))) + self.fine_lateral(fine))
        head = self.head(merged)
        return Maps(self.semantic(head), self.heat(head), self.offsets(head), deepest.mean((2, 3)))


def transferred(start: Network, spec: ModelSpec) -> Network:
    """A network for ``spec`` that begins from what ``start`` has learned; what counts other things begins anew."""
    network = Network(spec, start.settings)
    learned = start.state_dict()
    if not start.spec.answers_as(spec):
        learned = {name: value for name, value in learned.items() if not name.startswith(("semantic.", "heat."))}
    network.load_state_dict(network.state_dict() | learned)
    return network


def _expect_few_peaks(heat: nn.Conv2d) -> None:
    """Start from a low score everywhere; else the many empty cells drown the first steps (Lin et al. 2017, 3.3)."""
    nn.init.zeros_(heat.weight)
    if heat.bias is not None:
        nn.init.constant_(heat.bias, -4.0)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def fold(network: Network) -> Network:
    """A copy in evaluation mode in which every batch norm and branch has become part of one convolution."""
    folded = copy.deepcopy(network).eval()
    for name, module in list(folded.named_modules()):
        if isinstance(module, RepConv | ConvNorm):
            parent, _, leaf = name.rpartition(".")
            setattr(folded.get_submodule(parent), leaf, module.fold())
    return folded
