"""`blazeface evaluate` from the outside."""

from __future__ import annotations

import builtins
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_network import small_network
from video_material import make_video
from wider_material import write_data

from blazeface.cli.main import run_command
from blazeface.evaluation.robustness.conditions import CONDITIONS
from blazeface.models.weights import save_weights
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.faces import averaged


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_weights(small_network(), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", train=1, val=9)


def run(*flags: object) -> int:
    return run_command("evaluate", [str(flag) for flag in flags])


def test_table_report_plot_and_sheets(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    assert run("--data", data, "--model", model, "--out", out, "--resamples", 20) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0] == f"{model} on 9 pictures of val, score cut 0.02"
    assert any(line.startswith("all ") for line in lines) and any(line.startswith("drawn ") for line in lines)
    assert sorted(path.name for path in out.iterdir()) == [
        "false_alarms.png",
        "misses.png",
        "precision_recall.png",
        "reliability.png",
        "report.json",
        "report.md",
    ]
    for name in ("false_alarms.png", "misses.png", "precision_recall.png"):
        assert cv2.imread(str(out / name)) is not None
    report = json.loads((out / "report.json").read_text())
    assert report["model"]["name"] == "small" and report["model"]["backend"] == "torch"
    assert report["model"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert report["pictures"] == 9 and report["left_out"] == [] and report["split"] == "val"
    assert (
        sum(report["faces"][name] for name in (".05-.1", ".1-.2", ".2-.45", ">=.45"))
        == report["faces"][">=.05"]
        == 9
    )
    assert str(tmp_path) not in (out / "report.json").read_text()


def test_robustness_centred_faces_and_clips(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = data / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    house = data / "WIDER_val" / "images" / "neg_houses"
    house.mkdir()
    cv2.imwrite(str(house / "a.jpg"), np.full((90, 120, 3), 99, np.uint8))
    labels.write_text(labels.read_text() + "neg_houses/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n")
    pytest.importorskip("av", reason="writes the clip")
    clip = make_video(tmp_path / "clip.mp4", count=5)
    out = tmp_path / "out"
    flags = ("--data", data, "--model", model, "--resamples", 5, "--robustness", "--clips", clip, "--out", out)
    assert run(*flags) == 0
    said = capsys.readouterr()
    assert said.err == "" and "roll 180" in said.out and "astronaut" in said.out and "clip.mp4" in said.out
    report = json.loads((out / "report.json").read_text())
    assert set(report["robustness"]["conditions"]) == {"clean", *CONDITIONS}
    assert report["robustness"]["pictures"] == report["robustness"]["conditions"]["blur"]["faces"] == 9
    assert set(report["centred"]) == {"astronaut", "faces of val"}
    assert report["clips"]["clip.mp4"]["frames"] == 5
    assert "| roll 180 | 9 |" in (out / "report.md").read_text()
    assert str(tmp_path) not in (out / "report.json").read_text()


def test_the_folder_of_a_run_is_evaluated_by_its_averaged_weights(
    data: Path, finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--data", data, "--resamples", 0, "--threads", 1)
    assert run(*flags, "--model", finished_run, "--out", tmp_path / "a") == 0
    network = averaged(load_checkpoint(finished_run))
    save_weights(network, tmp_path / "averaged.safetensors")
    assert run(*flags, "--model", tmp_path / "averaged.safetensors", "--out", tmp_path / "b") == 0
    first, second = (json.loads((tmp_path / name / "report.json").read_text()) for name in "ab")
    assert first["model"]["file"] == "checkpoint.pt" and first["model"]["backend"] == "torch"
    figures = [
        {name: value for name, value in row["figures"].items() if value is not None} for row in (first, second)
    ]
    assert figures[0] == pytest.approx(figures[1], abs=1e-4)
    capsys.readouterr()
    assert run(*flags, "--model", tmp_path) == 1
    assert "is no training run" in capsys.readouterr().err


def test_robustness_without_a_face_less_picture_says_so(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", data, "--model", model, "--resamples", 0, "--robustness") == 0
    said = capsys.readouterr()
    assert "needs pictures without a face" in said.err and said.err.count("\n") == 1
    assert "astronaut" in said.out and "roll" not in said.out


def test_broken_and_missing_pictures_are_named_once_and_left_out(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = data / "WIDER_val" / "images" / "drawn"
    (images / "2.jpg").write_bytes(b"no picture at all")
    (images / "5.jpg").unlink()
    labels = data / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    labels.write_text(labels.read_text() + "drawn/5.jpg\n1\n0 0 9 9 0 0 0 0 0 0\n")  # listed a second time
    assert run("--data", data, "--model", model, "--out", tmp_path / "out", "--resamples", 0) == 1
    said = capsys.readouterr()
    assert "on 7 pictures" in said.out
    assert said.err.count("2.jpg: ") == said.err.count("5.jpg: ") == 1
    assert said.err.startswith("pictures listed more than once: 1, ")
    assert said.err.splitlines()[-1] == "2 of 9 listed pictures could not be read and are not in the table"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["left_out"] == ["WIDER_val/images/drawn/2.jpg", "WIDER_val/images/drawn/5.jpg"]
    assert report["pictures"] == 7 and report["intervals"] == {}


def test_limit_takes_an_even_choice(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in (1, 2, 4, 5, 7, 8):  # what is left is every third
        (data / "WIDER_val" / "images" / "drawn" / f"{i}.jpg").unlink()
    assert run("--data", data, "--model", model, "--limit", 3, "--resamples", 0) == 0
    assert "on 3 pictures" in capsys.readouterr().out


def test_mistakes_are_one_sentence(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sentence(*flags: object) -> str:
        assert run(*flags) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "no such data folder" in sentence("--data", tmp_path / "nowhere", "--model", model)
    assert "no such model file" in sentence("--data", data, "--model", tmp_path / "no.onnx")
    assert "--limit must be a number from 1" in sentence("--data", data, "--model", model, "--limit", 0)
    assert "--resamples must be a number from 0" in sentence("--data", data, "--model", model, "--resamples", -1)
    assert "--threads must be a number from 0" in sentence("--data", data, "--model", model, "--threads", -1)
    assert "no.mp4: no such file" in sentence("--data", data, "--model", model, "--clips", tmp_path / "no.mp4")
    still = data / "WIDER_val" / "images" / "drawn" / "0.jpg"
    assert "not a video by its name" in sentence("--data", data, "--model", model, "--clips", still)
    (tmp_path / "empty.mp4").write_bytes(b"nothing")
    assert "empty.mp4" in sentence(
        "--data", data, "--model", model, "--resamples", 0, "--clips", tmp_path / "empty.mp4"
    )
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in sentence("--data", data, "--model", model, "--out", tmp_path / "file")


def test_no_readable_picture_at_all_is_an_error(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data / "WIDER_val" / "images" / "drawn").iterdir():
        path.unlink()
    assert run("--data", data, "--model", model) == 1
    assert "none of its 9 val pictures can be read" in capsys.readouterr().err


def test_out_without_matplotlib_is_refused_before_the_scoring(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith(("blazeface.evaluation.curves", "matplotlib")):
            raise ImportError("No module named 'matplotlib'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run("--data", data, "--model", model, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "pip install -e '.[train]'" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_scoring_an_onnx_file_needs_the_core_packages_alone() -> None:
    code = (
        "import sys, blazeface.cli.evaluate; print({'torch', 'matplotlib', 'albumentations'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
