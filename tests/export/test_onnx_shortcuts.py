"""Networks whose shortcuts append channels are exported without a Pad, and answer as before."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("onnxscript", reason="the export extra is not installed")

from blazeface.export.formats.onnx import to_onnx
from blazeface.export.formats.onnx_shortcuts import PaddingConvolution, SplitPointwise, without_padding
from blazeface.models.blocks import BlazeBlock, DoubleBlazeBlock
from blazeface.models.layouts import Block, Layout
from blazeface.models.network import BlazeFace
from blazeface.spec import AnchorMap, ModelSpec

SPEC = ModelSpec("wide", 32, (AnchorMap(8, (0.2,)), AnchorMap(4, (0.8,))), decode_scale=32.0)


def wide_network() -> BlazeFace:
    """16 to 32 channels in a single block and 32 to 64 in a double one are whole lanes, 64 to 72 are not."""
    blocks = (
        Block(32, stride=2),
        Block(64, bottleneck=16, feeds_head=True),
        Block(72, stride=2, feeds_head=True),
    )
    torch.manual_seed(0)
    return BlazeFace(SPEC, Layout(16, 3, blocks)).eval().folded()


@pytest.mark.parametrize("split", [True, False])
@torch.no_grad()
def test_the_answers_are_the_same(split: bool) -> None:
    network = wide_network()
    x = torch.randn(2, 3, 32, 32)
    for found, expected in zip(without_padding(network, split)(x), network(x), strict=True):
        torch.testing.assert_close(found, expected)
    assert not any(isinstance(module, SplitPointwise) for module in network.modules())


def test_whole_lanes_are_split_and_others_padded_by_a_convolution() -> None:
    single, double, other = without_padding(wide_network(), split=True).blocks
    assert isinstance(single, BlazeBlock) and isinstance(double, DoubleBlazeBlock)
    for block, last, widths in ((single, single.pointwise, (16, 16)), (double, double.expand, (32, 32))):
        assert isinstance(last, SplitPointwise)
        assert (last.joined.out_channels, last.new.out_channels) == widths
        assert block.shortcut is not None and block.shortcut.new_channels == 0
    assert isinstance(other, BlazeBlock) and isinstance(other.shortcut, PaddingConvolution)
    kinds = [type(block.shortcut) for block in without_padding(wide_network(), split=False).blocks]
    assert kinds == [PaddingConvolution] * 3


def test_the_graph_has_no_pad_and_two_concatenations_more() -> None:
    operations = {
        split: [node.op_type for node in to_onnx(wide_network(), split=split).graph.node]
        for split in (True, False)
    }
    assert "Pad" not in operations[True] + operations[False]
    assert operations[True].count("Concat") == operations[False].count("Concat") + 2
    assert operations[True].count("Conv") == operations[False].count("Conv")
