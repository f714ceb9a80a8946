"""The examples with OpenVINO, LiteRT and onnxruntime: built with CMake, a picture in, the JSON of `blazeface detect` out."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from phone_material import PORTRAIT

from benchmarks.phones.programs import PHONES, cpp_compiler
from blazeface.cli.main import main
from blazeface.detector import WEIGHTS
from blazeface.export.formats.tflite import to_tflite
from blazeface.models.weights import load_weights


def package(name: str) -> Path | None:
    """The folder of a package that is installed."""
    found = importlib.util.find_spec(name)
    return None if found is None or found.origin is None else Path(found.origin).parent


def settings() -> dict[str, dict[str, str]]:
    """What CMake is told, by program, of the runtimes that are here. onnxruntime's wheel has no headers: `make phones-check`
    fetches them and names their folder."""
    found = {}
    if openvino := package("openvino"):
        found["detect_openvino"] = {"OpenVINO_DIR": str(openvino / "cmake")}
    litert = package("ai_edge_litert")
    if litert and (litert / "libLiteRt.so").is_file():
        found["detect_litert"] = {"LITERT_LIBRARY": str(litert / "libLiteRt.so")}
    onnxruntime, headers = package("onnxruntime"), os.environ.get("ONNXRUNTIME_HEADERS")
    if onnxruntime and headers:
        libraries = sorted(onnxruntime.glob("capi/libonnxruntime.so.*"))
        found["detect_onnxruntime"] = {"ONNXRUNTIME_LIBRARY": str(libraries[-1]), "ONNXRUNTIME_HEADERS": headers}
    return found


SETTINGS = settings()
REQUIRED = os.environ.get("BLAZEFACE_EXAMPLE") == "required"

pytestmark = pytest.mark.skipif(
    (not SETTINGS or shutil.which("cmake") is None or cpp_compiler() is None) and not REQUIRED,
    reason="CMake, a C++ compiler or a wheel with a library to link is missing",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With all programs that can be built here."""
    folder = tmp_path_factory.mktemp("example")
    flags = [f"-D{name}={value}" for each in SETTINGS.values() for name, value in each.items()]
    for command in (
        ["cmake", "-S", str(PHONES / "cpp" / "examples"), "-B", str(folder), *flags],
        ["cmake", "--build", str(folder)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.fixture(params=["detect_openvino", "detect_litert", "detect_onnxruntime"])
def program(request: pytest.FixtureRequest, folder: Path) -> Path:
    headers_missing = request.param == "detect_onnxruntime" and "ONNXRUNTIME_HEADERS" not in os.environ
    if request.param not in SETTINGS and (headers_missing or not REQUIRED):
        pytest.skip(f"{request.param}: its runtime is not installed, or has no headers here")
    return folder / str(request.param)


def answer(program: Path, model: str, picture: Path, *more: str) -> Any:
    done = subprocess.run([program, WEIGHTS / model, picture, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_the_example_prints_what_detect_prints(
    program: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", str(PORTRAIT), "--model", model, "--json", "-", "--quiet", "--no-window"]) == 0
    expected = json.loads(capsys.readouterr().out)
    file = WEIGHTS / f"{model}.onnx"
    if program.name == "detect_litert":  # it reads .tflite files alone; the shipped ones are narrower
        file = tmp_path / "model.tflite"
        file.write_bytes(to_tflite(load_weights(WEIGHTS / f"{model}.safetensors").folded()))
    found = answer(program, str(file), PORTRAIT, model)
    assert len(expected["faces"]) == 1
    agree(found, expected, 0.0101)  # the last digit that is printed


def test_a_tflite_file_gives_the_same_face(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if program.name == "detect_onnxruntime":
        pytest.skip("onnxruntime reads no .tflite files")
    assert main(["detect", str(PORTRAIT), "--json", "-", "--quiet", "--no-window"]) == 0
    expected = json.loads(capsys.readouterr().out)
    agree(answer(program, "front-128.tflite", PORTRAIT), expected, 0.1)


def agree(found: Any, expected: Any, near: float) -> None:
    """The same fields; numbers within `near`."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            agree(found[key], expected[key], near)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            agree(a, b, near)
    else:
        assert found == (pytest.approx(expected, abs=near) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "usage: "),
        (["front-128.onnx", "none.ppm"], 1, "none.ppm: cannot be opened"),
        (["front-128.onnx", "notes.ppm"], 1, "notes.ppm: is no PPM picture of 8 bits (P6)"),
        (["front-128.onnx", "short.ppm"], 1, "short.ppm: ends before its last pixel"),
        (["front-128.onnx", "one.ppm", "middle"], 1, "middle: is not front-128, back-256 or paper-128"),
    ],
)
def test_bad_input_is_named(program: Path, tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    (tmp_path / "notes.ppm").write_text("buy milk")
    (tmp_path / "short.ppm").write_bytes(b"P6\n9 9\n255\n123")
    (tmp_path / "one.ppm").write_bytes(b"P6\n1 1\n255\n123")
    if arguments:
        arguments[0] = str(WEIGHTS / arguments[0])
    done = subprocess.run([program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status and said in done.stderr and not done.stdout
