"""A network that sees grey: its luminance, its files, and its first weights from a wider one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_network import trained_like

from benchmarks.training.narrow import PAIRS, best, narrowed
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import Luminance
from blazeface.models.cost import count
from blazeface.models.layouts import Layout
from blazeface.models.named_layouts import FRONT, TINY
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights
from blazeface.spec import FRONT_128


def test_luminance_is_that_of_bt601() -> None:
    x = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5], [-1, -1, -1]])[:, :, None, None]
    assert torch.allclose(Luminance()(x).flatten(), torch.tensor([0.299, 0.587, 0.114, 0.5, -1.0]), atol=1e-6)


def test_tiny_sees_no_colour() -> None:
    network = build("tiny-96").eval()
    x = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    grey = Luminance()(x).expand(-1, 3, -1, -1)
    for one, other in zip(network(x), network(grey), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3)


def test_tiny_costs_what_a_microcontroller_has() -> None:
    network = build("tiny-96").folded()
    cost = count(network, torch.zeros(1, 3, 96, 96))
    assert (cost.parameters, cost.macs) == (59_247, 4_880_448) and cost.macs <= 5_000_000
    assert network.state_dict()["stem.0.weight"].shape == (8, 1, 3, 3)


def test_a_file_says_that_it_is_grey_and_others_read_as_before(tmp_path: Path) -> None:
    network = build("tiny-96").eval()
    save_weights(network, tmp_path / "x.safetensors")
    again = load_weights(tmp_path / "x.safetensors")
    assert again.layout == TINY and again.layout.grey
    x = torch.rand(1, 3, 96, 96)
    assert torch.equal(network(x)[0], again(x)[0])
    assert "luminance.weight" not in network.state_dict()  # nothing that is learnt
    assert "grey" not in FRONT.to_json() and Layout.from_json(FRONT.to_json()) == FRONT
    with pytest.raises(BlazeFaceError, match="grey must be true or false"):
        Layout.from_json(TINY.to_json().replace('"grey": true', '"grey": 1'))


def test_all_channels_of_a_network_are_that_network() -> None:
    wide = trained_like(BlazeFace(FRONT_128, FRONT))
    same = BlazeFace(FRONT_128, FRONT)
    narrowed(wide, same, tuple(range(len(FRONT.blocks))))
    x = torch.rand(2, 3, 128, 128)
    for one, other in zip(wide(x), same.eval()(x), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_the_channels_that_matter_most_are_kept() -> None:
    wide, narrow = trained_like(BlazeFace(FRONT_128, FRONT)), build("tiny-96")
    blocks = PAIRS["front-128", "tiny-96"]
    assert [TINY.blocks[i].stride for i in range(9)] == [FRONT.blocks[i].stride for i in blocks[:9]]
    narrowed(wide, narrow, blocks)
    old, new = wide.state_dict(), narrow.state_dict()
    kept = best(old["stem.1.weight"].abs(), 8)
    assert torch.allclose(new["stem.0.weight"], old["stem.0.weight"][kept].sum(1, keepdim=True))
    assert torch.equal(new["stem.1.running_var"], old["stem.1.running_var"][kept])
    assert np.array_equal(best(torch.tensor([0.1, 3, 2, 5]), 2).numpy(), [1, 3])
    # The heads' biases are those of the anchors that both have, per anchor of a cell.
    assert torch.equal(new["regression_heads.1.bias"], old["regression_heads.1.bias"][: 5 * 16])
