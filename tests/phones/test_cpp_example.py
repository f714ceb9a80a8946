"""The example with OpenVINO: built with CMake, a picture in, the JSON of `blazeface detect` out."""

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

FOUND = importlib.util.find_spec("openvino")
CMAKE = None if FOUND is None or FOUND.origin is None else Path(FOUND.origin).parent / "cmake"

pytestmark = pytest.mark.skipif(
    (CMAKE is None or shutil.which("cmake") is None or cpp_compiler() is None)
    and os.environ.get("BLAZEFACE_EXAMPLE") != "required",
    reason="OpenVINO's Python wheel, CMake or a C++ compiler is missing",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    for command in (
        ["cmake", "-S", str(PHONES / "cpp" / "examples"), "-B", str(folder), f"-DOpenVINO_DIR={CMAKE}"],
        ["cmake", "--build", str(folder)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "detect_openvino"


def answer(program: Path, model: str, picture: Path, *more: str) -> Any:
    done = subprocess.run([program, WEIGHTS / model, picture, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_the_example_prints_what_detect_prints(
    program: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", str(PORTRAIT), "--model", model, "--json", "-", "--quiet", "--no-window"]) == 0
    expected = json.loads(capsys.readouterr().out)
    found = answer(program, f"{model}.onnx", PORTRAIT, model)
    assert len(expected["faces"]) == 1
    agree(found, expected, 0.0101)  # the last digit that is printed


def test_a_tflite_file_gives_the_same_face(program: Path) -> None:
    agree(answer(program, "front-128.tflite", PORTRAIT), answer(program, "front-128.onnx", PORTRAIT), 0.1)


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
