"""Layouts that Google's networks need: blocks that go back up, a block without a shortcut, old files."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import BlazeBlock, SameConv2d, UpBlock
from blazeface.models.layouts import Block, Layout
from blazeface.models.named_layouts import BACK_CAMERA, FULL_RANGE_DENSE, PAPER, SHORT_RANGE
from blazeface.models.network import BlazeFace, build
from blazeface.spec import FULL_RANGE_DENSE as FULL_SPEC


def test_taps_and_strides() -> None:
    assert SHORT_RANGE.head_inputs == [(88, 8), (96, 16)]
    assert BACK_CAMERA.head_inputs == [(96, 16), (96, 32)]
    assert FULL_RANGE_DENSE.head_inputs == [(48, 4)]
    assert FULL_RANGE_DENSE.strides == [
        2,
        2,
        4,
        4,
        4,
        8,
        8,
        8,
        16,
        16,
        16,
        32,
        32,
        32,
        32,
        16,
        16,
        16,
        8,
        8,
        8,
        4,
        4,
    ]
    assert PAPER.head_inputs == [(96, 8), (96, 16)]


@pytest.mark.parametrize("layout", [PAPER, SHORT_RANGE, BACK_CAMERA, FULL_RANGE_DENSE])
def test_layouts_survive_json(layout: Layout) -> None:
    assert Layout.from_json(layout.to_json()) == layout


def test_a_layout_written_before_up_blocks_is_read() -> None:
    data = asdict(PAPER)
    for block in data["blocks"]:
        del block["skip_from"], block["residual"]
    assert Layout.from_json(json.dumps(data)) == PAPER


def test_a_layout_of_version_0_1_with_its_former_field_names_is_read() -> None:
    text = FULL_RANGE_DENSE.to_json().replace('"feeds_head"', '"tap"').replace('"skip_from"', '"join"')
    assert Layout.from_json(text) == FULL_RANGE_DENSE


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((Block(32), Block(24)), "must not fall"),
        ((Block(24, stride=2), Block(24, skip_from=1)), "block 1 joins 1, which is no earlier block"),
        ((Block(24, stride=2), Block(24, skip_from=-1)), "block 1 joins -1, which is no earlier block"),
        ((Block(24, stride=2), Block(24, skip_from=True)), "block 1 joins True, which is no earlier block"),
        (
            (Block(24), Block(24), Block(24, skip_from=0)),
            "block 2 joins block 0, whose maps are not twice as large",
        ),
        ((Block(24), Block(24, bottleneck=8, residual=False)), "block 1 must be a single one"),
        (tuple([Block(24)] * 257), "257 blocks are more than 256"),
    ],
)
def test_an_impossible_layout_is_refused(blocks: tuple[Block, ...], message: str) -> None:
    with pytest.raises(BlazeFaceError, match=f"^some.file: its layout metadata cannot be read: .*{message}"):
        Layout.from_json(Layout(24, 5, blocks).to_json(), "some.file")


def test_a_block_without_shortcut_may_narrow() -> None:
    layout = Layout(24, 5, (Block(8, residual=False),))
    assert Layout.from_json(layout.to_json()) == layout


def test_up_block_by_hand() -> None:
    """Pointwise, ReLU, twice the size with half-pixel centres, plus pointwise and ReLU of the larger map."""
    block = UpBlock(1, 1, 1, norm=False)
    with torch.no_grad():
        for branch, weight in ((block.coarse, 2.0), (block.fine, -1.0)):
            branch.get_parameter("0.weight").fill_(weight)
            branch.get_parameter("0.bias").fill_(0.0)
    small = torch.tensor([[[[1.0, -5.0], [3.0, 2.0]]]])  # after ReLU, doubled: 2 0 / 6 4
    large = torch.zeros(1, 1, 4, 4)
    large[0, 0, 0, 0] = -7.0
    expected = [[9, 1.5, 0.5, 0], [3, 2.5, 1.5, 1], [5, 4.5, 3.5, 3], [6, 5.5, 4.5, 4]]
    np.testing.assert_allclose(block(small, large)[0, 0].detach().numpy(), expected, atol=1e-6)


def test_block_without_shortcut_by_hand() -> None:
    block = BlazeBlock(1, 1, stride=2, kernel=3, norm=False, residual=False)
    assert isinstance(block.depthwise, SameConv2d)
    with torch.no_grad():
        block.depthwise.weight.fill_(1.0)
        block.depthwise.bias.fill_(0.0)  # type: ignore[union-attr]
        block.get_parameter("pointwise.0.weight").fill_(1.0)
        block.get_parameter("pointwise.0.bias").fill_(-20.0)
    # SAME padding of a stride of 2 on an even side adds to the right and the bottom only.
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = [[25.0, 19.0], [46.0, 30.0]]
    np.testing.assert_allclose(block(image)[0, 0].detach().numpy(), expected)


def test_up_path_trains_and_folds() -> None:
    torch.manual_seed(0)
    network = build("full-range-dense")
    logits, regressions = network(torch.randn(2, 3, 192, 192))
    assert (logits.shape, regressions.shape) == ((2, 2304), (2, 2304, 16))
    (logits.sum() + regressions.sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network = network.double().eval()
    folded = network.folded()
    assert sum(parameter.numel() for parameter in folded.parameters()) == 514_069
    image = torch.randn(1, 3, 192, 192, dtype=torch.float64)
    with torch.inference_mode():
        for expected, found in zip(network(image), folded(image), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_layout_and_spec_must_agree() -> None:
    with pytest.raises(BlazeFaceError, match=r"the head_inputs have strides \[8, 16\], the anchors \[4.0\]"):
        BlazeFace(FULL_SPEC, PAPER)
