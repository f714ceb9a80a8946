"""A network that is exported in a second, where front-128 needs seven, and one that looks trained."""

from __future__ import annotations

import torch
from torch import nn

from blazeface.models.layouts import Block, Layout
from blazeface.models.network import BlazeFace
from blazeface.spec import AnchorMap, ModelSpec


def small_network() -> BlazeFace:
    """Every kind of block at 32 x 32, with batch norms that have seen something."""
    spec = ModelSpec("small", 32, (AnchorMap(8, (0.2, 0.4)), AnchorMap(4, (0.8,))), decode_scale=32.0)
    blocks = (
        Block(12, stride=2),
        Block(16, bottleneck=8, feeds_head=True),
        Block(20, stride=2, bottleneck=8, feeds_head=True),
    )
    torch.manual_seed(0)
    network = BlazeFace(spec, Layout(8, 5, blocks))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
        for head in network.score_heads:
            assert isinstance(head, nn.Conv2d)
            head.weight.normal_(0, 0.3)
    return network


def trained_like(network: BlazeFace) -> BlazeFace:
    """With batch norms that differ from channel to channel."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.1, 2)
            module.bias.data.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return network.eval()
