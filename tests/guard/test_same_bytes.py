"""A runtime is given the bytes that were checked, also where the file is another by then."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_network import small_network

from blazeface.backends import open_backend
from blazeface.export.format_table import Options, load_format
from blazeface.models import torch_archive


@pytest.mark.parametrize(
    ("kind", "suffix", "backend", "check", "needed"),
    [
        ("onnx", ".onnx", "onnxruntime", "check_onnx", "onnxruntime"),
        ("tflite", ".tflite", "tflite", "check_tflite_model", "ai_edge_litert"),
        ("openvino", ".xml", "openvino", "check_openvino", "openvino"),
        ("ncnn", ".param", "ncnn", "check_ncnn", "ncnn"),
    ],
)
def test_a_file_that_is_exchanged_behind_the_check(
    kind: str,
    suffix: str,
    backend: str,
    check: str,
    needed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(needed)
    if kind == "ncnn":
        pytest.importorskip("pnnx")
    path = tmp_path / f"x{suffix}"
    load_format(kind).write(small_network().folded(), path, Options())
    size = small_network().spec.input_size
    picture = np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    expected = open_backend(path, backend, 1).run(picture)
    module = importlib.import_module(f"blazeface.backends.{backend.removesuffix('runtime')}_backend")
    original, called = getattr(module, check), []

    def exchanged(*arguments: Any) -> Any:
        called.append(check)
        answer = original(*arguments)
        for file in tmp_path.iterdir():
            file.write_bytes(b"another")
        return answer

    monkeypatch.setattr(module, check, exchanged)
    found = open_backend(path, backend, 1).run(picture)
    assert called
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_that_is_exchanged_behind_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(5.0)}, path)
    original = torch_archive.check_archive

    def exchanged(data: bytes) -> None:
        original(data)
        path.write_bytes(b"another")

    monkeypatch.setattr(torch_archive, "check_archive", exchanged)
    assert torch_archive.load_archive(path)["a"].tolist() == [0, 1, 2, 3, 4]
    assert path.read_bytes() == b"another"
