"""The blocks that BlazeFace is made of (arXiv 1907.05047, figure 1).

All convolutions use TensorFlow's SAME padding: an odd surplus goes to the right and the bottom. It is
what Google's released weights expect and what mobile runtimes run without a separate padding step.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Network = TypeVar("Network", bound=nn.Module)

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


class SameConv2d(nn.Conv2d):
    """Convolution with SAME padding, for inputs whose sides the stride divides.

    (B, in, H, W) -> (B, out, H / stride, W / stride).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
    ):
        sizes = zip(_pair(kernel), _pair(stride), _pair(dilation), strict=True)
        tall, wide = (max((k - 1) * d + 1 - s, 0) for k, s, d in sizes)
        before = (tall // 2, wide // 2)
        # As F.pad wants it: left, right, top, bottom.
        sides = (before[1], wide - before[1], before[0], tall - before[0])
        self.uneven = sides if tall % 2 or wide % 2 else None
        padding = 0 if self.uneven else before
        super().__init__(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = F.pad(x, self.uneven)
        return super().forward(x)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def depthwise(channels: int, kernel: int, stride: int = 1) -> SameConv2d:
    """One filter per channel: kernel^2 multiplications per output value, at any width."""
    return SameConv2d(channels, channels, kernel, stride, groups=channels)


class ConvNorm(nn.Sequential):
    """A convolution, then batch norm where `norm` (it is folded for export)."""

    def __init__(self, convolution: nn.Module, norm: bool):
        super().__init__(convolution)
        if norm:
            assert isinstance(convolution, SameConv2d)
            self.append(nn.BatchNorm2d(convolution.out_channels))

    def rectify(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """ReLU of the sum of both paths: how every block ends."""
        x = self(x)
        return F.relu(x if shortcut is None else x + shortcut)


def pointwise(in_channels: int, out_channels: int, norm: bool) -> ConvNorm:
    """1 x 1 convolution over all channels."""
    return ConvNorm(SameConv2d(in_channels, out_channels, 1), norm)


def _normed(convolution: SameConv2d, followed: bool, norm: bool) -> nn.Module:
    """The convolution alone, under its own name in weights files, or followed by batch norm."""
    return ConvNorm(convolution, norm) if followed else convolution


class Shortcut(nn.Module):
    """The residual path: max pool where the block strides, new channels zero and appended at the end.

    projected: a pointwise convolution (and batch norm where `norm`) gives the new width instead.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, projected: bool = False, norm: bool = False
    ):
        super().__init__()
        if out_channels < in_channels and not projected:
            raise ValueError(f"a block cannot narrow its shortcut from {in_channels} to {out_channels} channels")
        self.in_channels, self.new_channels = in_channels, 0 if projected else out_channels - in_channels
        self.stride = stride
        self.projection = pointwise(in_channels, out_channels, norm) if projected else None
        self.pool = nn.MaxPool2d(stride) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = self.pool(x)
        if self.projection is not None:
            x = self.projection(x)
        if self.new_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.new_channels))
        return x


class Luminance(nn.Module):
    """Grey from red, green and blue: (B, 3, H, W) -> (B, 1, H, W), with the weights of ITU-R BT.601, which are those of a
    camera's Y plane, of JPEG and of OpenCV. They sum to 1, so that a normalised picture stays one. Nothing is learnt here."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        weights = torch.tensor(LUMINANCE).reshape(1, 3, 1, 1)
        self.register_buffer("weight", weights, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)


class DenseBlock(nn.Module):
    """A dense convolution and ReLU: (B, in, H, W) -> (B, out, H / stride, W / stride).

    On few channels and large maps a depthwise convolution is bound by memory: there the dense one costs less time than
    its multiplications suggest.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, kernel: int, norm: bool):
        super().__init__()
        self.conv = ConvNorm(SameConv2d(in_channels, out_channels, kernel, stride), norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv.rectify(x)


class BlazeBlock(nn.Module):
    """Single block: depthwise, pointwise, residual. (B, in, H, W) -> (B, out, H / stride, W / stride).

    A 5 x 5 depthwise costs little more than 3 x 3, since the pointwise part dominates, and doubles the
    rate at which the receptive field grows (section 3.1). residual: False leaves the shortcut out. projected: see
    Shortcut. depthwise_norm: a batch norm stands between the two convolutions as well.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        kernel: int,
        norm: bool,
        residual: bool = True,
        projected: bool = False,
        depthwise_norm: bool = False,
    ):
        super().__init__()
        self.depthwise = _normed(depthwise(in_channels, kernel, stride), depthwise_norm, norm)
        self.pointwise = pointwise(in_channels, out_channels, norm)
        self.shortcut = Shortcut(in_channels, out_channels, stride, projected, norm) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise.rectify(self.depthwise(x), self.shortcut(x) if self.shortcut else None)


class DoubleBlazeBlock(nn.Module):
    """Double block: depthwise, project to a narrow width, ReLU, depthwise, expand, residual.

    Both 5 x 5 convolutions are depthwise. (B, in, H, W) -> (B, out, H / stride, W / stride). dense_middle: the second is
    dense instead, over all the narrow channels. projected, depthwise_norm: as in BlazeBlock.
    """

    def __init__(
        self,
        in_channels: int,
        bottleneck: int,
        out_channels: int,
        stride: int,
        kernel: int,
        norm: bool,
        projected: bool = False,
        depthwise_norm: bool = False,
        dense_middle: bool = False,
    ):
        super().__init__()
        middle = SameConv2d(bottleneck, bottleneck, kernel) if dense_middle else depthwise(bottleneck, kernel)
        self.depthwise_in = _normed(depthwise(in_channels, kernel, stride), depthwise_norm, norm)
        self.project = pointwise(in_channels, bottleneck, norm)
        self.depthwise_mid = _normed(middle, depthwise_norm, norm)
        self.expand = pointwise(bottleneck, out_channels, norm)
        self.shortcut = Shortcut(in_channels, out_channels, stride, projected, norm)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.project.rectify(self.depthwise_in(x))
        return self.expand.rectify(self.depthwise_mid(narrow), self.shortcut(x))


class UpBlock(nn.Module):
    """Back to larger maps: wide context joins fine position.

    (B, in, H, W) and the maps of an earlier block (B, joined, 2H, 2W) -> (B, out, 2H, 2W). Both go
    through a pointwise convolution and ReLU; the smaller is then scaled up bilinearly (half-pixel
    centres), and the two are added.
    """

    def __init__(self, in_channels: int, joined_channels: int, out_channels: int, norm: bool):
        super().__init__()
        self.coarse = pointwise(in_channels, out_channels, norm)
        self.fine = pointwise(joined_channels, out_channels, norm)

    def forward(self, x: Tensor, joined: Tensor) -> Tensor:
        wide = F.interpolate(self.coarse.rectify(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.fine.rectify(joined) + wide


@torch.no_grad()
def fold_norm(layers: nn.Sequential) -> ConvNorm:
    """Convolution + batch norm as one convolution with the same inference-time answer."""
    layer, norm = layers
    convolution = layer
    while isinstance(convolution, nn.Sequential):  # what `lighten` makes of a convolution ends with one
        convolution = convolution[-1]
    for part in layer.modules():  # folded layers all have a bias, as those of a network built without norms
        if isinstance(part, nn.Conv2d) and part.bias is None:
            part.bias = nn.Parameter(part.weight.new_zeros(part.out_channels))
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None and norm.running_mean is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    convolution.weight.mul_(gain[:, None, None, None])
    assert convolution.bias is not None
    convolution.bias.copy_((convolution.bias - norm.running_mean) * gain + norm.bias)
    return ConvNorm(layer, norm=False)


def fold_all(network: nn.Module) -> None:
    """Fold every pair of convolution and batch norm of a network in eval mode, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sequential) and _is_pair(child):
                setattr(module, name, fold_norm(child))


def _is_pair(layers: nn.Sequential) -> bool:
    """Whether these are a convolution, or a chain that ends with one, and its batch norm, and nothing more."""
    if len(layers) != 2 or not isinstance(layers[1], nn.BatchNorm2d):
        return False
    last, norm = layers[0], layers[1]
    while isinstance(last, nn.Sequential) and len(last):
        last = last[-1]
    return isinstance(last, nn.Conv2d) and norm.weight is not None and norm.running_var is not None


@torch.no_grad()
def absorb_bias(depthwise: nn.Module, pointwise: nn.Module) -> None:
    """Move the bias of a depthwise convolution into that of the 1 x 1 convolution right behind it: same answers.

    Batch norm hides it from training, where nothing holds it near zero. What it adds, the next bias would take away again,
    and 16-bit floats and 8-bit integers lose the signal beside it.
    """
    if isinstance(depthwise, ConvNorm):
        depthwise = depthwise[-1]
    before, after = depthwise, pointwise[0] if isinstance(pointwise, ConvNorm) else pointwise
    if not isinstance(before, SameConv2d) or not isinstance(after, SameConv2d):
        return  # made light, with layers between
    if after.kernel_size != (1, 1) or after.groups != 1 or before.bias is None or after.bias is None:
        return
    after.bias.add_(after.weight[:, :, 0, 0] @ before.bias)
    before.bias.zero_()


def folded_copy(network: Network) -> Network:
    """A copy for inference: batch norm folded into the convolutions, same answers in eval mode."""
    folded = copy.deepcopy(network).eval()
    fold_all(folded)
    for block in folded.modules():
        if isinstance(block, BlazeBlock):
            absorb_bias(block.depthwise, block.pointwise)
        elif isinstance(block, DoubleBlazeBlock):
            absorb_bias(block.depthwise_in, block.project)
            absorb_bias(block.depthwise_mid, block.expand)
    return folded
