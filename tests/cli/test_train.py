"""`train.py` from the outside: files, refusals, Ctrl-C and resuming."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from wider_material import write_data

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.cli.main import run_command
from blazeface.models.network import build
from blazeface.models.weights import load_weights, save_weights
from blazeface.training import finish, preflight
from blazeface.training.checkpoint import load_checkpoint, save_checkpoint
from blazeface.training.log import read_rows

ROOT = Path(__file__).parents[2]
QUICK = ["--batch", "8", "--warmup", "2", "--workers", "0", "--threads", "1", "--quiet"]


def test_a_run_leaves_weights_export_report_and_logs(tiny_data: Path, finished_run: Path) -> None:
    out = finished_run
    names = {path.name for path in out.iterdir()}
    assert {"model.safetensors", "model.onnx", "report.json", "checkpoint.pt", "config.json"} <= names
    assert {"log.csv", "evaluations.csv", "curves.png", "tensorboard"} <= names
    assert not [name for name in names if ".part" in name]
    assert load_weights(out / "model.safetensors").spec.name == "front-128"
    assert OnnxBackend(out / "model.onnx", 1).spec.name == "front-128"
    # What is shipped are the averaged weights, not those of the last step.
    checkpoint, shipped = load_checkpoint(out), load_weights(out / "model.safetensors").state_dict()
    assert all(torch.equal(value, shipped[name]) for name, value in checkpoint.ema.items())
    assert not torch.equal(checkpoint.network["stem.0.weight"], shipped["stem.0.weight"])
    report = json.loads((out / "report.json").read_text())
    assert report["pictures"] == 8
    assert set(report["figures"]) >= {"AP >=.1", "AP .05-.1"}

    # The same folder again would overwrite the run.
    assert run_command("train", ["--data", str(tiny_data), "--out", str(out), "--epochs", "2", *QUICK]) == 1


def test_fine_tuning_starts_from_given_weights(tiny_data: Path, finished_run: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    network = load_weights(finished_run / "model.safetensors")
    network.spec = dataclasses.replace(network.spec, resampling="corner")  # as imported networks have it
    init = str(tmp_path / "init.safetensors")
    save_weights(network, Path(init))
    flags = ["--init", init, "--freeze", "--epochs", "1", *QUICK]
    assert run_command("train", ["--data", str(tiny_data), "--out", str(second), *flags]) == 0
    before, after = load_weights(Path(init)), load_weights(second / "model.safetensors")
    assert after.spec.resampling == "supersample"  # as the crops it learnt from
    stem = before.state_dict()["stem.0.weight"]
    assert (stem == after.state_dict()["stem.0.weight"]).all()
    head = "score_heads.0.weight"
    assert (before.state_dict()[head] != after.state_dict()[head]).any()


def test_a_shipped_model_is_started_from_by_its_name(tiny_data: Path, tmp_path: Path) -> None:
    flags = [
        "--data",
        str(tiny_data),
        "--out",
        str(tmp_path / "run"),
        "--init",
        "front-128",
        "--freeze",
        "--epochs",
        "1",
    ]
    assert run_command("train", [*flags, *QUICK]) == 0
    shipped = load_weights(ROOT / "blazeface" / "weights" / "front-128.safetensors").state_dict()
    after = load_weights(tmp_path / "run" / "model.safetensors").state_dict()
    assert torch.equal(shipped["stem.0.weight"], after["stem.0.weight"])


def test_ctrl_c_leaves_a_checkpoint_and_resume_finishes(tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["--data", str(tiny_data), "--epochs", "200", *QUICK]
    command = [sys.executable, str(ROOT / "train.py"), *flags, "--out", str(out), "--evaluate-every", "1000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not (out / "log.csv").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "go on with --resume" in error
    assert "Traceback" not in error
    assert (out / "checkpoint.pt").exists()
    assert not (out / "model.safetensors").exists()
    assert len(read_rows(out / "log.csv")) >= 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "0"], "--epochs must be a whole number from 1"),
        (["--batch", "-3"], "--batch must be a whole number from 1"),
        (["--learning-rate", "nan"], "--learning-rate must lie in"),
        (["--model", "front-129"], "unknown model 'front-129'"),
        (["--threads", "-1"], "--threads must be a number from 0"),
        (["--freeze"], "--freeze needs --init"),
        (["--init-share", "0.5"], "--init-share needs --init"),
        (
            ["--init", "front-128", "--model", "front-128", "--init-share", "0.5"],
            "--init-share and --model exclude",
        ),
        (["--init-share", "1.5", "--init", "front-128"], "--init-share must lie in [0, 1)"),
        (["--init", "front-129"], "front-129: no such model file, and no shipped model has that name"),
        (["--init", "missing.safetensors"], "missing.safetensors: no such weights file"),
        (["--resume", "nowhere"], "nowhere holds no checkpoint.pt"),
    ],
)
def test_absurd_flags_are_refused_by_name(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    out = tmp_path / "run"
    assert run_command("train", ["--data", str(tiny_data), "--out", str(out), *flags]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (out / "checkpoint.pt").exists()


def test_a_missing_data_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere"
    assert run_command("train", ["--data", str(missing), "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err.endswith(f"{missing}: no such data folder\n")


def test_a_resumed_run_keeps_its_recipe(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flag, value, words in (
        ("--seed", "7", "--seed 7 differs from 0"),
        ("--batch", "4", "--batch 4 differs from 8"),
    ):
        assert run_command("train", ["--resume", str(finished_run), flag, value, "--workers", "0", "--quiet"]) == 1
        assert f"{words} of the run" in capsys.readouterr().err


def test_fine_tuning_a_shipped_model_and_going_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, with figures before and after, the note of where the weights come from; then more epochs, without --data."""
    data, out = write_data(tmp_path / "data"), tmp_path / "run"
    flags = ["--init", "front-128", "--init-share", "0.5", "--licence", "CC0", "--epochs", "1", *QUICK]
    assert run_command("train", ["--data", str(data), "--out", str(out), *flags]) == 0
    assert "before (front-128 (sha256 " in capsys.readouterr().out
    config = json.loads((out / "config.json").read_text())
    assert config["init"].startswith("front-128 (sha256 ")
    assert (config["learning_rate"], config["warmup"], config["freeze_norm"]) == (3e-4, 2, False)
    report = json.loads((out / "report.json").read_text())
    assert report["before"]["init"] == config["init"]
    assert report["before"]["figures"].keys() == report["figures"].keys()
    model, start = load_weights(out / "model.safetensors"), load_weights(out / "init.safetensors")
    assert model.origin.licence == "CC0" and config["init"] in model.origin.origin
    assert "24 pictures with 24 faces" in model.origin.training_data
    tuned = load_checkpoint(out).ema["stem.0.weight"]
    half = (start.state_dict()["stem.0.weight"] + tuned) / 2
    assert torch.allclose(model.state_dict()["stem.0.weight"], half, atol=1e-6)

    # Other data is refused with the choice, fewer epochs are another recipe, more lengthen the run.
    go_on = ["--resume", str(out), "--workers", "0", "--threads", "1", "--quiet"]
    other = write_data(tmp_path / "other", train=20)
    assert run_command("train", ["--data", str(other), *go_on]) == 1
    error = capsys.readouterr().err
    assert "24 pictures with 24 faces then, 20 pictures with 20 faces now" in error and "--accept-data" in error
    assert load_checkpoint(out).ended
    assert run_command("train", [*go_on, "--epochs", "2"]) == 0
    said = capsys.readouterr().err
    assert re.search(
        r"--epochs: 2 in place of 1; the learning rate goes from 3e-06 to [\d.e-]+, as in a run of 2", said
    )
    assert [row["step"] for row in read_rows(out / "evaluations.csv")] == [3, 6]
    assert run_command("train", [*go_on, "--epochs", "1"]) == 1
    assert "--epochs 1 differs from 2 of the run" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files(tmp_path: Path, tiny_data: Path) -> None:
    digests = set()
    for name in ("one", "other"):
        flags = ["--data", str(tiny_data), "--epochs", "1", "--evaluate-every", "9", *QUICK]
        assert run_command("train", [*flags, "--out", str(tmp_path / name)]) == 0
        digests.add(tuple((tmp_path / name / file).read_bytes() for file in ("model.safetensors", "model.onnx")))
    assert len(digests) == 1


