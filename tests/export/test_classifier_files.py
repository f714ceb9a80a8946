"""Every classifier in ONNX and TensorFlow Lite: the answers of PyTorch, on noise and on photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from blazeface.export.auxiliary import export_onnx, export_tflite
from blazeface.export.auxiliary_run import onnx_runner, tflite_runner
from blazeface.geometry import Image, letterbox_image
from blazeface.models.light.classifiers import CLASSIFIERS, Classifier, build_classifier
from blazeface.training.tasks.classify import inputs

SIDE = 64


def settled(name: str) -> Classifier:
    """Seven classes; batch norms that have seen something, last layers whose answers differ."""
    torch.manual_seed(0)
    network = build_classifier(name, 7)
    with torch.no_grad():
        for _ in range(12):
            network(torch.randn(4, 3, SIDE, SIDE))
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.3, 1)
    return network.eval()


@pytest.mark.parametrize(
    "name", [n for n in CLASSIFIERS if n not in ("xception", "shufflenet-32-g2", "squeezenet-1.0")]
)
def test_tflite_answers_as_pytorch(name: str, photographs: list[Image], tmp_path: Path) -> None:
    network, path = settled(name), tmp_path / "x.tflite"
    difference = export_tflite(network, path, (3, SIDE, SIDE), ("pictures", "logits"), {"a": "b"}, "c")
    assert 0 < difference < 1e-4
    _photographs_agree(network, tflite_runner(path), photographs)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_both_formats_answer_as_pytorch(name: str, photographs: list[Image], tmp_path: Path) -> None:
    network = settled(name)
    for export, runner, file in (
        (export_onnx, onnx_runner, tmp_path / "x.onnx"),
        (export_tflite, tflite_runner, tmp_path / "x.tflite"),
    ):
        assert 0 < export(network, file, (3, SIDE, SIDE), ("pictures", "logits"), {}, "c") < 1e-4
        _photographs_agree(network, runner(file), photographs)


def _photographs_agree(network: nn.Module, run: object, photographs: list[Image]) -> None:
    assert callable(run)
    pictures = inputs(np.stack([letterbox_image(picture, SIDE)[0] for picture in photographs]))
    with torch.no_grad():
        expected = network(pictures).numpy()
    found = run(np.ascontiguousarray(pictures.numpy()))
    assert found.shape == expected.shape == (len(photographs), 7)
    assert expected.std() > 1e-3  # answers that are all the same would prove nothing
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
