"""The BlazeFace network: backbone by layout, one head per anchor map."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from blazeface.anchors import anchor_sizes
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import (
    BlazeBlock,
    ConvNorm,
    DenseBlock,
    DoubleBlazeBlock,
    Luminance,
    SameConv2d,
    UpBlock,
    folded_copy,
)
from blazeface.models.layouts import Block, Layout
from blazeface.models.light.blocks import Fire, InvertedResidual, SeparableBlock, ShuffleUnit, XceptionBlock
from blazeface.models.light.lighten import exchange_again
from blazeface.models.light.xception_aligned import AlignedBlock, ExitSeparable
from blazeface.models.named_layouts import NAMED_LAYOUTS, aligned_layout
from blazeface.models.origin import Origin
from blazeface.spec import ModelSpec, named_spec

FACE_PRIOR = 0.01
"""Score that a fresh network gives every anchor: most anchors see no face, and a loss that starts from
one half would spend its first steps learning only that (RetinaNet, arXiv 1708.02002, section 3.3)."""


class BlazeFace(nn.Module):
    """(B, 3, S, S) float RGB, normalised as the spec says -> logits (B, A), regressions (B, A, 4 + 2K).

    A is the number of anchors and K of keypoints, both from the spec; the anchors' order is that of
    `blazeface.anchors`. The layout's head_inputs must fit the spec's anchor maps.

    norm: with batch norm for training, or with it folded away (see `folded`). origin: the note on where the weights come
    from, which files of them carry.
    """

    def __init__(self, spec: ModelSpec, layout: Layout, norm: bool = True):
        super().__init__()
        expected = [spec.input_size / anchor_map.cells for anchor_map in spec.anchor_maps]
        found = [stride for _, stride in layout.head_inputs]
        if found != expected:
            raise BlazeFaceError(
                f"layout and spec of {spec.name!r} disagree: the head_inputs have strides {found}, the anchors {expected}"
            )
        self.spec, self.layout = spec, layout
        self.origin = Origin()
        self.luminance = Luminance() if layout.grey else None
        self.stem = ConvNorm(
            SameConv2d(1 if layout.grey else 3, layout.stem_channels, layout.stem_kernel, stride=2), norm
        )
        widths = [layout.stem_channels, *(block.channels for block in layout.blocks)]
        self.blocks = nn.ModuleList(
            _build(widths, index, block, norm) for index, block in enumerate(layout.blocks)
        )
        self._needed = {block.skip_from for block in layout.blocks} | set(layout.feeding)
        self.score_heads = nn.ModuleList()
        self.regression_heads = nn.ModuleList()
        for (width, _), anchor_map in zip(layout.head_inputs, spec.anchor_maps, strict=True):
            self.score_heads.append(SameConv2d(width, len(anchor_map.sizes), 1))
            self.regression_heads.append(SameConv2d(width, len(anchor_map.sizes) * spec.num_coords, 1))
        for change in layout.lightened:
            exchange_again(self, change, f"layout of {self.spec.name!r}", norm)
        self._init_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem.rectify(x if self.luminance is None else self.luminance(x))
        needed: dict[int, Tensor] = {}  # by later blocks and by the head
        for index, (block, numbers) in enumerate(zip(self.blocks, self.layout.blocks, strict=True)):
            x = block(x) if numbers.skip_from is None else block(x, needed[numbers.skip_from])
            if index in self._needed:
                needed[index] = x
        head_inputs = [needed[index] for index in self.layout.feeding]
        logits = [
            head(tensor).permute(0, 2, 3, 1).flatten(1)
            for head, tensor in zip(self.score_heads, head_inputs, strict=True)
        ]
        # Reshaped map by map: the last axis of NHWC holds anchor after anchor, so rows come out in order.
        regressions = [
            head(tensor).permute(0, 2, 3, 1).reshape(tensor.shape[0], -1, self.spec.num_coords)
            for head, tensor in zip(self.regression_heads, head_inputs, strict=True)
        ]
        return torch.cat(logits, dim=1), torch.cat(regressions, dim=1)

    def folded(self) -> BlazeFace:
        """A copy for inference: batch norm folded into the convolutions, same answers in eval mode."""
        return folded_copy(self)

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for score_head, regression_head, anchor_map in zip(
            self.score_heads, self.regression_heads, self.spec.anchor_maps, strict=True
        ):
            assert isinstance(score_head, nn.Conv2d) and isinstance(regression_head, nn.Conv2d)
            nn.init.normal_(score_head.weight, std=0.01)
            nn.init.normal_(regression_head.weight, std=0.01)
            assert score_head.bias is not None and regression_head.bias is not None
            nn.init.constant_(score_head.bias, -math.log((1 - FACE_PRIOR) / FACE_PRIOR))
            # A fresh anchor predicts a square of its own size around its centre.
            sizes = torch.from_numpy(anchor_sizes((anchor_map,)))[: len(anchor_map.sizes)] * self.spec.decode_scale
            with torch.no_grad():
                bias = regression_head.bias.view(len(anchor_map.sizes), self.spec.num_coords)
                bias[:, 2:4] = sizes[:, None]


def build(name: str, width: float = 0.0) -> BlazeFace:
    """A fresh network of a named model, for training. width: multiplier of xception-aligned-128, instead of its own."""
    return BlazeFace(named_spec(name), aligned_layout(width) if width else NAMED_LAYOUTS[name])


def _build(widths: list[int], index: int, block: Block, norm: bool) -> nn.Module:
    """widths: of the stem and of all blocks, so that widths[index] is what this block is fed."""
    width = widths[index]
    match block.kind:
        case "dense":
            return DenseBlock(width, block.channels, block.stride, block.kernel, norm)
        case "fire":
            return Fire(width, block.bottleneck, block.channels, block.stride, norm)
        case "separable":
            return SeparableBlock(width, block.channels, block.stride, block.kernel, norm)
        case "inverted":
            return InvertedResidual(width, block.bottleneck, block.channels, block.stride, block.kernel, norm)
        case "shuffle":
            numbers = (block.bottleneck, block.channels, block.stride, block.kernel, block.groups)
            return ShuffleUnit(width, *numbers, norm, dense_start=index == 0)
        case "xception":
            return XceptionBlock(width, block.channels, block.stride, block.kernel, norm)
        case "aligned":
            strides = (block.stride, block.dilation)
            closing = block.repeats == 3
            return AlignedBlock(width, block.channels, *strides, closing, activated=block.activated, norm=norm)
        case "aligned-exit":
            return ExitSeparable(width, block.channels, block.dilation, norm)
    if block.skip_from is not None:
        return UpBlock(width, widths[block.skip_from + 1], block.channels, norm)
    if block.bottleneck:
        sizes = (width, block.bottleneck, block.channels, block.stride, block.kernel)
        return DoubleBlazeBlock(*sizes, norm, block.projected, block.depthwise_norm, block.dense_middle)
    single = (width, block.channels, block.stride, block.kernel)
    return BlazeBlock(*single, norm, block.residual, block.projected, block.depthwise_norm)
