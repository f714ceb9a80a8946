"""A small residual network with basic blocks that finds keypoints in a face crop, after ResNet (arXiv 1512.03385)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.crop import CropSpec
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import folded_copy
from blazeface.models.light.blocks import conv_norm
from blazeface.spec import KEYPOINT_NAMES

STEM = 16
WIDTHS = (24, 48, 96)
"""Channels of the stages, each of which halves the maps."""

DEPTH = 2
"""Basic blocks of a stage."""


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (figure 5, left); (B, in, H, W) -> (B, out, H / stride, W / stride).

    Where width or stride change, the shortcut is a pointwise convolution (option B of the paper), at stride 2 on the mean of
    2 x 2 (arXiv 1812.01187, figure 2c): nothing is passed over, and PyTorch 2.13 corrupts memory in the backward pass of narrow
    strided pointwise convolutions. out_channels: as many as come in, by default.
    """

    def __init__(self, channels: int, norm: bool = True, out_channels: int | None = None, stride: int = 1):
        super().__init__()
        out = out_channels or channels
        self.first = conv_norm(channels, out, 3, norm, stride)
        self.second = conv_norm(out, out, 3, norm)
        plain = stride == 1 and out == channels
        self.shortcut = None if plain else conv_norm(channels, out, 1, norm)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(F.relu(self.first(x)))
        if self.shortcut is not None:
            x = self.shortcut(F.avg_pool2d(x, self.stride) if self.stride > 1 else x)
        return F.relu(x + inner)


class ResidualKeypoints(nn.Module):
    """(B, 3, S, S) float RGB, normalised as the spec says -> keypoints (B, 6, 2), x y in units of the crop's side.

    S is a multiple of 16. A linear layer on the whole last map puts out the coordinates; there are no heat maps, which would need
    finer maps. `models.refine` builds, saves and loads it.
    """

    def __init__(self, spec: CropSpec | None = None, norm: bool = True):
        super().__init__()
        self.spec = spec or CropSpec()
        self.kind = "residual"
        if self.spec.size % 16:
            raise BlazeFaceError(
                f"the residual keypoint network needs a size divisible by 16, not {self.spec.size}"
            )
        self.stem = conv_norm(3, STEM, 3, norm, stride=2)
        blocks: list[nn.Module] = []
        for before, after in pairwise((STEM, *WIDTHS)):
            blocks.append(BasicBlock(before, norm, after, stride=2))
            blocks += [BasicBlock(after, norm) for _ in range(DEPTH - 1)]
        self.blocks = nn.Sequential(*blocks)
        cells = (self.spec.size // 16) ** 2
        self.places = nn.Linear(cells * WIDTHS[-1], 2 * len(KEYPOINT_NAMES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.places.weight, std=0.001)
        nn.init.constant_(self.places.bias, 0.5)  # a fresh network answers with the middle of the crop

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.stem(x)))
        places: Tensor = self.places(x.flatten(1))
        return places.view(-1, len(KEYPOINT_NAMES), 2)

    def folded(self) -> ResidualKeypoints:
        """A copy for inference: batch norm folded into the convolutions, same answers in eval mode."""
        return folded_copy(self)