def test_the_network_of_init_tells_what_is_trained(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its input's size in what is said of the data, its name in config.json; and a run that an earlier version began,
    which kept the name of the default model, goes on under the right one."""
    network = build("tiny-96")
    network.spec = dataclasses.replace(network.spec, name="mine")
    init, out = tmp_path / "init.safetensors", tmp_path / "run"
    save_weights(network, init)
    flags = ["--data", str(tiny_data), "--epochs", "1", "--init", str(init), "--out", str(out), *QUICK]
    assert run_command("train", flags) == 0
    assert capsys.readouterr().out.count("where the whole picture fills the input of 96 px") == 2
    assert json.loads((out / "config.json").read_text())["model"] == "mine"
    assert OnnxBackend(out / "model.onnx", 1).spec.name == "mine"
    before = load_checkpoint(out)
    assert before.config.model == "mine"
    before.config = dataclasses.replace(before.config, model="front-128")
    save_checkpoint(before, out)
    go_on = ["--resume", str(out), "--epochs", "2", "--workers", "0", "--threads", "1", "--quiet"]
    assert run_command("train", [*go_on, "--model", "front-128"]) == 1
    assert "--model front-128 differs from mine of the run" in capsys.readouterr().err
    assert run_command("train", go_on) == 0
    assert capsys.readouterr().out.count("fills the input of 96 px") == 2
    assert json.loads((out / "config.json").read_text())["model"] == "mine"


@pytest.mark.parametrize("phase", ["calibrate", "make_report"])
def test_ctrl_c_when_the_training_is_over(
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
) -> None:
    """Nothing is lost: resuming writes what the run ends with, without a step more."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(finish, phase, interrupted)
        assert run_command("train", ["--data", str(tiny_data), "--out", str(out), "--epochs", "1", *QUICK]) == 130
    assert f"interrupted when the training was over; --resume {out}" in capsys.readouterr().err
    before = (out / "checkpoint.pt").read_bytes()
    assert not (out / "model.onnx").exists() and not list(out.rglob("*.part*"))
    assert run_command("train", ["--resume", str(out), "--workers", "0", "--threads", "1", "--quiet"]) == 0
    assert {"model.safetensors", "model.onnx", "report.json"} <= {path.name for path in out.iterdir()}
    assert (out / "checkpoint.pt").read_bytes() == before


def test_ctrl_c_before_the_first_step_leaves_no_folder(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(preflight, "short_form", interrupted)
    assert run_command("train", ["--data", str(tiny_data), "--out", str(tmp_path / "run"), *QUICK]) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
    assert not (tmp_path / "run").exists()
