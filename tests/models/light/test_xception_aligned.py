"""Aligned Xception: published sizes and costs, counted again from a formula, and what narrow ones put out and learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from blazeface.errors import BlazeFaceError
from blazeface.models.cost import count
from blazeface.models.light.xception_aligned import ALIGNED, AlignedXception, build_aligned


def formula(output_stride: int, side: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates, from the description alone: no layer of the package is asked."""
    parameters, macs = 3 * 32 * 9 + 2 * 32, 3 * 32 * 9 * (side // 2) ** 2
    parameters, macs = parameters + 32 * 64 * 9 + 2 * 64, macs + 32 * 64 * 9 * (side // 2) ** 2

    def separable(before: int, after: int, cells: int) -> tuple[int, int]:
        weights = 9 * before + before * after
        return weights + 2 * before + 2 * after, weights * cells

    third = 2 if output_stride == 16 else 1
    blocks = [(64, 128, 2, 3), (128, 256, 2, 3), (256, 728, third, 3), *16 * [(728, 728, 1, 3)], (728, 1024, 1, 2)]
    side //= 2
    for before, after, stride, repeats in blocks:
        inner, outer = side**2, (side // stride) ** 2
        steps = [(before, after), *(repeats - 1) * [(after, after)]]
        if repeats == 2:
            steps = [(before, before), (before, after)]
        for index, (one, other) in enumerate(steps):
            more = separable(one, other, outer if index == repeats - 1 else inner)
            parameters, macs = parameters + more[0], macs + more[1]
        if before != after:
            parameters, macs = parameters + before * after + 2 * after, macs + before * after * outer
        side //= stride
    for before, after in ((1024, 1536), (1536, 1536), (1536, 2048)):
        more = separable(before, after, side**2)
        parameters, macs = parameters + more[0], macs + more[1]
    return parameters, macs


@pytest.mark.parametrize(
    ("name", "macs", "side"),
    [("xception-aligned-16", 11_235_043_328, 16), ("xception-aligned-8", 38_595_362_816, 32)],
)
def test_the_published_counts_and_maps(name: str, macs: int, side: int) -> None:
    with torch.device("meta"):
        network, x = build_aligned(name).eval(), torch.zeros(1, 3, 256, 256)
        with FlopCounterMode(display=False) as counter:
            last, low = network(x)
        cost = count(network, x)
    assert (cost.parameters, cost.macs) == (36_805_424, macs) == formula(ALIGNED[name], 256)
    assert counter.get_total_flops() == 2 * macs
    assert last.shape == (1, 2048, side, side) and low.shape == (1, 128, 64, 64)


def test_dilations_by_output_stride() -> None:
    def dilations(output_stride: int) -> list[int]:
        layers = [m for m in AlignedXception(output_stride, 0.05).modules() if isinstance(m, nn.Conv2d)]
        return [layer.dilation[0] for layer in layers if layer.kernel_size == (3, 3)]

    assert dilations(16) == [1] * (2 + 9 + 48 + 2) + [2] * 3
    assert dilations(8) == [1] * (2 + 9) + [2] * (48 + 2) + [4] * 3


def test_both_output_strides_share_their_weights_and_the_low_level_map() -> None:
    torch.manual_seed(0)
    coarse, fine = AlignedXception(16, 0.05).eval(), AlignedXception(8, 0.05).eval()
    fine.load_state_dict(coarse.state_dict())
    x = torch.randn(1, 3, 64, 64)
    (last, low), (wide, same) = coarse(x), fine(x)
    assert torch.equal(low, same) and low.min() == 0 and last.min() == 0
    assert last.shape[2:] == (4, 4) and wide.shape[2:] == (8, 8)


def test_a_narrow_one_carries_a_segmentation_head() -> None:
    """A bright square on grey, told from both maps at stride 4."""
    torch.manual_seed(0)
    backbone = AlignedXception(16, 0.05)
    assert backbone.channels == (104, 16)
    head = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in backbone.channels)
    images, mask = torch.full((2, 3, 64, 64), -0.5), torch.zeros(2, 1, 16, 16)
    for index, (top, left) in enumerate(((0, 16), (32, 32))):
        images[index, :, top : top + 32, left : left + 32] = 0.8
        mask[index, :, top // 4 : top // 4 + 8, left // 4 : left // 4 + 8] = 1
    optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=3e-3)
    losses = []
    for _ in range(8):
        last, low = backbone(images)
        wide = F.interpolate(head[0](last), scale_factor=4.0, mode="bilinear", align_corners=False)
        loss = F.binary_cross_entropy_with_logits(wide + head[1](low), mask)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is not None for p in backbone.parameters())


def test_no_strided_pointwise_convolution_is_so_narrow_that_pytorch_crashes() -> None:
    """PyTorch 2.13 writes beyond its memory in the backward pass of one with 8 or 12 inputs, in channels_last."""
    strided = [
        layer.in_channels
        for layer in AlignedXception(16, 0.01).modules()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.stride == (2, 2)
    ]
    assert len(strided) == 3 and min(strided) == 16


@pytest.mark.parametrize(("stride", "width", "reason"), [(32, 1.0, "16 or 8, not 32"), (16, 0.0, "not 0")])
def test_impossible_ones_are_refused(stride: int, width: float, reason: str) -> None:
    with pytest.raises(BlazeFaceError, match=reason):
        AlignedXception(stride, width)
