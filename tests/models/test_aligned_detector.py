"""Aligned Xception as a detector's backbone: the network of the segmenters, weight for weight, at any width."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from blazeface.errors import BlazeFaceError
from blazeface.models.cost import count
from blazeface.models.layouts import Layout
from blazeface.models.light.xception_aligned import AlignedXception
from blazeface.models.named_layouts import ALIGNED_WIDTH, aligned_layout, aligned_widths
from blazeface.models.network import BlazeFace, build
from blazeface.spec import named_spec
from blazeface.training.config import TrainConfig

SPEC = named_spec("xception-aligned-128")


def formula(width: float) -> tuple[int, int]:
    """Parameters and multiply-accumulates of the folded detector at 128 x 128, from the description alone."""
    w32, w64, w128, w256, w728, w1024, w1536, w2048 = (
        max(16, round(c * width / 8) * 8) for c in (32, 64, 128, 256, 728, 1024, 1536, 2048)
    )
    weights = [(27 * w32, w32, 64), (9 * w32 * w64, w64, 64)]  # weights, biases, side of the map

    def separable(before: int, after: int, side: int) -> list[tuple[int, int, int]]:
        return [(9 * before, before, side), (before * after, after, side)]

    for before, after, side in ((w64, w128, 32), (w128, w256, 16), (w256, w728, 8)):
        weights += (
            separable(before, after, 2 * side) + separable(after, after, 2 * side) + separable(after, after, side)
        )
        weights.append((before * after, after, side))
    weights += 48 * separable(w728, w728, 8)
    weights += separable(w728, w728, 8) + separable(w728, w1024, 8) + [(w728 * w1024, w1024, 8)]
    for before, after in ((w1024, w1536), (w1536, w1536), (w1536, w2048)):
        weights += separable(before, after, 8)
    for channels, anchors, side in ((w256, 2, 16), (w2048, 6, 8)):
        weights.append((channels * anchors * 17, anchors * 17, side))
    return sum(w + b for w, b, _ in weights), sum(w * side**2 for w, _, side in weights)


@pytest.mark.parametrize(
    ("width", "parameters", "macs"),
    [
        (0.05, 147_992, 25_552_384),
        (ALIGNED_WIDTH, 275_136, 34_681_344),
        (0.25, 2_480_336, 195_613_184),
        (1.0, 36_932_608, 2_824_358_400),
        (2.0, 146_334_968, 11_182_363_648),
    ],
)
def test_counts_at_any_width(width: float, parameters: int, macs: int) -> None:
    with torch.device("meta"):
        cost = count(BlazeFace(SPEC, aligned_layout(width)).folded(), torch.zeros(1, 3, 128, 128))
    assert (cost.parameters, cost.macs) == (parameters, macs) == formula(width)


def test_the_backbone_is_the_segmenters_network() -> None:
    torch.manual_seed(0)
    detector, plain = BlazeFace(SPEC, aligned_layout(0.05)).eval(), AlignedXception(16, 0.05).eval()
    parts = [*detector.stem.state_dict().items(), *detector.blocks.state_dict().items()]
    values = [value for name, value in parts if name not in ("0.bias", "0.conv.0.bias")]  # zero before batch norm
    plain.load_state_dict(dict(zip(plain.state_dict(), values, strict=True)))
    maps: list[torch.Tensor] = []
    for block in (detector.blocks[1], detector.blocks[-1]):
        block.register_forward_hook(lambda _, __, output: maps.append(output))
    x = torch.randn(1, 3, 128, 128)
    detector(x)
    last, low = plain(x)
    assert torch.equal(maps[0], low) and torch.equal(maps[1], last)


def test_it_is_folded_saved_as_a_table_and_learns() -> None:
    torch.manual_seed(0)
    network = BlazeFace(SPEC, aligned_layout(0.03))
    assert Layout.from_json(network.layout.to_json()) == network.layout
    x = torch.randn(4, 3, 128, 128)
    logits, regressions = network(x)
    assert logits.shape == (4, 896) and regressions.shape == (4, 896, 16)
    (logits.square().mean() + regressions.square().mean()).backward()
    assert all(p.grad is not None for p in network.parameters())
    network.eval()
    for found, expected in zip(network.folded()(x), network(x), strict=True):
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_names_and_widths() -> None:
    assert build("xception-aligned-128").layout == aligned_layout(0.08)
    assert build("xception-aligned-128", 0.05).layout == aligned_layout(0.05)
    assert aligned_widths(0.08) == (16, 16, 16, 24, 56, 80, 120, 160)
    for width in (0.0, -1.0, 3.0):
        with pytest.raises(BlazeFaceError, match=r"must lie in \(0, 2\]"):
            aligned_layout(width)
    with pytest.raises(BlazeFaceError, match="--width is for xception-aligned-128: front-128 has"):
        TrainConfig(width=0.5)
    with pytest.raises(BlazeFaceError, match=r"--width must lie in \(0, 2\], not 3"):
        TrainConfig("xception-aligned-128", width=3)


@pytest.mark.parametrize(
    ("number", "change", "reason"),
    [
        (1, {"repeats": 5}, "impossible options"),
        (1, {"dilation": 2}, "impossible dilation 2"),
        (0, {"activated": True}, "knows no options of Aligned Xception"),
        (-1, {"repeats": 2}, "has a dilation only"),
    ],
)
def test_impossible_tables(number: int, change: dict[str, Any], reason: str) -> None:
    layout = aligned_layout(0.05)
    blocks = list(layout.blocks)
    blocks[number] = dataclasses.replace(blocks[number], **change)
    with pytest.raises(BlazeFaceError, match=reason):
        Layout.from_json(dataclasses.replace(layout, blocks=tuple(blocks)).to_json())


@pytest.mark.parametrize("kind", ["tflite", pytest.param("onnx", marks=pytest.mark.slow)])
def test_it_runs_elsewhere(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.export.format_table import Options
    from blazeface.export.make import export_network
    from blazeface.export.pictures import synthetic_pictures

    torch.manual_seed(0)
    network = build("xception-aligned-128", 0.05)
    for (
        module
    ) in network.modules():  # without statistics of its own inputs so deep a network's answers grow without bound
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    network(torch.randn(4, 3, 128, 128))
    found = export_network(
        network.eval(), tmp_path / f"x.{kind}", kind, Options(batch=1), synthetic_pictures()[:1]
    )
    assert found.differences is not None and 0 < found.differences.largest < 1e-5
