"""One suite that every backend passes: the same network, written in each format, gives the same faces."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch, which writes the files, is not installed")

from blazeface.backends import BACKENDS, RUNTIMES, open_backend
from blazeface.detector import FaceDetector, prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import FORMATS, Options, load_format
from blazeface.export.verify import torch_run
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights, save_weights

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "blazeface" / "weights" / "front-128.safetensors"
NEEDS = {
    "tflite": ("ai_edge_litert",),
    "openvino": ("openvino", "onnx"),
    "ncnn": ("ncnn", "pnnx"),
    "onnxruntime": ("onnx",),
}
FORMAT_OF = {kind.backend: name for name, kind in FORMATS.items()}


@pytest.fixture(scope="module")
def network() -> BlazeFace:
    return load_weights(FRONT).folded().eval()


@pytest.fixture(scope="module", params=BACKENDS)
def model(request: pytest.FixtureRequest, network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """front-128 in each backend's own format."""
    backend = request.param
    for package in NEEDS.get(backend, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    path = tmp_path_factory.mktemp(backend) / f"front-128{RUNTIMES[backend].suffix}"
    if backend == "torch":
        save_weights(network, path)
    elif backend == "onnxruntime":
        path = FRONT.with_suffix(".onnx")
    elif backend == "openvino":  # as the exporter does it, without its slow first step
        load_format("openvino").from_onnx(FRONT.with_suffix(".onnx"), path, network.spec)
    else:
        load_format(FORMAT_OF[backend]).write(network, path, Options())
    return path


@pytest.fixture(scope="module")
def portrait() -> Image:
    return read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))


@pytest.fixture(scope="module")
def pictures(portrait: Image) -> list[Image]:
    """A face, none, and shapes that a camera never has."""
    rng = np.random.default_rng(0)
    odd = [rng.integers(0, 256, shape, np.uint8) for shape in ((1, 1, 3), (1, 300, 3), (333, 7, 3))]
    return [portrait, *odd, portrait[:, ::-1], np.full((64, 64, 3), 255, np.uint8), portrait[100:260, 150:330]]


def backend_of(path: Path) -> str:
    return next(name for name, runtime in RUNTIMES.items() if runtime.suffix == path.suffix)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_raw_answers_are_pytorchs_alone_and_in_a_batch(
    model: Path, threads: int, network: BlazeFace, pictures: list[Image]
) -> None:
    backend = open_backend(model, backend_of(model), threads)
    assert backend.spec == network.spec
    batch = np.stack([prepare(picture, network.spec)[0] for picture in pictures[: 7 if threads == 1 else 2]])
    expected = torch_run(network)(batch)
    for start, stop in ((0, len(batch)), (0, 1), (1, 3)):
        for found, right in zip(backend.run(batch[start:stop]), expected, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, right[start:stop], atol=1e-3)


def test_same_faces_and_a_batch_gives_what_single_pictures_give(model: Path, pictures: list[Image]) -> None:
    expected = FaceDetector(FRONT.with_suffix(".onnx")).detect_batch(pictures)
    detector = FaceDetector(model)
    assert len(expected[0]) == 1
    for found, single, right in zip(
        detector.detect_batch(pictures), map(detector.detect, pictures), expected, strict=True
    ):
        assert len(found) == len(single) == len(right)
        for one in (found, single):
            np.testing.assert_allclose(one.boxes, right.boxes, atol=0.02)
            np.testing.assert_allclose(one.keypoints, right.keypoints, atol=0.02)
            np.testing.assert_allclose(one.scores, right.scores, atol=1e-4)


def test_one_detector_serves_several_threads(model: Path, network: BlazeFace) -> None:
    backend = open_backend(model, backend_of(model), 1)
    batches = np.random.default_rng(1).uniform(-1, 1, (16, 1, 3, 128, 128)).astype(np.float32)
    expected = [backend.run(batch)[1] for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: backend.run(batch)[1], batches))
    np.testing.assert_array_equal(found, expected)


def test_outputs_belong_to_the_caller(model: Path) -> None:
    backend = open_backend(model, backend_of(model), 1)
    batch = np.zeros((1, 3, 128, 128), np.float32)
    logits, regressions = backend.run(batch)
    kept = logits.copy(), regressions.copy()
    backend.run(batch + 1)
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(regressions, kept[1])


def test_damage_is_told_in_one_sentence(model: Path, tmp_path: Path) -> None:
    path = tmp_path / f"cut{model.suffix}"
    data = model.read_bytes()
    weights = model.with_suffix(".bin")
    if weights.is_file():
        path.with_suffix(".bin").write_bytes(weights.read_bytes())
    for part in (0, 3, 50, 90):
        path.write_bytes(data[: len(data) * part // 100])
        with pytest.raises(BlazeFaceError, match=r"cut\.") as caught:
            open_backend(path, backend_of(path), 1)
        assert "\n" not in str(caught.value)
    if weights.is_file():
        path.write_bytes(data)
        path.with_suffix(".bin").write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        with pytest.raises(BlazeFaceError, match=r"cut\."):
            open_backend(path, backend_of(path), 1)
        path.with_suffix(".bin").unlink()
        with pytest.raises(BlazeFaceError, match=r"cut\."):
            open_backend(path, backend_of(path), 1)


@pytest.mark.parametrize("name", [name for name, runtime in RUNTIMES.items() if runtime.extra])
def test_without_its_package_the_command_that_installs_it_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"x{RUNTIMES[name].suffix}"
    path.write_bytes(b"x")
    package = {"torch": "torch", "tflite": "ai_edge_litert.interpreter"}.get(name, name)
    monkeypatch.delitem(sys.modules, f"blazeface.backends.{name}_backend", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BlazeFaceError, match=rf"pip install -e '\.\[{RUNTIMES[name].extra}\]'"):
        open_backend(path, name, 1)


def test_a_core_ml_package_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "x.mlpackage").mkdir()
    with pytest.raises(BlazeFaceError, match="Core ML runs on Apple's devices only"):
        FaceDetector(tmp_path / "x.mlpackage")


@pytest.fixture
def no_network() -> Iterator[str]:
    """Code that ends a Python process, loudly, at any attempt to look up a host or connect."""
    yield (
        "import socket, sys, os\n"
        "def refuse(*words, **more):\n"
        "    print('network:', words, flush=True); os._exit(3)\n"
        "socket.getaddrinfo = socket.create_connection = refuse\n"
        "socket.socket.connect = refuse\n"
    )


def test_openvino_reports_to_nobody(no_network: str) -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    code = no_network + (
        "import blazeface.backends.openvino_backend, time\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
        "time.sleep(0.5); print('quiet')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "quiet"), done.stdout + done.stderr
