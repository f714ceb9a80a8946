"""Networks beside the detectors as TensorFlow Lite: every operation against PyTorch in LiteRT, and sentences for the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.export.auxiliary import as_nhwc, export_tflite
from blazeface.models.light.classifiers import shufflenet_32
from blazeface.models.light.unet import UNet
from blazeface.tflite.graph import read_graph

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")


class Applied(nn.Module):
    """A convolution of 3 to 4 channels, then a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


def written(network: nn.Module, path: Path, side: int = 12) -> list[str]:
    """The file's operations, once LiteRT gives PyTorch's answers."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    assert export_tflite(network, path, (3, side, side), ("x", "y"), {"a key": "a text"}, "a test") < 1e-5
    graph = read_graph(path)
    assert graph.metadata["a key"] == b"a text"
    return [operation.name for operation in graph.operations]


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (F.relu, ["CONV_2D"]),
        (F.relu6, ["CONV_2D"]),
        (torch.sigmoid, ["CONV_2D", "LOGISTIC"]),
        (lambda x: F.max_pool2d(x, 3, 2, 1), ["CONV_2D", "PADV2", "MAX_POOL_2D"]),
        (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), ["CONV_2D", "MAX_POOL_2D"]),
        (lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True), ["CONV_2D", "AVERAGE_POOL_2D"]),
        (lambda x: F.avg_pool2d(x, 2), ["CONV_2D", "AVERAGE_POOL_2D"]),
        (lambda x: x.mean(dim=(2, 3)), ["CONV_2D", "MEAN"]),
        (lambda x: x.flatten(1), ["CONV_2D", "TRANSPOSE", "RESHAPE"]),
        (lambda x: x.flatten(2).softmax(dim=2), ["CONV_2D", "TRANSPOSE", "RESHAPE", "SOFTMAX"]),
        (lambda x: torch.cat([x, 2 * x], dim=1), ["CONV_2D", "MUL", "CONCATENATION"]),
        (lambda x: x[:, :, 2:-3, 1:] * 3.0 - 1.0, ["CONV_2D", "SLICE", "MUL", "SUB"]),
        (lambda x: F.pad(x, (1, 0, 2, 3)), ["CONV_2D", "PAD"]),
        (lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"), ["CONV_2D", "RESIZE_BILINEAR"]),
        (lambda x: F.interpolate(x, scale_factor=2.0), ["CONV_2D", "RESIZE_NEAREST_NEIGHBOR"]),
        (lambda x: x.permute(0, 2, 3, 1), ["CONV_2D", "TRANSPOSE"]),
    ],
)
def test_operations(function: Callable[[Tensor], Tensor], kinds: list[str], tmp_path: Path) -> None:
    assert written(Applied(function), tmp_path / "x.tflite") == kinds


@pytest.mark.parametrize(
    ("layer", "kinds"),
    [
        (nn.Conv2d(3, 5, 3, 2, 1), ["PAD", "CONV_2D"]),  # symmetric, where SAME pads at the end alone
        (nn.Conv2d(3, 5, 3, 1, 1), ["CONV_2D"]),
        (nn.Conv2d(3, 5, 3, 1, 2, 2), ["CONV_2D"]),
        (nn.Conv2d(3, 5, 3), ["CONV_2D"]),
        (nn.Conv2d(3, 6, (1, 3), padding=(0, 1), groups=3), ["DEPTHWISE_CONV_2D"]),
        (nn.ConvTranspose2d(3, 5, 2, 2), ["TRANSPOSE_CONV"]),
        (nn.ConvTranspose2d(3, 5, 3, 2), ["TRANSPOSE_CONV"]),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), ["RELU", "MUL", "ADD"]),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.ReLU6()), ["CONV_2D", "MUL", "ADD"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(432, 7), nn.ReLU()), ["TRANSPOSE", "RESHAPE", "FULLY_CONNECTED"]),
    ],
)
def test_layers(layer: nn.Module, kinds: list[str], tmp_path: Path) -> None:
    assert written(nn.Sequential(layer), tmp_path / "x.tflite") == kinds


def test_whole_networks(tmp_path: Path) -> None:
    kinds = written(UNet((4, 8, 16)), tmp_path / "unet.tflite", 44)
    assert kinds.count("TRANSPOSE_CONV") == 2 and kinds.count("SLICE") == 2 and "PAD" not in kinds
    written(shufflenet_32(), tmp_path / "shuffle.tflite", 32)


def test_axes_of_the_file() -> None:
    assert as_nhwc(np.zeros((1, 3, 4, 5), np.float32)).shape == (1, 4, 5, 3)
    assert as_nhwc(np.zeros((2, 7), np.float32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (torch.erf, "there is no TensorFlow Lite operation here for ONNX's Erf"),
        (lambda x: x.clamp(-1, 1), "ONNX's Clip with these bounds"),
        (lambda x: x.softmax(dim=2), "ONNX's Softmax over this axis"),
        (lambda x: F.avg_pool2d(x, 3, 1, 1), "ONNX's AveragePool with this padding"),
        (lambda x: x[:, :, ::2], "ONNX's Slice with steps"),
    ],
)
def test_what_is_not_converted_is_one_sentence(
    function: Callable[[Tensor], Tensor], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BlazeFaceError, match=r"x\.tflite: not written: ") as caught:
        export_tflite(
            Applied(function), tmp_path / "x.tflite", (3, 12, 12), ("x", "y"), {"a key": "a text"}, "a test"
        )
    assert sentence in str(caught.value)
    assert list(tmp_path.iterdir()) == []
