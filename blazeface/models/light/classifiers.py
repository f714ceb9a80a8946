"""The light networks as published: classifiers, from the same blocks as the detectors.

For counting, comparison and training; no weights are shipped. Input: (B, 3, H, W) with sides divisible by 32 (8 for
`shufflenet_32`); output: (B, classes) logits. Padding is SAME throughout, where some originals pad the first layers less;
no parameter depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import SameConv2d
from blazeface.models.light.blocks import (
    Fire,
    InvertedResidual,
    SeparableBlock,
    ShuffleUnit,
    XceptionBlock,
    conv_norm,
    max_pool,
)

SHUFFLE_WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Width of ShuffleNet's second stage by number of groups, so that all cost the same (arXiv 1707.01083, table 1)."""


class MaxPool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return max_pool(x)


class Classifier(nn.Module):
    """features, mean over the map, and a linear layer; None where the features end in one channel per class."""

    def __init__(self, features: nn.Sequential, linear: nn.Linear | None):
        super().__init__()
        self.features, self.linear = features, linear
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).mean(dim=(2, 3))
        return x if self.linear is None else self.linear(x)


def squeezenet(classes: int = 1000, version: str = "1.0") -> Classifier:
    """arXiv 1602.07360, table 1; 1.1 is the authors' later one, with a smaller first layer and earlier pools."""
    stem, kernel = (96, 7) if version == "1.0" else (64, 3)
    pooled = (3, 7) if version == "1.0" else (2, 4)  # fires that a pool goes before, from 0
    layers: list[nn.Module] = [SameConv2d(3, stem, kernel, stride=2), nn.ReLU(), MaxPool()]
    width = stem
    for index, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        layers.append(Fire(width, squeezed, 8 * squeezed, 2 if index in pooled else 1, norm=False))
        width = 8 * squeezed
    layers += [nn.Dropout(), SameConv2d(width, classes, 1), nn.ReLU()]
    network = Classifier(nn.Sequential(*layers), None)
    # Without batch norm the first steps must not silence the last ReLU, which no gradient would wake again: all logits start
    # near one (with a bias of zero, 1.0 stayed at the loss of guessing in a minute of training on digits).
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
    last = layers[-2]
    nn.init.normal_(last.get_parameter("weight"), std=0.01)
    nn.init.ones_(last.get_parameter("bias"))
    return network


def multiplied(channels: int, multiplier: float) -> int:
    """Channels at a width multiplier: the nearest multiple of 8, or the next where that is below nine tenths of what was
    asked for (the rule of MobileNet v2's authors)."""
    wanted = channels * multiplier
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def mobilenet_v1(classes: int = 1000, multiplier: float = 1.0) -> Classifier:
    """arXiv 1704.04861, table 1; multiplier: its alpha, of all widths."""
    width = multiplied(32, multiplier)
    layers: list[nn.Module] = [conv_norm(3, width, 3, True, stride=2), nn.ReLU6()]
    widths = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *5 * [(512, 1)], (1024, 2), (1024, 1)]
    for full, stride in widths:
        channels = multiplied(full, multiplier)
        layers.append(SeparableBlock(width, channels, stride, 3, norm=True))
        width = channels
    return Classifier(nn.Sequential(*layers), nn.Linear(width, classes))


def mobilenet_v2(classes: int = 1000, multiplier: float = 1.0) -> Classifier:
    """arXiv 1801.04381, table 2; multiplier: of all widths, but for the last where it is below 1."""
    width = multiplied(32, multiplier)
    layers: list[nn.Module] = [conv_norm(3, width, 3, True, stride=2), nn.ReLU6()]
    # expansion, channels, repeats, stride of the first
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for expansion, full, repeats, stride in rows:
        channels = multiplied(full, multiplier)
        for index in range(repeats):
            step = stride if index == 0 else 1
            layers.append(InvertedResidual(width, expansion * width, channels, step, 3, norm=True))
            width = channels
    last = multiplied(1280, max(1.0, multiplier))
    layers += [conv_norm(width, last, 1, True), nn.ReLU6(), nn.Dropout(0.2)]
    return Classifier(nn.Sequential(*layers), nn.Linear(last, classes))


