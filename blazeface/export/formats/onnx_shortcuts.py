"""Shortcuts that append zero channels, in forms that ONNX runtimes run faster than a Pad; the answers are the same.

onnxruntime copies the whole map for a Pad, out of its own layout and back, which takes 11 to 25 % of the network's time.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.models.blocks import BlazeBlock, ConvNorm, DoubleBlazeBlock, SameConv2d, Shortcut
from blazeface.models.network import BlazeFace

LANES = 16
"""Channels that onnxruntime keeps together on a processor with AVX-512 (8 with AVX2): it concatenates maps whose channels
these divide without leaving its own layout."""


def without_padding(network: BlazeFace, split: bool) -> BlazeFace:
    """A copy of a folded network in which no shortcut pads channels: where `split` and the widths allow it, a
    `SplitPointwise` in the block, else a `PaddingConvolution` in the shortcut."""
    network = copy.deepcopy(network)
    for block in network.modules():
        shortcut = getattr(block, "shortcut", None)
        if not isinstance(shortcut, Shortcut) or not shortcut.new_channels:
            continue
        last = {BlazeBlock: "pointwise", DoubleBlazeBlock: "expand"}.get(type(block))
        if split and last is not None and _splits(getattr(block, last), shortcut):
            setattr(block, last, SplitPointwise(getattr(block, last)[0], shortcut.in_channels))
            shortcut.new_channels = 0
        else:
            block.shortcut = PaddingConvolution(shortcut)
    return network


def _splits(pointwise: ConvNorm, shortcut: Shortcut) -> bool:
    """Whether it is one convolution, and both parts of its answer fill whole lanes."""
    whole = len(pointwise) == 1 and isinstance(pointwise[0], SameConv2d) and pointwise[0].groups == 1
    return whole and shortcut.in_channels % LANES == shortcut.new_channels % LANES == 0


class SplitPointwise(nn.Module):
    """A block's last convolution in two: the channels that a shortcut of `joined` channels is added to, and the new ones.

    Nothing is computed for the channels whose shortcut is zero. As `ConvNorm.rectify`: (B, in, H, W) and (B, joined, H, W)
    -> (B, out, H, W).
    """

    def __init__(self, convolution: SameConv2d, joined: int):
        super().__init__()
        self.joined = _outputs(convolution, slice(None, joined))
        self.new = _outputs(convolution, slice(joined, None))

    def rectify(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return torch.cat([F.relu(self.joined(x) + shortcut), F.relu(self.new(x))], dim=1)


@torch.no_grad()
def _outputs(convolution: SameConv2d, part: slice) -> SameConv2d:
    """The convolution that gives some of the channels of a 1 x 1 one."""
    assert convolution.kernel_size == (1, 1) and convolution.bias is not None
    weight, bias = convolution.weight[part], convolution.bias[part]
    own = SameConv2d(convolution.in_channels, len(weight), 1)
    assert own.bias is not None
    own.weight.copy_(weight)
    own.bias.copy_(bias)
    return own


class PaddingConvolution(nn.Module):
    """What a Shortcut does, with a 1 x 1 convolution by an identity matrix in place of the padding:
    (B, in, H, W) -> (B, out, H / stride, W / stride)."""

    def __init__(self, shortcut: Shortcut):
        super().__init__()
        self.pool = shortcut.pool
        width = shortcut.in_channels
        self.convolution = nn.Conv2d(width, width + shortcut.new_channels, 1, bias=False)
        with torch.no_grad():
            self.convolution.weight.copy_(torch.eye(width + shortcut.new_channels, width)[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        padded: Tensor = self.convolution(x if self.pool is None else self.pool(x))
        return padded
