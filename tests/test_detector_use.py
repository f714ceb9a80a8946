"""FaceDetector as people use it: paths, PIL pictures, batches of any kind, copies, other processes, providers."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_PICTURES

import blazeface
from blazeface import BlazeFaceError, Detections, FaceDetector
from blazeface.backends.onnx_backend import choose_providers
from blazeface.detector import CHUNK

PATH = SHIPPED_PICTURES / "astronaut.png"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def image() -> Any:
    return cv2.imread(str(PATH))


@pytest.fixture(scope="module")
def expected(detector: FaceDetector, image: Any) -> Detections:
    faces = detector.detect(image)
    assert len(faces) == 1
    return faces


def test_whatever_holds_a_picture(detector: FaceDetector, image: Any, expected: Detections) -> None:
    assert detector.detect(PATH) == detector.detect(str(PATH)) == expected
    assert detector.detect(np.ascontiguousarray(image[:, :, ::-1]), rgb=True) == expected
    pil = pytest.importorskip("PIL.Image")
    with pil.open(PATH) as picture:
        assert detector.detect(picture) == expected


def test_in_one_line(image: Any, expected: Detections) -> None:
    assert blazeface.detect(PATH) == blazeface.detect(image) == expected
    assert len(blazeface.detect(PATH, "back-256", 0.99)) <= 1
    assert len(blazeface.detect(PATH, score_threshold=1.0)) == 0


def test_a_batch_of_any_kind(detector: FaceDetector, image: Any, expected: Detections) -> None:
    assert detector.detect_batch([image, PATH, image[:, ::-1]])[:2] == [expected, expected]
    assert detector.detect_batch((image,)) == [expected]
    assert detector.detect_batch(np.stack([image, image])) == [expected, expected]
    rgb = np.stack([image[:, :, ::-1]])
    assert detector.detect_batch(rgb, rgb=True) == [expected]
    assert detector.detect_batch(image for _ in range(3)) == [expected] * 3
    empty: list[Any] = []
    for nothing in (empty, iter(empty), np.zeros((0, 10, 10, 3), np.uint8)):
        assert detector.detect_batch(nothing) == []


def test_an_iterator_is_read_as_it_goes(detector: FaceDetector, image: Any) -> None:
    """No more than a chunk is asked for before it has been looked at."""
    asked, most = 0, 0
    run = detector._backend.run

    def pictures() -> Iterator[Any]:
        nonlocal asked
        for _ in range(2 * CHUNK + 1):
            asked += 1
            yield image[:8, :8]

    def counted(batch: Any) -> Any:
        nonlocal most
        most = max(most, len(batch))
        return run(batch)

    detector._backend.run = counted  # type: ignore[method-assign]
    try:
        assert len(detector.detect_batch(pictures())) == 2 * CHUNK + 1
    finally:
        detector._backend.run = run  # type: ignore[method-assign]
    assert (asked, most) == (2 * CHUNK + 1, CHUNK)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (None, "images must be a list or an iterator of pictures, or an array .N, H, W, 3., not None"),
        ("photo.jpg", "not str"),
        (Path("photo.jpg"), "not PosixPath"),
        (7, "not int"),
        (np.zeros((4, 4, 3), np.uint8), r"must have the shape \(N, H, W, 3\), not \(4, 4, 3\)"),
        (np.zeros((1, 4, 4, 3)), r"images\[0\] must be a BGR uint8 array .* not float64"),
        ([np.zeros((4, 4, 3), np.uint8), None], r"images\[1\] must be a BGR uint8 array .* not None"),
    ],
)
def test_what_is_no_batch(detector: FaceDetector, images: Any, words: str) -> None:
    with pytest.raises(BlazeFaceError, match=words):
        detector.detect_batch(images)


GROWING = """
import re, sys, numpy as np
from blazeface import FaceDetector
held = lambda: int(re.search("VmRSS:\\\\s+([0-9]+)", open("/proc/self/status").read())[1]) // 1024
detector, image = FaceDetector(sys.argv[1]), np.zeros((64, 64, 3), np.uint8)
for size in [*range(1, 41), 64]:
    assert len(detector.detect_batch([image] * size)) == size
    before = held() if size == 2 else before if size > 2 else 0
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is asked of /proc")
@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_batches_that_grow_take_no_more_memory(model: str) -> None:
    """They went on until onnxruntime's arena was full: front-128 failed from 32 pictures on, back-256 from 16."""
    run = subprocess.run([sys.executable, "-c", GROWING, model], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 100, "MB more than two pictures took; the input of a whole chunk has 25"


FRAGMENTING = """
import numpy as np
from blazeface.backends import onnx_backend
from blazeface import FaceDetector
onnx_backend.RUN_PIXELS = 2**22  # whatever the size of batches: as with views of ever other shapes
detector, image = FaceDetector("back-256"), np.zeros((64, 64, 3), np.uint8)
for size in range(1, 33):
    assert len(detector._backend.run(np.zeros((size, 3, 256, 256), np.float32))[0]) == size
print("done")
"""


def test_an_arena_full_of_pieces_is_emptied() -> None:
    run = subprocess.run([sys.executable, "-c", FRAGMENTING], capture_output=True, text=True)
    assert (run.stdout, run.returncode) == ("done\n", 0), run.stderr


def test_a_copy_opens_its_model_anew(detector: FaceDetector, expected: Detections, tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(detector)).detect(PATH) == expected
    assert copy.deepcopy(detector).detect(PATH) == expected
    finer = pickle.loads(pickle.dumps(detector.with_min_face(40)))
    assert finer.min_face == 40
    assert copy.copy(detector)._backend is detector._backend
    strict = FaceDetector(score_threshold=1.0)
    assert len(pickle.loads(pickle.dumps(strict)).detect(PATH)) == 0
    with pytest.raises(TypeError, match="made by from_backend cannot be pickled"):
        pickle.dumps(FaceDetector.from_backend(detector._backend))


def test_a_pickled_detector_finds_its_file_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, expected: Detections
) -> None:
    weights = Path(blazeface.__file__).parent / "weights" / "front-128.onnx"
    (tmp_path / "mine.onnx").write_bytes(weights.read_bytes())
    monkeypatch.chdir(tmp_path)
    text = pickle.dumps(FaceDetector("mine.onnx"))
    monkeypatch.chdir("/")
    assert pickle.loads(text).detect(PATH) == expected