def shufflenet(classes: int = 1000, groups: int = 3) -> Classifier:
    """arXiv 1707.01083, table 1, at full width."""
    if groups not in SHUFFLE_WIDTHS:
        raise ValueError(f"ShuffleNet has {', '.join(map(str, SHUFFLE_WIDTHS))} groups, not {groups}")
    layers: list[nn.Module] = [conv_norm(3, 24, 3, True, stride=2), nn.ReLU(), MaxPool()]
    width, channels = 24, SHUFFLE_WIDTHS[groups]
    for stage, repeats in enumerate((4, 8, 4)):
        for index in range(repeats):
            start = stage == index == 0
            stride = 2 if index == 0 else 1
            layers.append(
                ShuffleUnit(width, channels // 4, channels, stride, 3, groups, norm=True, dense_start=start)
            )
            width = channels
        channels *= 2
    return Classifier(nn.Sequential(*layers), nn.Linear(width, classes))


def shufflenet_32(classes: int = 10, groups: int = 2) -> Classifier:
    """ShuffleNet for pictures of 32 x 32 pixels: a 1 x 1 stem without stride, no max pool, maps of 16, 8 and 4.

    The width of a unit's 3 x 3 is a quarter of what its last convolution puts out, which at stride 2 is the block's width
    less that of the shortcut; in `shufflenet` it is a quarter of the block's width throughout (arXiv 1707.01083, section
    3.2). 887,582 and 862,768 parameters with 2 and 3 groups; `shufflenet` with ten classes has 940,858 and 914,338.
    """
    if groups not in SHUFFLE_WIDTHS:
        raise ValueError(f"ShuffleNet has {', '.join(map(str, SHUFFLE_WIDTHS))} groups, not {groups}")
    layers: list[nn.Module] = [conv_norm(3, 24, 1, True), nn.ReLU()]
    width, channels = 24, SHUFFLE_WIDTHS[groups]
    for stage, repeats in enumerate((4, 8, 4)):
        for index in range(repeats):
            start, stride = stage == index == 0, 2 if index == 0 else 1
            inner = (channels - width if stride > 1 else channels) // 4
            layers.append(ShuffleUnit(width, inner, channels, stride, 3, groups, norm=True, dense_start=start))
            width = channels
        channels *= 2
    return Classifier(nn.Sequential(*layers), nn.Linear(width, classes))


def xception(classes: int = 1000, multiplier: float = 1.0) -> Classifier:
    """arXiv 1610.02357, figure 5; multiplier: of all widths (the paper has none), down to 16."""
    # Not below 16: in PyTorch 2.13 the backward pass of a strided 1 x 1 convolution in channels_last format writes beyond
    # its memory for 8 and 12 input channels.
    w32, w64, w128, w256, w728, w1024, w1536, w2048 = (
        max(16, multiplied(full, multiplier)) for full in (32, 64, 128, 256, 728, 1024, 1536, 2048)
    )
    layers: list[nn.Module] = [
        conv_norm(3, w32, 3, True, stride=2),
        nn.ReLU(),
        conv_norm(w32, w64, 3, True),
        nn.ReLU(),
    ]
    layers.append(XceptionBlock(w64, w128, 2, 3, True, start=False))
    layers += [XceptionBlock(w128, w256, 2, 3, True), XceptionBlock(w256, w728, 2, 3, True)]
    layers += [XceptionBlock(w728, w728, 1, 3, True, repeats=3) for _ in range(8)]
    layers.append(XceptionBlock(w728, w1024, 2, 3, True, early=False))
    for before, after in ((w1024, w1536), (w1536, w2048)):
        layers += [
            SameConv2d(before, before, 3, groups=before, bias=False),
            conv_norm(before, after, 1, True),
            nn.ReLU(),
        ]
    return Classifier(nn.Sequential(*layers), nn.Linear(w2048, classes))


CLASSIFIERS: dict[str, Callable[..., Classifier]] = {
    "squeezenet-1.0": squeezenet,
    "squeezenet-1.1": partial(squeezenet, version="1.1"),
    "mobilenet-v1": mobilenet_v1,
    "mobilenet-v2": mobilenet_v2,
    "shufflenet": shufflenet,
    "shufflenet-32-g2": shufflenet_32,
    "shufflenet-32-g3": partial(shufflenet_32, groups=3),
    "xception": xception,
}
"""The networks by name, each called with a number of classes: the published ones have 1,000, those for 32 x 32 pictures ten."""

MULTIPLIED = ("mobilenet-v1", "mobilenet-v2", "xception")
"""Those with a width multiplier."""

SIDES = dict.fromkeys(CLASSIFIERS, 224) | {"shufflenet-32-g2": 32, "shufflenet-32-g3": 32, "xception": 320}
"""Side in pixels of the pictures that each is meant for and counted at."""


def build_classifier(name: str, classes: int | None = None, multiplier: float = 1.0) -> Classifier:
    """A fresh classifier by name. classes: as published where left out. Raises BlazeFaceError for an unknown name, and for
    a multiplier of a network that has none or outside (0, 4]."""
    if name not in CLASSIFIERS:
        raise BlazeFaceError(f"unknown classifier {name!r}: there are {', '.join(sorted(CLASSIFIERS))}")
    numbers: dict[str, Any] = {} if classes is None else {"classes": classes}
    if multiplier != 1:
        if name not in MULTIPLIED:
            raise BlazeFaceError(f"{name} has no width multiplier: {', '.join(MULTIPLIED)} have")
        if not 0 < multiplier <= 4:
            raise BlazeFaceError(f"a width multiplier must lie in (0, 4], not {multiplier:g}")
        numbers["multiplier"] = multiplier
    return CLASSIFIERS[name](**numbers)
