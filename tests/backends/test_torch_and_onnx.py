"""The shipped weights in onnxruntime and in PyTorch: one answer; what cannot be opened is said in one sentence."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from blazeface.backends import Backend, open_backend
from blazeface.detector import WEIGHTS, FaceDetector, prepare
from blazeface.errors import BlazeFaceError

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
ONNX, TENSORS = WEIGHTS / "front-128.onnx", WEIGHTS / "front-128.safetensors"


@pytest.fixture(scope="module")
def onnx() -> Backend:
    return open_backend(ONNX, "onnxruntime", 1)


def views(onnx: Backend) -> np.ndarray:
    """The portrait and three parts of it, as the network sees them: (4, 3, 128, 128)."""
    image = cv2.imread(str(PORTRAIT))
    assert image is not None
    parts = (image, image[:300], image[:, 100:350], image[40:220, 120:330])
    return np.stack([prepare(np.ascontiguousarray(part), onnx.spec)[0] for part in parts])


def test_both_hold_the_same_network(onnx: Backend) -> None:
    threads = torch.get_num_threads()
    try:
        other = open_backend(TENSORS, "torch", 1)
        batch = views(onnx)
        assert other.spec == onnx.spec
        found, expected = onnx.run(batch), other.run(batch)
    finally:
        torch.set_num_threads(threads)
    for ours, theirs, shape in zip(found, expected, ((4, 896), (4, 896, 16)), strict=True):
        assert ours.shape == theirs.shape == shape
        assert ours.dtype == theirs.dtype == np.float32
        assert np.abs(ours).max() > 1  # not a comparison of nothing with nothing
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_both_see_the_same_face() -> None:
    image = cv2.imread(str(PORTRAIT))
    assert image is not None
    by_onnx = FaceDetector("front-128").detect(image)
    by_torch = FaceDetector("front-128", backend="torch").detect(image)
    assert len(by_onnx) == len(by_torch) == 1
    np.testing.assert_allclose(by_onnx.boxes, by_torch.boxes, atol=0.01)
    np.testing.assert_allclose(by_onnx.keypoints, by_torch.keypoints, atol=0.01)


def test_a_row_of_a_batch_does_not_depend_on_the_others(onnx: Backend) -> None:
    batch = views(onnx)
    together = onnx.run(batch)
    for i in range(len(batch)):
        for alone, row in zip(onnx.run(batch[i : i + 1]), together, strict=True):
            np.testing.assert_allclose(alone[0], row[i], atol=1e-4)


def test_more_pictures_than_fit_into_one_run(onnx: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = np.random.default_rng(6).normal(size=(7, 3, 128, 128)).astype(np.float32)
    whole = onnx.run(batch)
    monkeypatch.setattr("blazeface.backends.onnx_backend.RUN_PIXELS", 3 * 128**2)
    for parted, one in zip(onnx.run(batch), whole, strict=True):
        np.testing.assert_allclose(parted, one, rtol=0, atol=1e-4)


def test_a_thousand_pictures_fit_into_the_memory_that_sessions_share(onnx: Backend) -> None:
    logits, regressions = onnx.run(np.zeros((1000, 3, 128, 128), np.float32))
    assert (logits.shape, regressions.shape) == ((1000, 896), (1000, 896, 16))


def test_one_backend_serves_several_threads(onnx: Backend) -> None:
    batch = views(onnx)
    expected = [onnx.run(batch[i : i + 1])[1] for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: onnx.run(batch[i % 4 : i % 4 + 1])[1], range(32)))
    for i, regressions in enumerate(found):
        np.testing.assert_array_equal(regressions, expected[i % 4])


@pytest.mark.parametrize(
    ("path", "backend", "words"),
    [
        (ONNX, "abacus", "unknown backend 'abacus': choose one of onnxruntime, torch"),
        (Path("nowhere.onnx"), "onnxruntime", r"nowhere\.onnx: no such model file"),
        (WEIGHTS, "onnxruntime", "is a folder, not a file"),
        (TENSORS, "onnxruntime", r"front-128\.safetensors: the onnxruntime backend reads \.onnx"),
        (ONNX, "torch", r"front-128\.onnx: the torch backend reads \.safetensors"),
        (PORTRAIT.with_name("astronaut"), "torch", "astronaut: no such model file"),
    ],
)
def test_what_does_not_go_together(path: Path, backend: str, words: str) -> None:
    with pytest.raises(BlazeFaceError, match=words) as caught:
        open_backend(path, backend, 1)
    assert "\n" not in str(caught.value)


def test_without_pytorch_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "blazeface.backends.torch_backend", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BlazeFaceError, match=r"needs PyTorch and safetensors: run pip install -e '\.\[train\]'"):
        open_backend(TENSORS, "torch", 1)
