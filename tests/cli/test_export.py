"""`export.py` from the outside."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_network import small_network
from wider_material import write_data

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.cli import export
from blazeface.cli.main import run_command
from blazeface.detector import FaceDetector
from blazeface.models.weights import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(small_network(), path)
    return path


def run(*flags: object) -> int:
    return run_command("export", [str(flag) for flag in flags])


def test_export_prints_what_it_wrote_and_how_far_it_is_off(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.onnx"
    assert run("--weights", weights, "--format", "onnx", "--out", out) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"{out}: small, " in said.out
    largest = re.search(r"scores +(\d\.\de-\d\d)", said.out)
    assert largest and float(largest[1]) < 1e-5
    assert "pictures: 8, data/pictures" in said.out
    assert said.out.rstrip().endswith("AP was not compared: name labelled pictures with --data ROOT")
    assert json.loads((tmp_path / "small.onnx.report.json").read_text())["differences"]["pictures"] == 8
    assert OnnxBackend(out, 1).spec.name == "small"


def test_pictures_of_the_user_are_used_and_bad_ones_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in range(5):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((20 + i, 30, 3), 40 * i, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    flags = ["--weights", weights, "--format", "onnx", "--overwrite", "--out", tmp_path / "x.onnx", "--pictures"]
    assert run(*flags, folder, folder / "missing.png") == 0
    said = capsys.readouterr()
    assert "pictures: 5, " in said.out
    assert "broken.jpg" in said.err and "missing.png" in said.err
    monkeypatch.setattr(export, "MAX_PICTURES", 4)
    assert run(*flags, folder) == 0
    assert "pictures: 4, " in capsys.readouterr().out
    assert run(*flags, folder / "broken.jpg") == 1
    assert "no picture can be read" in capsys.readouterr().err


def test_without_the_repository_pictures_are_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data/pictures" in export.choose_pictures(None)[1]
    monkeypatch.setattr(export, "SHIPPED_PICTURES", tmp_path / "none")
    pictures, origin = export.choose_pictures(None)
    assert len(pictures) == 8 and "made up" in origin


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--weights", "no.safetensors", "--out", "x.onnx"], "no.safetensors: no such weights file"),
        (["--weights", "{weights}", "--out", "x.tflite"], "--out must name a .onnx file for --format onnx"),
        (["--weights", "{weights}", "--out", "no/x.onnx"], "there is no folder no"),
        (["--weights", "{junk}", "--out", "x.onnx"], "not a readable safetensors file"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    flags: list[str],
    sentence: str,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"\x01\x02\x03")
    monkeypatch.chdir(tmp_path)
    assert run("--format", "onnx", *(flag.format(weights=weights, junk=junk) for flag in flags)) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["junk.safetensors"]


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 1e-2)])
def test_tflite_in_both_precisions(
    precision: str, limit: float, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    out = tmp_path / "small.tflite"
    assert run("--weights", weights, "--format", "tflite", "--precision", precision, "--out", out) == 0
    largest = re.search(r"scores +(\d\.\de-\d\d)", capsys.readouterr().out)
    assert largest and float(largest[1]) < limit
    assert FaceDetector(out).spec.name == "small"


def test_without_torch_the_extra_is_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("blazeface.models.weights", "blazeface.training.runs.initial"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("--weights", weights, "--format", "onnx", "--out", tmp_path / "x.onnx") == 1
    said = capsys.readouterr().err
    assert "exporting onnx needs packages that are not here: run pip install -e '.[export]'" in said
    assert said.count("\n") == 1 and not list(tmp_path.iterdir())


def test_without_litert_the_extra_is_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("blazeface.export.formats.tflite", "blazeface.backends.tflite_backend"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert run("--weights", weights, "--format", "tflite", "--out", tmp_path / "x.tflite") == 1
    assert "pip install -e '.[tflite]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--format", "tflite", "--batch", "dynamic"], "--batch dynamic: a tflite file has a fixed batch"),
        (["--format", "tflite", "--precision", "int8"], "--precision int8 needs --data ROOT"),
        (["--format", "onnx", "--nms"], "--nms goes with --decode"),
        (["--format", "onnx", "--val-limit", "0"], "--val-limit must be 1 or more, not 0"),
    ],
)
def test_flags_that_do_not_go_together(
    flags: list[str], sentence: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--weights", weights, *flags, "--out", tmp_path / f"x.{flags[1]}") == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_int8_is_calibrated_and_scored_on_the_data(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    data = write_data(tmp_path / "faces", train=6, val=4)
    out = tmp_path / "small.tflite"
    flags = ["--format", "tflite", "--precision", "int8", "--data", data, "--calibrate", "4", "--val-limit", "3"]
    flags += ["--batch", "2", "--decode", "--out", out]
    # An untrained network finds no face, in PyTorch as in int8: that they agree proves nothing.
    assert run("--weights", weights, *flags) == 1
    assert "no face was found in the 4 pictures of the calibration" in capsys.readouterr().err
    portrait = cv2.imread(str(export.SHIPPED_PICTURES / "astronaut.png"))
    assert portrait is not None
    x1, y1, x2, y2 = FaceDetector("front-128").detect(portrait).boxes[0].round().astype(int).tolist()
    labels = data / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    labels.write_text("".join(f"drawn/{i}.jpg\n1\n{x1} {y1} {x2 - x1} {y2 - y1} 0 0 0 0 0 0\n" for i in range(4)))
    for picture in [*data.glob("WIDER_*/images/drawn/*.jpg")]:
        cv2.imwrite(str(picture), portrait)
    assert run("--weights", "front-128", *flags) == 0
    assert "val, 3 pictures" in capsys.readouterr().out
    report = json.loads((tmp_path / "small.tflite.report.json").read_text())
    assert report["calibration_pictures"] == 4 and report["accuracy"]["pictures"] == 3
    assert (report["batch"], report["decode"]) == (2, True)
    assert report["accuracy"]["pytorch"]["AP >=.1"] == 1.0
    assert FaceDetector(out).spec.name == "front-128"


def test_only_what_works_is_offered(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--weights", weights, "--format", "docx", "--out", "x.docx")
    assert stop.value.code == 2
    assert "choose from" in capsys.readouterr().err
