"""The small networks that tell faces from background at 96 x 96: padded U-Nets, and a narrow Aligned Xception."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.models.light.blocks import conv_norm
from blazeface.models.light.unet import build_unet
from blazeface.models.light.xception_aligned import AlignedXception, DilatedSeparable
from blazeface.models.tensor_file import fill, read_tensors, write_tensors

SEGMENT_SIZE = 96
"""Side in pixels of input and output."""

SEGMENT_KEY = "blazeface.segment"
"""Name of the metadata entry that says which of them a file holds."""

UNET_STEPS = {"dense": 0, "light": 5}
"""The U-Nets by name, and how many of `unet`'s steps they have gone."""

SEGMENTERS = (*UNET_STEPS, "xception")
UNET_WIDTHS = (8, 16, 32, 64)
XCEPTION_WIDTH = 0.125
"""Width multiplier of the Aligned Xception."""


class AlignedSegmenter(nn.Module):
    """(B, 3, H, W), sides divisible by 16, -> logits (B, classes, H, W): a small decoder behind Aligned Xception.

    After DeepLabv3+ (arXiv 1802.02611), without its atrous pyramid: the last map, made narrow, is enlarged to stride 4 and
    joined to the narrow low-level map; a separable convolution follows, and the logits are enlarged to the input's size.
    """

    def __init__(self, width: float = XCEPTION_WIDTH, output_stride: int = 16, classes: int = 2):
        super().__init__()
        self.backbone = AlignedXception(output_stride, width)
        last, low = self.backbone.channels
        deep, fine = max(8, last // 8), max(8, low // 2)
        self.last = conv_norm(last, deep, 1, True)
        self.low = conv_norm(low, fine, 1, True)
        self.join = DilatedSeparable(deep + fine, deep)
        self.logits = nn.Conv2d(deep, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        last, low = self.backbone(x)
        last, low = F.relu(self.last(last)), F.relu(self.low(low))
        x = F.relu(self.join(torch.cat([_enlarged(last, low.shape[2:]), low], dim=1)))
        return _enlarged(self.logits(x), (4 * x.shape[2], 4 * x.shape[3]))


def _enlarged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def build_segmenter(kind: str) -> nn.Module:
    """A fresh one of SEGMENTERS. Raises BlazeFaceError for another name."""
    if kind not in SEGMENTERS:
        raise BlazeFaceError(f"unknown kind {kind!r} of segmentation: there are {', '.join(SEGMENTERS)}")
    if kind == "xception":
        return AlignedSegmenter()
    return build_unet(UNET_STEPS[kind], UNET_WIDTHS, padded=True, spare=False)


def save_segmenter(network: nn.Module, kind: str, path: Path) -> None:
    """Write one of them. The file appears whole or not at all."""
    write_tensors(network, path, {SEGMENT_KEY: kind})


def load_segmenter(path: Path) -> nn.Module:
    """The network of a file that `save_segmenter` wrote, in eval mode. Raises BlazeFaceError naming the file."""
    metadata, tensors = read_tensors(path)
    if metadata.get(SEGMENT_KEY) not in SEGMENTERS:
        raise BlazeFaceError(f"{path}: it holds no segmenter of blazeface")
    network = build_segmenter(metadata[SEGMENT_KEY])
    fill(network, tensors, path)
    return network.eval()
