"""Reports, models and figures that are there are named and stay, before anything slow begins, until --overwrite is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blazeface.cli.main import run_command

MINE = b"an earlier report"


@pytest.mark.parametrize(
    ("command", "arguments", "flag", "there"),
    [
        ("evaluate", ["--data", "nowhere", "--out", "o"], "--out", "o/report.json"),
        ("evaluate", ["--data", "nowhere", "--out", "o"], "--out", "o/misses.png"),
        ("benchmark", ["--json", "speed.json", "--picture", "nowhere"], "--json", "speed.json"),
        ("export", ["--weights", "nowhere", "--format", "onnx", "--out", "x.onnx"], "--out", "x.onnx"),
        ("export", ["--weights", "nowhere", "--format", "onnx", "--out", "x.onnx"], "--out", "x.onnx.report.json"),
        ("import", ["nowhere.tflite", "--out", "x.safetensors"], "--out", "x.safetensors"),
        ("lighten", ["nowhere.safetensors", "--rule", "separable", "--out", "o"], "--out", "o/lighten.json"),
        ("lighten", ["nowhere.safetensors", "--rule", "separable", "--out", "o"], "--out", "o/light.safetensors"),
        ("data", ["check", "nowhere", "--out", "o"], "--out", "o/check.json"),
        ("refine", ["--data", "nowhere", "--evaluate", "x.onnx", "--json", "r.json"], "--json", "r.json"),
    ],
)
def test_what_is_there_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    arguments: list[str],
    flag: str,
    there: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(there).parent.mkdir(exist_ok=True)
    Path(there).write_bytes(MINE)
    assert run_command(command, arguments, prog=command) == 1
    said = capsys.readouterr().err
    assert said == f"{command}: {flag} {there}: exists already (--overwrite replaces it)\n"
    assert Path(there).read_bytes() == MINE
    assert run_command(command, [*arguments, "--overwrite"], prog=command) == 1
    said = capsys.readouterr().err
    assert "exists already" not in said and "nowhere" in said  # it went on to what is missing here


def test_predictions_of_another_run_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from blazeface.cli.evaluate import wider
    from blazeface.evaluation.wider.protocol import WiderTruth

    (tmp_path / "o" / "event").mkdir(parents=True)
    there = tmp_path / "o" / "event" / "a.txt"
    there.write_bytes(MINE)
    truth = WiderTruth("event", "a", np.zeros((0, 4)), {})
    monkeypatch.setattr(wider, "read_truth", lambda folder: [truth])
    flags = ["--protocol", "wider", "--data", str(tmp_path), "--out", str(tmp_path / "o")]
    assert run_command("evaluate", flags, prog="evaluate") == 1
    assert f"--out {there}: exists already" in capsys.readouterr().err
    assert there.read_bytes() == MINE
    assert run_command("evaluate", [*flags, "--overwrite"], prog="evaluate") == 1
    assert "no such picture" in capsys.readouterr().err
