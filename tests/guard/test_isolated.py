"""Files of other kinds, trusted: run in a child process, whose death is one sentence."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from blazeface.backends import isolated, open_backend
from blazeface.backends.isolated import IsolatedBackend
from blazeface.cli.main import run_command
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.guard import UnlistedModel

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "blazeface" / "weights" / "front-128.onnx"
PORTRAIT = str(ROOT / "data" / "pictures" / "astronaut.png")


def with_loop(path: Path, endless: bool) -> Path:
    """front-128 whose logits go through a Loop: once, or for ever."""
    model = onnx.load(FRONT)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["again"]), helper.make_node("Neg", ["a"], ["n"]), helper.make_node("Neg", ["n"], ["b"])],
        "body",
        [value("i", TensorProto.INT64, []), value("going", TensorProto.BOOL, []), value("a", TensorProto.FLOAT, None)],
        [value("again", TensorProto.BOOL, []), value("b", TensorProto.FLOAT, None)],
    )  # fmt: skip
    for node in model.graph.node:
        node.output[:] = ["before" if name == "logits" else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1), "times"))
    model.graph.node.append(
        helper.make_node("Loop", ["" if endless else "times", "yes", "before"], ["logits"], body=body)
    )
    onnx.save(model, path)
    return path


def test_a_file_of_another_kind_runs_where_it_is_trusted(photographs: list[Any], tmp_path: Path) -> None:
    path = with_loop(tmp_path / "x.onnx", endless=False)
    with pytest.raises(UnlistedModel, match="a graph within the graph"):
        FaceDetector(path)
    detector = FaceDetector(path, trust=True)
    assert isinstance(detector._backend, IsolatedBackend)
    ours = FaceDetector(FRONT).detect_batch(photographs)
    found = detector.detect_batch(photographs)
    assert sum(map(len, found)) > 0
    for a, b in zip(ours, found, strict=True):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-3)


def test_a_listed_file_needs_no_child_though_trusted() -> None:
    assert not isinstance(open_backend(FRONT, "onnxruntime", 1, trust=True), IsolatedBackend)


def test_one_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_backend(with_loop(tmp_path / "x.onnx", endless=True), "onnxruntime", 1, trust=True)
    monkeypatch.setattr(isolated, "RUN_SECONDS", 0.5)
    with pytest.raises(
        BlazeFaceError, match=r"x\.onnx: the process that ran it took longer than 1 seconds and was ended$"
    ):
        backend.run(np.zeros((1, 3, 128, 128), np.float32))
    with pytest.raises(BlazeFaceError, match=r"x\.onnx: "):
        backend.run(np.zeros((1, 3, 128, 128), np.float32))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGSEGV, "died of SIGSEGV"), (signal.SIGKILL, "perhaps for lack of memory")]
)
def test_its_death_is_one_sentence(number: int, words: str, tmp_path: Path) -> None:
    backend = open_backend(with_loop(tmp_path / "x.onnx", endless=True), "onnxruntime", 1, trust=True)
    assert isinstance(backend, IsolatedBackend)
    os.kill(backend._process.pid, number)
    backend._process.wait()
    with pytest.raises(BlazeFaceError, match=rf"x\.onnx: .*{words}$"):
        backend.run(np.zeros((1, 3, 128, 128), np.float32))


def test_the_commands_have_the_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_loop(tmp_path / "x.onnx", endless=False)
    flags = [PORTRAIT, "--model", str(path), "--json", "-", "--quiet"]
    assert run_command("detect", flags, prog="detect") == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert said.count("\n") == 1
    assert "--trust-model" in said
    assert run_command("detect", [*flags, "--trust-model"], prog="detect") == 0
    assert '"score"' in capsys.readouterr().out


def test_its_process_ends_with_the_detector(tmp_path: Path) -> None:
    backend = IsolatedBackend(shutil.copyfile(FRONT, tmp_path / "x.onnx"), "onnxruntime", 1)
    process = backend._process
    assert process.poll() is None
    del backend
    assert process.wait(10) != 0


def test_answers_that_are_no_answers_are_refused(tmp_path: Path) -> None:
    backend = IsolatedBackend(shutil.copyfile(FRONT, tmp_path / "x.onnx"), "onnxruntime", 1)
    backend._send = lambda head, data: type(backend)._send(backend, {"shape": [2, 3, 128, 128]}, data * 2)  # type: ignore[method-assign]
    with pytest.raises(BlazeFaceError, match=r"it gives 121856 bytes where 60928 are promised"):
        backend.run(np.zeros((1, 3, 128, 128), np.float32))
