"""What each rule of `lighten` would save at each convolution of a network, and how much of its kernel would be lost.

for row in plan(network, torch.zeros(1, 3, 128, 128)): ...
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blazeface.models.cost import count
from blazeface.models.layouts import RULES
from blazeface.models.light.lighten import chosen, lighten


@dataclass(frozen=True)
class Choice:
    """One layer by one rule. parameters, macs: of what would stand in its place; error: as in `lighten.Change`."""

    rule: str
    parameters: int
    macs: int
    error: float


@dataclass(frozen=True)
class Row:
    """One convolution as it is, and its choices: no entry for a rule that has nothing to do there, or cannot."""

    layer: str
    shape: str
    parameters: int
    macs: int
    choices: tuple[Choice, ...]


@torch.no_grad()
def plan(model: nn.Module, example: Tensor | tuple[Tensor, ...], groups: int = 4) -> list[Row]:
    """Every convolution that one of the rules could change, stem and last layer with it, in the model's order.

    example: inputs of the model, a batch of one. groups: of the rule "grouped". The model is left as it is.
    """
    before = count(model, example)
    macs: dict[str, int] = {}
    for layer in before.layers:
        macs[layer.name] = macs.get(layer.name, 0) + layer.macs
    choices: dict[str, list[Choice]] = {}
    for rule in RULES:
        if not chosen(model, rule, stem=True, last=True, groups=groups):
            continue
        light = copy.deepcopy(model)
        report = lighten(light, rule, stem=True, last=True, groups=groups, init="svd", example=example)
        for change in report.changes:
            assert change.macs is not None and change.error is not None
            choice = Choice(rule, change.parameters[1], change.macs[1], change.error)
            choices.setdefault(change.layer, []).append(choice)
    return [
        Row(
            name,
            _shape(layer),
            sum(p.numel() for p in layer.parameters()),
            macs.get(name, 0),
            tuple(choices[name]),
        )
        for name, layer in model.named_modules()
        if name in choices and isinstance(layer, nn.Conv2d)
    ]


def plan_table(rows: Sequence[Row]) -> str:
    """One line a layer: what it has, and for each rule parameters / multiply-accumulates (share of the kernel lost)."""
    lines = [
        f"| layer | convolution | parameters | MACs | {' | '.join(RULES)} |",
        f"| --- | --- | ---: | ---: |{' ---: |' * len(RULES)}",
    ]
    for row in rows:
        found = {choice.rule: choice for choice in row.choices}
        cells = [
            f"{found[rule].parameters:,} / {found[rule].macs:,} ({found[rule].error:.2f})" if rule in found else ""
            for rule in RULES
        ]
        lines.append(f"| {row.layer} | {row.shape} | {row.parameters:,} | {row.macs:,} | {' | '.join(cells)} |")
    sums = []
    for rule in RULES:
        taken = [next((c for c in row.choices if c.rule == rule), row) for row in rows]
        sums.append(f"{sum(c.parameters for c in taken):,} / {sum(c.macs for c in taken):,}")
    parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    return "\n".join([*lines, f"| all of these |  | {parameters:,} | {macs:,} | {' | '.join(sums)} |"])


def _shape(layer: nn.Conv2d) -> str:
    """As in "64 -> 128, 3x3 /2, 4 groups"."""
    words = f"{layer.in_channels} -> {layer.out_channels}, {layer.kernel_size[0]}x{layer.kernel_size[1]}"
    words += f" /{max(layer.stride)}" if max(layer.stride) > 1 else ""
    return words + (f", {layer.groups} groups" if layer.groups > 1 else "")
