"""The blocks of the networks around BlazeFace: SqueezeNet, MobileNet v1 and v2, ShuffleNet, Xception.

Each takes (B, in, H, W) to (B, out, H / stride, W / stride), for sides that the stride divides. Convolutions
followed by batch norm have no bias of their own; with `norm` False (networks for inference, and SqueezeNet
as published) they have a bias and no batch norm follows.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.models.blocks import SameConv2d


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    norm: bool,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
) -> nn.Sequential:
    """A convolution and its batch norm, which `folded` makes one."""
    layers: list[nn.Module] = [SameConv2d(in_channels, out_channels, kernel, stride, groups, not norm, dilation)]
    if norm:
        layers.append(nn.BatchNorm2d(out_channels))
    return nn.Sequential(*layers)


def max_pool(x: Tensor) -> Tensor:
    """3 x 3 of stride 2, with windows that hang over the right and the bottom edge: TensorFlow's SAME."""
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1 x 1 and by 3 x 3, half each (arXiv 1602.07360, figure 1).

    With stride 2 a max pool goes before, as between the stages of SqueezeNet.
    """

    def __init__(self, in_channels: int, squeezed: int, out_channels: int, stride: int, norm: bool):
        super().__init__()
        self.stride = stride
        self.squeeze = conv_norm(in_channels, squeezed, 1, norm)
        self.expand1 = conv_norm(squeezed, out_channels // 2, 1, norm)
        self.expand3 = conv_norm(squeezed, out_channels // 2, 3, norm)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = max_pool(x)
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1(x)), F.relu(self.expand3(x))], dim=1)


class SeparableBlock(nn.Module):
    """Depthwise 3 x 3, then pointwise, each with ReLU6 (MobileNet v1: arXiv 1704.04861, figure 3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, kernel: int, norm: bool):
        super().__init__()
        self.depthwise = conv_norm(in_channels, in_channels, kernel, norm, stride, groups=in_channels)
        self.pointwise = conv_norm(in_channels, out_channels, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = F.relu6(self.pointwise(F.relu6(self.depthwise(x))))
        return answer


class InvertedResidual(nn.Module):
    """Expand, depthwise, project without an activation (MobileNet v2: arXiv 1801.04381, figure 4d).

    The shortcut joins the narrow ends, where stride and width allow it. An expanded width equal to the
    input's leaves the expansion out.
    """

    def __init__(self, in_channels: int, expanded: int, out_channels: int, stride: int, kernel: int, norm: bool):
        super().__init__()
        self.expand = conv_norm(in_channels, expanded, 1, norm) if expanded != in_channels else None
        self.depthwise = conv_norm(expanded, expanded, kernel, norm, stride, groups=expanded)
        self.project = conv_norm(expanded, out_channels, 1, norm)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        inner = self.project(F.relu6(self.depthwise(inner)))
        return x + inner if self.residual else inner


class Shuffle(nn.Module):
    """Deal the channels of `groups` groups out in turn, so that the next groups see all of them."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        if self.groups == 1:
            return x
        split: Tensor = x.unflatten(1, (self.groups, x.shape[1] // self.groups))  # type: ignore[no-untyped-call]
        return split.transpose(1, 2).flatten(1, 2)


class ShuffleUnit(nn.Module):
    """Pointwise in groups, shuffle, depthwise, pointwise in groups (ShuffleNet v1: arXiv 1707.01083, figure 2).

    With stride 1 the input is added; with stride 2 it is average-pooled and its channels appended.
    dense_start: the first pointwise convolution is not grouped, as in the very first unit of the paper.
    """

    def __init__(
        self,
        in_channels: int,
        inner: int,
        out_channels: int,
        stride: int,
        kernel: int,
        groups: int,
        norm: bool,
        dense_start: bool = False,
    ):
        super().__init__()
        self.stride = stride
        grown = out_channels - in_channels if stride > 1 else out_channels
        self.reduce = conv_norm(in_channels, inner, 1, norm, groups=1 if dense_start else groups)
        self.shuffle = Shuffle(groups)
        self.depthwise = conv_norm(inner, inner, kernel, norm, stride, groups=inner)
        self.grow = conv_norm(inner, grown, 1, norm, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.grow(self.depthwise(self.shuffle(F.relu(self.reduce(x)))))
        if self.stride > 1:
            return F.relu(torch.cat([F.avg_pool2d(x, 3, 2, ceil_mode=True), inner], dim=1))
        return F.relu(x + inner)


class XceptionBlock(nn.Module):
    """ReLU and separable convolution, some times over, around a shortcut (arXiv 1610.02357, figure 5).

    A batch norm follows each pair of depthwise and pointwise convolution, none stands between. With stride 2
    a max pool ends the block; where width or stride change, the shortcut is a pointwise convolution.
    repeats: separable convolutions. early: the first one has the new width, else the last. start: the block
    begins with ReLU.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        kernel: int,
        norm: bool,
        repeats: int = 2,
        early: bool = True,
        start: bool = True,
    ):
        super().__init__()
        self.stride, self.start = stride, start
        inner = out_channels if early else in_channels
        widths = [in_channels, *(repeats - 1) * [inner], out_channels]
        self.depthwise = nn.ModuleList(
            SameConv2d(width, width, kernel, groups=width, bias=False) for width in widths[:-1]
        )
        self.pointwise = nn.ModuleList(conv_norm(before, after, 1, norm) for before, after in pairwise(widths))
        plain = stride == 1 and in_channels == out_channels
        self.shortcut = None if plain else conv_norm(in_channels, out_channels, 1, norm, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for index, (deep, point) in enumerate(zip(self.depthwise, self.pointwise, strict=True)):
            inner = point(deep(F.relu(inner) if index or self.start else inner))
        if self.stride > 1:
            inner = max_pool(inner)
        return inner + (x if self.shortcut is None else self.shortcut(x))