def _answer(detector: FaceDetector, queue: Any) -> None:
    try:
        queue.put(detector.detect(PATH))
    except BlazeFaceError as error:
        queue.put(str(error))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("threads", [1, 2])
def test_in_another_process(method: str, threads: int, expected: Detections) -> None:
    """It works, or says in a sentence that it does not: it never waits for threads that a fork did not copy."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    detector = FaceDetector(threads=threads)
    detector.detect(PATH)
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_answer, args=(detector, queue))
    process.start()
    answer = queue.get(timeout=100)
    process.join()
    if (method, threads) == ("fork", 2):
        assert "with threads=2 does not work in a process forked after it was opened" in answer
    else:
        assert answer == expected


def test_torch_refuses_a_fork_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    detector = FaceDetector(backend="torch")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(BlazeFaceError, match=r'the torch backend .* multiprocessing\'s "spawn"'):
        detector.detect(PATH)


AVAILABLE = ["CUDAExecutionProvider", "DmlExecutionProvider", "CPUExecutionProvider"]


def test_providers_are_tried_in_order() -> None:
    assert choose_providers(["cpu"], AVAILABLE) == ["CPUExecutionProvider"]
    assert choose_providers(["directml", "CUDA"], AVAILABLE) == [AVAILABLE[1], AVAILABLE[0], AVAILABLE[2]]
    assert choose_providers(["CUDAExecutionProvider"], AVAILABLE) == [AVAILABLE[0], AVAILABLE[2]]
    with pytest.warns(UserWarning, match="no provider coreml; it has cpu, cuda, dml .others come in packages"):
        assert choose_providers(["coreml", "cuda"], AVAILABLE) == [AVAILABLE[0], AVAILABLE[2]]
    with pytest.raises(BlazeFaceError, match="no provider coreml, openvino; it has"):
        choose_providers(["coreml", "openvino"], AVAILABLE)
    with pytest.raises(BlazeFaceError, match="must name at least one"):
        choose_providers([], AVAILABLE)
    with pytest.raises(BlazeFaceError, match=r"must be a list of names, such as \['cuda'\]"):
        choose_providers("cuda", AVAILABLE)


def test_a_detector_with_providers(expected: Detections) -> None:
    assert FaceDetector(providers=["cpu"]).detect(PATH) == expected
    with pytest.raises(BlazeFaceError, match="no provider abacus"):
        FaceDetector(providers=["abacus"])
    with pytest.raises(BlazeFaceError, match="providers are onnxruntime's, and the torch backend has none"):
        FaceDetector(backend="torch", providers=["cpu"])


@pytest.mark.parametrize(
    ("model", "backend", "words"),
    [
        ("front128", None, "no shipped model has that name: did you mean front-128?"),
        ("Front-128", None, "did you mean front-128?"),
        ("yolo", None, "shipped are back-256, front-128"),
        ("mine.onnx", None, "mine.onnx: no such model file"),
        ("short-range", None, "no weights for short-range are shipped: train it"),
        (
            "front-128",
            "openvino",
            r"shipped as \.xml, which the openvino backend reads: make a file with `blazeface export",
        ),
    ],
)
def test_a_model_that_is_not_there(model: str, backend: str | None, words: str) -> None:
    with pytest.raises(BlazeFaceError, match=words):
        FaceDetector(model, backend=backend)


def test_arguments_of_another_type_are_told_in_a_sentence() -> None:
    with pytest.raises(BlazeFaceError, match=r"^threads must be a whole number, 0 or more, not 0\.5$"):
        FaceDetector(threads=0.5)  # type: ignore[arg-type]
    with pytest.raises(BlazeFaceError, match=r"^model must be a shipped model's name or a path, not NoneType$"):
        FaceDetector(None)  # type: ignore[arg-type]
