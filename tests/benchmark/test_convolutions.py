"""The convolutions whose time is measured: both runtimes compute what PyTorch does, with the multiplications that are counted."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ai_edge_litert.interpreter import Interpreter

from benchmarks.lightweight.convolutions import macs, onnx_bytes, parts, tflite_bytes


@pytest.mark.parametrize(("kernel", "form"), [(3, "dense"), (5, "separable")])
def test_both_runtimes_compute_the_same(kernel: int, form: str) -> None:
    layers = parts(8, kernel, form)
    x = np.random.default_rng(1).normal(size=(1, 8, 16, 16)).astype(np.float32)
    expected = torch.from_numpy(x)
    for weight, groups, relu in layers:
        expected = F.conv2d(
            expected, torch.from_numpy(weight), padding=kernel // 2 if weight.shape[2] > 1 else 0, groups=groups
        )
        expected = F.relu(expected) if relu else expected
    (found,) = onnxruntime.InferenceSession(onnx_bytes(layers, 8, 16)).run(None, {"x": x})
    assert np.allclose(found, expected, atol=1e-4) and float(expected.max()) > 0.1
    interpreter = Interpreter(model_content=tflite_bytes(layers, 8, 16))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.transpose(0, 2, 3, 1))
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).transpose(0, 3, 1, 2)
    assert np.allclose(found, expected, atol=1e-4)


def test_their_multiplications() -> None:
    assert macs(parts(64, 3, "dense"), 32) == 4 * 64 * 64 * 9 * 1024
    assert macs(parts(64, 3, "separable"), 32) == 4 * (64 * 9 + 64 * 64) * 1024
