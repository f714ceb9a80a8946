"""dense-middle-128: its published size, counted again by a formula, and that its options fold, save, load and export."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import export_onnx
from blazeface.geometry import Image
from blazeface.models.cost import Cost, count
from blazeface.models.layouts import Layout
from blazeface.models.named_layouts import DENSE_MIDDLE, NAMED_LAYOUTS, PAPER
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights
from blazeface.spec import named_spec


def backbone(cost: Cost) -> tuple[int, int]:
    layers = [layer for layer in cost.layers if "_heads." not in layer.name]
    return sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)


def formula(norm: bool) -> tuple[int, int]:
    """Parameters and multiply-accumulates of the backbone at 128 x 128, from the description alone."""
    parameters = macs = 0

    def convolution(before: int, after: int, kernel: int, side: int, groups: int = 1) -> None:
        nonlocal parameters, macs
        weights = before * after * kernel**2 // groups
        parameters += weights + after + (2 * after if norm else 0)
        macs += weights * side**2

    side, width = 64, 24
    convolution(3, 24, 3, side)
    for after, stride in ((24, 1), (24, 1), (48, 2), (48, 1), (48, 1), *2 * ((96, 2), (96, 1), (96, 1))):
        side //= stride
        convolution(width, width, 5, side, groups=width)
        if after == 96:
            convolution(width, 24, 1, side)
            convolution(24, 24, 5, side)
            convolution(24, after, 1, side)
        else:
            convolution(width, after, 1, side)
        if stride == 2:
            convolution(width, after, 1, side)
        width = after
    return parameters, macs


def test_the_published_counts_of_the_backbone() -> None:
    with torch.device("meta"):
        network, x = build("dense-middle-128"), torch.zeros(1, 3, 128, 128)
        assert backbone(count(network, x)) == (158_880, 44_156_928) == formula(norm=True)
        folded = count(network.folded(), x)
    assert backbone(folded) == (154_848, 44_156_928) == formula(norm=False)
    # With the heads, which paper-128 has, too: 96 channels to 8 and 6 times (1 + 16) answers.
    assert (folded.parameters, folded.macs) == (154_848 + 13_192, 44_156_928 + 1_462_272)


def test_it_folds_is_saved_and_exported_with_the_same_answers(photographs: list[Image], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("dense-middle-128")
    with torch.no_grad():
        network(torch.randn(4, 3, 128, 128))
    network.eval()
    folded = network.folded()
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    x = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        expected = network(x)
        for one in (network, folded):
            save_weights(one, tmp_path / "x.safetensors")
            loaded = load_weights(tmp_path / "x.safetensors").eval()
            assert loaded.layout == DENSE_MIDDLE
            for found, answer in zip(loaded(x), expected, strict=True):
                assert torch.allclose(found, answer, atol=1e-3, rtol=1e-3)
    differences = export_onnx(network, tmp_path / "x.onnx", photographs[:1]).differences
    assert differences and 0 < differences.largest < 1e-4


def test_it_runs_in_litert(photographs: list[Image], tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.export.formats.tflite import export_tflite

    torch.manual_seed(0)
    differences = export_tflite(
        build("dense-middle-128").eval(), tmp_path / "x.tflite", photographs[:1]
    ).differences
    assert differences and 0 < differences.largest < 1e-4


def test_layouts_without_the_options_are_written_as_before() -> None:
    options = {"projected", "depthwise_norm", "dense_middle"}
    assert not any(option in PAPER.to_json() for option in options)
    assert options <= {key for block in json.loads(DENSE_MIDDLE.to_json())["blocks"] for key in block}
    assert Layout.from_json(DENSE_MIDDLE.to_json()) == DENSE_MIDDLE == NAMED_LAYOUTS["dense-middle-128"]


@pytest.mark.parametrize(
    ("index", "change", "reason"),
    [
        (0, {"dense_middle": True}, "must be a double one"),
        (0, {"projected": 1}, "must be true or false"),
        (0, {"projected": True, "residual": False}, "no shortcut"),
        (
            0,
            {"depthwise_norm": True, "kind": "separable", "kernel": 3},
            "'separable' does not know depthwise_norm",
        ),
    ],
)
def test_options_without_a_place_are_refused(index: int, change: dict[str, object], reason: str) -> None:
    layout = json.loads(PAPER.to_json())
    layout["blocks"][index].update(change)
    with pytest.raises(BlazeFaceError, match=reason):
        Layout.from_json(json.dumps(layout))


def test_gradients_reach_the_projected_shortcuts() -> None:
    blocks = [dataclasses.replace(block, depthwise_norm=False) for block in DENSE_MIDDLE.blocks]
    network = BlazeFace(named_spec("dense-middle-128"), dataclasses.replace(DENSE_MIDDLE, blocks=tuple(blocks)))
    logits, regressions = network(torch.randn(2, 3, 128, 128))
    (logits.square().mean() + regressions.square().mean()).backward()
    for index in (2, 5, 8):
        weight = network.get_parameter(f"blocks.{index}.shortcut.projection.0.weight")
        assert weight.grad is not None and weight.grad.abs().sum() > 0
