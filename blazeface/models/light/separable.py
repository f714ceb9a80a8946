"""A depthwise-separable convolution with its options, and what it costs beside the dense one (arXiv 1704.04861, section 3.1)."""

from __future__ import annotations

import torch
from torch import nn

from blazeface.models.blocks import SameConv2d
from blazeface.models.cost import Cost, count
from blazeface.models.layouts import BETWEEN


def depthwise_separable(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    *,
    bias: bool = True,
    between: str = "nothing",
    norm_after: bool = False,
) -> nn.Sequential:
    """A depthwise k x k, what stands between, and a pointwise convolution: (B, in, H, W) -> (B, out, H / stride, W / stride).

    bias: of both convolutions. between: one of BETWEEN. norm_after: batch norm follows the pointwise convolution, whose bias
    then only repeats what the norm does. Raises ValueError for another `between`.
    """
    depthwise = SameConv2d(in_channels, in_channels, kernel, stride, groups=in_channels, bias=bias)
    pointwise: nn.Module = SameConv2d(in_channels, out_channels, 1, bias=bias)
    if norm_after:
        pointwise = nn.Sequential(pointwise, nn.BatchNorm2d(out_channels))
    return nn.Sequential(followed(depthwise, in_channels, between), pointwise)


def followed(convolution: nn.Module, channels: int, between: str, norm: bool = True) -> nn.Module:
    """A convolution of so many output channels, and what stands between it and the next.

    norm: False leaves out the batch norm, as in a network whose norms are folded into the convolutions; the names of the
    parameters stay. Raises ValueError for a `between` that is not one of BETWEEN.
    """
    if between not in BETWEEN:
        raise ValueError(f"between two parts stands {', '.join(BETWEEN)}, not {between!r}")
    if between == "nothing":
        return convolution
    normed = nn.Sequential(convolution, *([nn.BatchNorm2d(channels)] if norm else []))
    return normed if between == "norm" else nn.Sequential(normed, nn.ReLU())


def compared(
    in_channels: int, out_channels: int, kernel: int, size: tuple[int, int], bias: bool
) -> tuple[Cost, Cost]:
    """Cost of the dense k x k convolution and of the separable one, nothing in between, on `size` (rows, columns)."""
    with torch.device("meta"):
        x = torch.zeros(1, in_channels, *size)
        dense = nn.Sequential(SameConv2d(in_channels, out_channels, kernel, bias=bias))
        return count(dense, x), count(depthwise_separable(in_channels, out_channels, kernel, bias=bias), x)
