"""The LiteRT backend: chosen by suffix, self-describing files only, damage refused by name."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_network import small_network

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from blazeface.backends import backend_for, open_backend
from blazeface.backends.tflite_backend import TfliteBackend
from blazeface.backends.torch_backend import TorchBackend
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.tflite import to_tflite
from blazeface.models.weights import save_weights
from blazeface.spec import AnchorMap

sys.path.append(str(Path(__file__).parents[1] / "models"))

from google_files import google_file


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tflite") / "small.tflite"
    path.write_bytes(to_tflite(small_network().folded()))
    return path


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_batches_and_threads_give_the_torch_backends_answers(model: Path, threads: int, tmp_path: Path) -> None:
    save_weights(small_network(), tmp_path / "small.safetensors")
    other = TorchBackend(tmp_path / "small.safetensors", 1)
    backend = open_backend(model, "tflite", threads)
    assert backend.spec == other.spec == small_network().spec
    batch = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    for found, expected in zip(backend.run(batch), other.run(batch), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_one_detector_may_be_shared(model: Path) -> None:
    backend = TfliteBackend(model, threads=1)
    batches = np.random.default_rng(1).normal(size=(24, 1, 3, 32, 32)).astype(np.float32)
    expected = [backend.run(batch)[1] for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: backend.run(batch)[1], batches))
    np.testing.assert_array_equal(found, expected)


def test_suffix_chooses_the_backend(model: Path) -> None:
    assert [backend_for(name) for name in ("front-128", "x.onnx", "x.safetensors", model, "x")] == [
        *2 * ["onnxruntime"],
        "torch",
        "tflite",
        "onnxruntime",
    ]
    assert FaceDetector(model).spec.name == "small"
    assert FaceDetector(model, backend="tflite").spec.name == "small"
    with pytest.raises(BlazeFaceError, match=r"small\.tflite: the onnxruntime backend reads \.onnx"):
        FaceDetector(model, backend="onnxruntime")
    with pytest.raises(BlazeFaceError, match=r"the tflite backend reads \.tflite, not \.py"):
        FaceDetector(__file__, backend="tflite")


def test_without_litert_one_sentence_says_how_to_get_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "blazeface.backends.tflite_backend")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(BlazeFaceError, match=r"needs LiteRT: run pip install -e '\.\[tflite\]'"):
        FaceDetector(model)


def test_a_spec_that_promises_other_tensors_is_refused(tmp_path: Path) -> None:
    network = small_network().folded()
    path = tmp_path / "lying.tflite"
    honest = network.spec
    data = to_tflite(network)
    other = replace(honest, anchor_maps=(AnchorMap(8, (0.2, 0.7)), AnchorMap(4, (0.8,))), input_size=64)
    old, new = honest.to_json().encode(), other.to_json().replace("0.7", "0.4").encode()
    assert len(old) == len(new) and data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    with pytest.raises(
        BlazeFaceError, match=r"lying\.tflite: its ModelSpec promises tensors .*64, 64, 3.* 32, 32, 3"
    ):
        TfliteBackend(path, 1)
    path.write_bytes(data.replace(old, b"\xff" * len(old)))
    with pytest.raises(BlazeFaceError, match=r"lying\.tflite: its ModelSpec metadata cannot be read"):
        TfliteBackend(path, 1)


def test_a_foreign_file_is_refused() -> None:
    with pytest.raises(BlazeFaceError, match=r"it has no blazeface\.spec metadata"):
        FaceDetector(google_file("short-range"))


def test_a_file_cut_short_is_refused_by_name(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    path = tmp_path / "cut.tflite"
    for length in range(0, len(data) - 1, len(data) // 40):
        path.write_bytes(data[:length])
        with pytest.raises(BlazeFaceError, match=r"cut\.tflite"):
            TfliteBackend(path, 1)
