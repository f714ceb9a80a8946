"""The networks around BlazeFace: their cost, true structure, weights on disk, and that each of them learns."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from blazeface.data.dataset import Batch
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import SameConv2d
from blazeface.models.layouts import Block, Layout
from blazeface.models.light.blocks import (
    Fire,
    InvertedResidual,
    SeparableBlock,
    Shuffle,
    ShuffleUnit,
    XceptionBlock,
)
from blazeface.models.named_layouts import NAMED_LAYOUTS, PAPER
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights
from blazeface.spec import FRONT_128, LIGHT_FAMILY
from blazeface.training.losses import DetectionLoss, LossRecipe

NAMES = [spec.name for spec in LIGHT_FAMILY]

# name: (parameters, multiply-accumulates), batch norm folded
COSTS = {
    "squeezenet-128": (196_752, 34_676_736),
    "mobilenet-v1-128": (192_624, 33_171_456),
    "mobilenet-v2-128": (180_808, 33_123_328),
    "shufflenet-128": (195_532, 34_332_672),
    "xception-128": (139_944, 34_710_528),
    "xception-aligned-128": (275_136, 34_681_344),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_costs_what_front_128_costs_and_folds_to_the_same_answers(name: str) -> None:
    torch.manual_seed(0)
    network = build(name)
    network(torch.randn(4, 3, 128, 128))  # the norms see something
    network.eval()
    folded = network.folded()
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    with FlopCounterMode(display=False) as counter:
        found = folded(torch.ones(1, 3, 128, 128))
    macs = counter.get_total_flops() // 2
    assert (sum(p.numel() for p in folded.parameters()), macs) == COSTS[name]
    assert abs(macs / 34_140_672 - 1) < 0.035
    expected = network(torch.ones(1, 3, 128, 128))
    assert expected[0].shape == (1, 896) and expected[1].shape == (1, 896, 16)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=max(1e-3, 1e-6 * float(theirs.abs().max())), rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_each_learns(name: str) -> None:
    """Twelve steps on four made-up pictures: a bright square is a face."""
    torch.manual_seed(0)
    network = build(name)
    loss = DetectionLoss(network.spec, LossRecipe())
    images, boxes = torch.full((4, 3, 128, 128), -0.5), torch.zeros(4, 1, 4)
    for i in range(4):
        left, side = 10 + 15 * i, 30 + 8 * i
        images[i, :, left : left + side, left : left + side] = 0.8
        boxes[i, 0] = torch.tensor([left, left, left + side, left + side]) / 128
    batch = Batch(
        images=images,
        boxes=boxes,
        face=torch.ones(4, 1, dtype=torch.bool),
        ignore=torch.zeros(4, 1, dtype=torch.bool),
        keypoints=boxes.view(4, 1, 2, 2).mean(dim=2, keepdim=True).expand(4, 1, 6, 2),
        visibility=torch.full((4, 1, 6), 2),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        total = loss(*network(images), batch).total
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("folded", [False, True])
def test_weights_find_back_into_every_kind_of_block(folded: bool, tmp_path: Path) -> None:
    network = BlazeFace(FRONT_128, every_kind())
    network = network.folded() if folded else network
    save_weights(network, tmp_path / "x.safetensors")
    loaded = load_weights(tmp_path / "x.safetensors")
    assert loaded.layout == network.layout
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def every_kind() -> Layout:
    fire = Block(24, stride=2, bottleneck=4, kernel=3, kind="fire")
    unit = Block(48, stride=2, bottleneck=12, kernel=3, kind="shuffle", groups=3)
    again = dataclasses.replace(unit, stride=1)
    inverted = Block(24, bottleneck=48, kernel=3, feeds_head=True, kind="inverted")
    separable = Block(32, stride=2, kernel=3, kind="separable")
    return Layout(
        8, 3, (fire, unit, again, inverted, separable, Block(40, kernel=3, feeds_head=True, kind="xception"))
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "lasagne"}, "unknown kind"),
        ({"kind": "fire"}, "bottleneck of 0"),
        ({"kind": "separable", "bottleneck": 8}, "bottleneck of 8"),
        ({"kind": "separable", "skip_from": 0}, "neither skip_from nor residual"),
        ({"kind": "fire", "bottleneck": 8, "channels": 25}, "even width"),
        ({"kind": "shuffle", "bottleneck": 8, "groups": 5}, "cannot be split into 5 groups"),
        ({"kind": "shuffle", "bottleneck": 8, "channels": 48}, "only where it strides"),
        ({"groups": 0}, "whole number"),
    ],
)
def test_impossible_blocks_are_refused(change: dict[str, object], reason: str) -> None:
    layout = json.loads(PAPER.to_json())
    layout["blocks"][1].update(change)
    with pytest.raises(BlazeFaceError, match=reason):
        Layout.from_json(json.dumps(layout))


def test_a_layout_written_before_there_were_other_kinds_still_reads() -> None:
    layout = json.loads(PAPER.to_json())
    for block in layout["blocks"]:
        del block["kind"], block["groups"]
    assert Layout.from_json(json.dumps(layout)) == PAPER
    for named in NAMED_LAYOUTS.values():
        assert Layout.from_json(named.to_json()) == named


def test_shuffling_deals_the_groups_out_in_turn() -> None:
    x = torch.arange(12.0).view(1, 12, 1, 1)
    assert Shuffle(3)(x).flatten().tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(Shuffle(1)(x), x)


def test_the_blocks_are_what_their_papers_call_for() -> None:
    def convolutions(block: nn.Module) -> list[tuple[int, int, int, int]]:
        """(in, out, kernel, groups) in the order of the forward pass."""
        layers = [m for m in block.modules() if isinstance(m, SameConv2d)]
        return [(c.in_channels, c.out_channels, c.kernel_size[0], c.groups) for c in layers]

    assert convolutions(Fire(96, 16, 128, 1, False)) == [(96, 16, 1, 1), (16, 64, 1, 1), (16, 64, 3, 1)]
    assert convolutions(SeparableBlock(32, 64, 1, 3, True)) == [(32, 32, 3, 32), (32, 64, 1, 1)]
    inverted = InvertedResidual(24, 144, 24, 1, 3, True)
    assert convolutions(inverted) == [(24, 144, 1, 1), (144, 144, 3, 144), (144, 24, 1, 1)]
    assert inverted.residual and not InvertedResidual(24, 144, 24, 2, 3, True).residual
    unit = ShuffleUnit(240, 60, 240, 1, 3, 3, True)
    assert convolutions(unit) == [(240, 60, 1, 3), (60, 60, 3, 60), (60, 240, 1, 3)]
    first = ShuffleUnit(24, 60, 240, 2, 3, 3, True, dense_start=True)
    assert convolutions(first) == [(24, 60, 1, 1), (60, 60, 3, 60), (60, 216, 1, 3)]
    block = XceptionBlock(64, 128, 2, 3, True)
    assert convolutions(block) == [
        (64, 64, 3, 64),
        (128, 128, 3, 128),
        (64, 128, 1, 1),
        (128, 128, 1, 1),
        (64, 128, 1, 1),
    ]


def test_a_strided_pointwise_convolution_keeps_every_other_pixel() -> None:
    convolution = SameConv2d(1, 1, 1, stride=2, bias=False)
    nn.init.ones_(convolution.weight)
    assert convolution(torch.arange(16.0).view(1, 1, 4, 4)).flatten().tolist() == [0, 2, 8, 10]
