"""The light networks in ONNX and TensorFlow Lite: same answers, and grouped convolutions that runtimes know."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
sys.path.append(str(Path(__file__).parents[1] / "models"))

from ai_edge_litert.interpreter import Interpreter

from blazeface.backends.tflite_backend import TfliteBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import export_onnx, to_onnx
from blazeface.export.formats.tflite import export_tflite, to_tflite
from blazeface.export.formats.tflite_modules import append_block
from blazeface.geometry import Image
from blazeface.models.layouts import Block, Layout
from blazeface.models.network import BlazeFace, build
from blazeface.spec import LIGHT_FAMILY, AnchorMap, ModelSpec

SHALLOW = [spec.name for spec in LIGHT_FAMILY if spec.name != "xception-aligned-128"]
"""tests/models/test_aligned_detector.py has the other, whose batch norms need more than a look."""


def seen(network: BlazeFace) -> BlazeFace:
    """Batch norms with the statistics of an input, heads that answer to what they see.

    With the usual momentum the norms would hold a tenth of these statistics, and ShuffleNet's logits reach 2,200 in place of 10,
    of which float32 keeps no 1e-4.
    """
    size = network.spec.input_size
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(torch.randn(4, 3, size, size))
        for head in network.score_heads:
            assert isinstance(head, nn.Conv2d)
            head.weight.normal_(0, 0.05)
    return network.eval()


def small_light_network() -> BlazeFace:
    """Every kind of light block at 32 x 32."""
    spec = ModelSpec("light", 32, (AnchorMap(8, (0.3,)), AnchorMap(4, (0.6,))), decode_scale=32.0)
    blocks = (
        Block(24, bottleneck=6, kernel=3, kind="shuffle", groups=3, stride=2),
        Block(24, bottleneck=6, kernel=3, kind="shuffle", groups=3),
        Block(16, bottleneck=24, kernel=3, kind="inverted"),
        Block(16, kernel=3, kind="xception", feeds_head=True),
        Block(20, kernel=3, kind="xception", stride=2),
        Block(24, kernel=3, kind="separable"),
        Block(24, bottleneck=8, kernel=3, kind="fire", feeds_head=True),
    )
    torch.manual_seed(0)
    return seen(BlazeFace(spec, Layout(12, 3, blocks)))


@pytest.mark.parametrize("name", SHALLOW)
def test_each_runs_in_litert(name: str, photographs: list[Image], tmp_path: Path) -> None:
    torch.manual_seed(0)
    differences = export_tflite(seen(build(name)), tmp_path / "x.tflite", photographs[:1]).differences
    assert differences and 0 < differences.largest < 1e-4
    logits, regressions = TfliteBackend(tmp_path / "x.tflite", threads=1).run(
        np.zeros((1, 3, 128, 128), np.float32)
    )
    assert logits.shape == (1, 896) and regressions.shape == (1, 896, 16)


def test_every_kind_of_block_runs_in_onnxruntime(photographs: list[Image], tmp_path: Path) -> None:
    differences = export_onnx(small_light_network(), tmp_path / "x.onnx", photographs).differences
    assert differences and 0 < differences.largest < 1e-5


def test_a_shuffle_is_not_written_for_any_shape() -> None:
    with pytest.raises(BlazeFaceError, match="--shape dynamic: a network that shuffles channels"):
        to_onnx(small_light_network().folded(), free_shape=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHALLOW)
def test_each_runs_in_onnxruntime(name: str, photographs: list[Image], tmp_path: Path) -> None:
    torch.manual_seed(0)
    differences = export_onnx(seen(build(name)), tmp_path / "x.onnx", photographs).differences
    assert differences and 0 < differences.largest < 1e-4


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_every_kind_of_block_in_both_precisions(precision: str, photographs: list[Image], tmp_path: Path) -> None:
    differences = export_tflite(small_light_network(), tmp_path / "x.tflite", photographs, precision).differences
    assert differences and 0 < differences.largest < (1e-5 if precision == "float32" else 1e-2)


def test_groups_and_shuffles_need_no_more_than_four_axes() -> None:
    data = to_tflite(small_light_network().folded())
    interpreter = Interpreter(model_content=data)
    kinds = Counter(op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE")
    assert kinds["TRANSPOSE"] == 2 and kinds["AVERAGE_POOL_2D"] == 1 and kinds["MAX_POOL_2D"] == 1
    assert max(len(tensor["shape"]) for tensor in interpreter.get_tensor_details()) == 4
    # Filters of a grouped convolution are as deep as a group is wide: 6 channels in 3 groups.
    shapes = {tensor["name"]: tuple(tensor["shape"]) for tensor in interpreter.get_tensor_details()}
    assert (24, 1, 1, 2) in [shape for name, shape in shapes.items() if name.endswith("grow_0.weight")]


def test_an_operation_that_is_not_known_is_named() -> None:
    class Sine(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x)

    with pytest.raises(BlazeFaceError, match=r"b\.sin: there is no TensorFlow Lite operation"):
        append_block(None, 0, Sine(), "b")  # type: ignore[arg-type]
