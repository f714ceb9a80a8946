"""Aligned Xception, the backbone of DeepLabv3+ (arXiv 1802.02611, figure 4), at output stride 16 or 8.

It differs from Xception (`light.classifiers`): the strided separable convolutions take the place of max pools, batch norm
stands between depthwise and pointwise as well, the middle is twice as long, and dilation replaces the strides that
segmentation gives up: the weights are the same at both output strides, only the maps and the cost grow. The block after the
middle has two separable convolutions: 36,805,424 parameters in all, where the paper's figure, with a third, has 37,867,312.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.models.light.blocks import conv_norm
from blazeface.models.named_layouts import MIDDLE_BLOCKS, aligned_widths

STRIDES: dict[int, tuple[int, int, tuple[int, int]]] = {16: (2, 1, (1, 2)), 8: (1, 2, (2, 4))}
"""By output stride: stride of the last entry block, dilation of the middle, dilations of the exit block and what follows."""

ALIGNED = {f"xception-aligned-{stride}": stride for stride in STRIDES}
"""The networks by name, and their output stride."""


class DilatedSeparable(nn.Sequential):
    """Depthwise 3 x 3, batch norm, pointwise, batch norm: (B, in, H, W) -> (B, out, H / stride, W / stride).

    A dilated one has stride 1: its padding is then the dilation, on every side. norm: False as in a network whose norms are
    folded into the convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1, norm: bool = True):
        assert dilation == 1 or stride == 1, "a dilated convolution takes the place of a strided one"
        super().__init__(
            conv_norm(in_channels, in_channels, 3, norm, stride, in_channels, dilation),
            conv_norm(in_channels, out_channels, 1, norm),
        )


class ExitSeparable(nn.Module):
    """DilatedSeparable, then ReLU: what follows the last block."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int, norm: bool = True):
        super().__init__()
        self.separable = DilatedSeparable(in_channels, out_channels, 1, dilation, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.separable(x))


class AlignedBlock(nn.Module):
    """ReLU and separable convolution, three times over, around a shortcut; the last of them has the stride.

    closing: False for the block after the middle, which has only two and takes its new width in the second. start: the
    block begins with ReLU; activated: it ends with one. Where width or stride change, the shortcut is a pointwise convolution
    with batch norm. norm: as in DilatedSeparable.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilation: int = 1,
        closing: bool = True,
        start: bool = True,
        activated: bool = False,
        norm: bool = True,
    ):
        super().__init__()
        self.start, self.activated = start, activated
        widths = [in_channels, *3 * [out_channels]] if closing else [in_channels, in_channels, out_channels]
        last = len(widths) - 2
        self.separable = nn.ModuleList(
            DilatedSeparable(before, after, stride if index == last else 1, dilation, norm)
            for index, (before, after) in enumerate(pairwise(widths))
        )
        plain = stride == 1 and in_channels == out_channels
        self.shortcut = None if plain else conv_norm(in_channels, out_channels, 1, norm, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for index, separable in enumerate(self.separable):
            inner = separable(F.relu(inner) if index or self.start else inner)
        x = inner + (x if self.shortcut is None else self.shortcut(x))
        return F.relu(x) if self.activated else x


class AlignedXception(nn.Module):
    """(B, 3, H, W), sides divisible by 16, -> the last map (B, 2048, H / s, W / s) and the low-level one (B, 128, H / 4, W / 4).

    s: output_stride, 16 or 8. width multiplies all channels, in steps of 8, down to 16; `channels` are those of the last map and the
    low-level one. Both maps end with ReLU. Raises BlazeFaceError for another output stride, or a width not above 0.
    """

    def __init__(self, output_stride: int = 16, width: float = 1.0):
        super().__init__()
        if output_stride not in STRIDES:
            raise BlazeFaceError(
                f"Aligned Xception has an output stride of {' or '.join(map(str, STRIDES))}, not {output_stride}"
            )
        w32, w64, w128, w256, w728, w1024, w1536, w2048 = aligned_widths(width)
        self.channels = (w2048, w128)
        entry_stride, middle, (dilation, last) = STRIDES[output_stride]
        self.stem = nn.Sequential(
            conv_norm(3, w32, 3, True, stride=2), nn.ReLU(), conv_norm(w32, w64, 3, True), nn.ReLU()
        )
        self.low = AlignedBlock(w64, w128, stride=2, start=False, activated=True)
        self.blocks = nn.Sequential(
            AlignedBlock(w128, w256, stride=2, start=False),
            AlignedBlock(w256, w728, entry_stride),
            *(AlignedBlock(w728, w728, dilation=middle) for _ in range(MIDDLE_BLOCKS)),
            AlignedBlock(w728, w1024, dilation=dilation, closing=False, activated=True),
        )
        self.exit = nn.ModuleList(
            ExitSeparable(before, after, last)
            for before, after in ((w1024, w1536), (w1536, w1536), (w1536, w2048))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low = self.low(self.stem(x))
        x = self.blocks(low)
        for separable in self.exit:
            x = separable(x)
        return x, low


def build_aligned(name: str) -> AlignedXception:
    """A fresh network at full width, by name."""
    return AlignedXception(ALIGNED[name])
