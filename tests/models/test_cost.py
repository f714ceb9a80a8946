"""Counting: literal figures, and PyTorch's own counter halved beside them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from blazeface.models.cost import count
from blazeface.models.light.lighten import lighten
from blazeface.models.light.unet import build_unet
from blazeface.models.network import build
from blazeface.models.refine import RefineNet


def dense() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(64, 128, 3, padding=1))


def test_the_textbook_layer_dense_and_separable() -> None:
    cost = count(dense(), torch.zeros(1, 64, 32, 32))
    assert (cost.macs, cost.parameters, cost.activations) == (75_497_472, 73_856, 131_072)
    light = dense()
    lighten(light, "separable", stem=True, last=True)
    cost = count(light, torch.zeros(1, 64, 32, 32))
    assert (cost.macs, cost.parameters) == (8_978_432, 8_960)
    assert [(layer.name, layer.kind, layer.macs) for layer in cost.layers] == [
        ("0.0", "depthwise 3x3", 589_824),
        ("0.1", "conv 1x1", 8_388_608),
    ]
    assert cost.bytes == 35_840


@pytest.mark.parametrize("name", ["front-128", "full-range-dense", "shufflenet-128"])
def test_detectors_against_pytorchs_counter(name: str) -> None:
    network = build(name).folded()
    size = network.spec.input_size
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    cost = count(network, torch.zeros(1, 3, size, size))
    assert cost.macs == counter.get_total_flops() // 2
    assert cost.parameters == sum(layer.parameters for layer in cost.layers)


def test_transposed_convolutions_and_what_the_forward_pass_skips() -> None:
    with torch.device("meta"):
        network, x = build_unet(5, widths=(8, 16, 32), padded=True), torch.zeros(1, 3, 64, 64)
        with FlopCounterMode(display=False) as counter:
            network(x)
        cost = count(network, x)
    assert cost.macs == counter.get_total_flops() // 2
    unused = sum(p.numel() for p in network.decoder[-1].parameters())
    assert cost.parameters == sum(layer.parameters for layer in cost.layers) + unused
    assert "transposed 2x2" in {layer.kind for layer in cost.layers}


def test_linear_layers_and_layers_that_run_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(10, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.layer(self.layer(x))
            return answer

    cost = count(Twice(), torch.zeros(1, 10))
    assert [(layer.parameters, layer.macs) for layer in cost.layers] == [(110, 100), (0, 100)]
    assert (cost.parameters, cost.macs) == (110, 200)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = RefineNet().train()
    network.stem.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, torch.ones(1, 3, 64, 64))
    assert network.training and not network.stem.training and network.heat.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
