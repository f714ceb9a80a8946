"""Blocks put into a trained network: at first they change nothing, or little."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_network import trained_like

from benchmarks.training.deepen import deepened
from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Block
from blazeface.models.named_layouts import FRONT
from blazeface.models.network import BlazeFace
from blazeface.spec import FRONT_128

SHALLOW = replace(FRONT, blocks=FRONT.blocks[:9] + FRONT.blocks[10:])
"""FRONT without the first of its two last blocks at stride 16."""


def test_new_blocks_change_nothing_where_their_scale_is_zero_and_little_near_it() -> None:
    shallow = trained_like(BlazeFace(FRONT_128, SHALLOW))
    x = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    expected = [answer.detach() for answer in shallow(x)]
    for scale, tolerance in ((0.0, 0.0), (0.001, 0.05)):
        deep = BlazeFace(FRONT_128, FRONT).eval()
        deepened(shallow, deep, (9,), scale)
        for one, other in zip(map(torch.Tensor.detach, deep(x)), expected, strict=True):
            assert float((one - other).abs().max()) <= tolerance * float(other.std())


def test_a_new_block_can_learn() -> None:
    deep = BlazeFace(FRONT_128, FRONT)
    deepened(BlazeFace(FRONT_128, SHALLOW), deep, (9,))
    logits, _ = deep(torch.rand(2, 3, 128, 128))
    logits.square().sum().backward()
    gradient = deep.get_parameter("blocks.9.depthwise.weight").grad
    assert gradient is not None and float(gradient.abs().max()) > 0


@pytest.mark.parametrize(
    "new, message",
    [((0,), "blocks.1.conv.0.weight does not fit"), ((9, 10), "does not fit"), ((), "does not fit")],
)
def test_networks_that_do_not_fit_are_refused(new: tuple[int, ...], message: str) -> None:
    shallow = BlazeFace(FRONT_128, SHALLOW)
    with pytest.raises(BlazeFaceError, match=message):
        deepened(shallow, BlazeFace(FRONT_128, FRONT), new)


def test_only_blocks_with_a_shortcut_can_be_new() -> None:
    dense = Block(96, kernel=3, kind="dense")
    deep = BlazeFace(FRONT_128, replace(FRONT, blocks=(*FRONT.blocks[:12], dense, *FRONT.blocks[12:])))
    with pytest.raises(BlazeFaceError, match="block 12 is no single BlazeBlock with a shortcut"):
        deepened(BlazeFace(FRONT_128, FRONT), deep, (12,))
