"""What a network costs: parameters, multiply-accumulates and activations, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

COUNTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d)
"""Layers with parameters of their own; all else (additions, activations, pooling) costs no multiply-accumulate here."""


@dataclass(frozen=True)
class LayerCost:
    """One layer. shape: of its output, without the batch. macs: multiplications each followed by an addition, for one
    picture; biases and batch norms (which are folded for inference) have none. activations: numbers it puts out."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """A whole network. `parameters` counts each once, also those of layers that the forward pass skips. file_bytes:
    of an exported file."""

    layers: tuple[LayerCost, ...]
    parameters: int
    file_bytes: int | None = None

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        return sum(layer.activations for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Of the file, or else of the parameters in float32."""
        return 4 * self.parameters if self.file_bytes is None else self.file_bytes


@torch.no_grad()
def count(network: nn.Module, inputs: Tensor | Sequence[Tensor]) -> Cost:
    """Run `inputs` (a batch of one) through a network and count what happens, in order. It is left as it was.

    A layer that runs twice is listed twice, its parameters the first time. Nothing is computed in vain where the
    network and the inputs lie on the meta device.
    """
    layers: list[LayerCost] = []
    seen: set[nn.Module] = set()
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        own = 0 if module in seen else sum(p.numel() for p in module.parameters())
        seen.add(module)
        shape = tuple(output.shape[1:])
        layers.append(
            LayerCost(
                names[module],
                _kind(module),
                shape,
                own,
                layer_macs(module, shape, tuple(given[0].shape[1:])),
                math.prod(shape),
            )
        )

    hooks = [m.register_forward_hook(note) for m in names if isinstance(m, COUNTED)]
    modes = {module: module.training for module in names}
    try:
        network.eval()
        network(*([inputs] if isinstance(inputs, Tensor) else inputs))
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return Cost(tuple(layers), sum(p.numel() for p in network.parameters()))


def layer_macs(module: nn.Module, shape: Sequence[int], given: Sequence[int]) -> int:
    """Multiply-accumulates of one layer for one picture; shape: of its output, (C, H, W) or (N,); given: of its input."""
    if isinstance(module, nn.ConvTranspose2d):
        return (
            math.prod(given[1:]) * module.weight.numel()
        )  # each cell of the input meets every weight of its group
    if isinstance(module, nn.Conv2d):
        return math.prod(shape[1:]) * module.weight.numel()
    if isinstance(module, nn.Linear):
        return math.prod(shape[:-1]) * module.weight.numel()
    return 0


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.ConvTranspose2d):
        return f"transposed {_by(module.kernel_size)}"
    if not isinstance(module, nn.Conv2d):
        return "linear" if isinstance(module, nn.Linear) else "batch norm"
    words = ["conv", _by(module.kernel_size)]
    if module.groups == module.in_channels == module.out_channels > 1:
        words[0] = "depthwise"
    elif module.groups > 1:
        words.append(f"in {module.groups} groups")
    if max(module.stride) > 1:
        words.append(f"/{max(module.stride)}")
    return " ".join(words)


def _by(kernel: Sequence[int]) -> str:
    return "x".join(map(str, kernel))
