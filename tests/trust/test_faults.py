"""What goes wrong around the program: full disks, dead processes, NaN, clocks. Nothing good is lost, nothing hangs."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from blazeface.cli.main import run_command
from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.make import export_network
from blazeface.files import staged
from blazeface.files.pictures import write_picture
from blazeface.files.staged import staged_file
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights, save_weights
from blazeface.training.checkpoint import load_checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer
from blazeface.training.loop import Machine
from reliability.material import drawn_face, tiny_network

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "data" / "pictures" / "astronaut.png"
CONFIG = TrainConfig(epochs=6, batch=8, warmup=2)  # 24 pictures: 18 steps
QUIET = Machine(workers=0, quiet=True, evaluate_every=100, checkpoint_seconds=0.0)


def no_score(network: BlazeFace) -> dict[str, float]:
    return {}


def trainer(machine: Machine = QUIET, seed: int = 0) -> FaceTrainer:
    return FaceTrainer(tiny_network(seed), CONFIG, machine, Processes())


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes of a file (EFBIG in place of ENOSPC)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_checkpoint(path: Path, seed: int) -> None:
    save_checkpoint(trainer(seed=seed).checkpoint(9), path.parent)


def write_export(path: Path, seed: int) -> None:
    export_network(tiny_network(seed), path, "tflite", Options(batch=1), [drawn_face(np.random.default_rng(0))[0]])


def write_noise(path: Path, seed: int) -> None:
    write_picture(path, np.random.default_rng(seed).integers(0, 255, (90, 90, 3), np.uint8))


def write_records(path: Path, seed: int) -> None:
    pictures = path.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    for number in range(30):
        cv2.imwrite(str(pictures / f"{number}.png"), np.full((9, 9 + seed, 3), 50, np.uint8))
    if run_command("detect", [str(pictures), "--json", str(path), "--overwrite", "--quiet", "--no-window"]):
        raise BlazeFaceError(f"{path}: cannot be written")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("checkpoint.pt", write_checkpoint),
        ("x.safetensors", lambda path, seed: save_weights(tiny_network(seed), path)),
        ("x.tflite", write_export),
        ("x.png", write_noise),
        ("x.json", write_records),
    ],
)
def test_a_full_disk_loses_nothing_that_was_good(
    name: str, write: Callable[[Path, int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    write(path, 0)
    good, entries = path.read_bytes(), sorted(os.listdir(tmp_path))
    with no_file_larger_than(500), pytest.raises(BlazeFaceError, match=f"{name}.*(cannot|not) be? ?written"):
        write(path, 1)
    assert path.read_bytes() == good
    assert sorted(os.listdir(tmp_path)) == entries
    assert "Traceback" not in capsys.readouterr().err
    write(path, 1)
    assert path.read_bytes() != good


def test_a_full_disk_stops_training_with_its_last_checkpoint(tiny_data: Path, tmp_path: Path) -> None:
    samples = load_split(tiny_data, "train")
    run = trainer()
    enough = 200_000  # for checkpoint and logs, until something grows
    with no_file_larger_than(enough):
        assert run.train(samples, tmp_path, no_score)
    step = load_checkpoint(tmp_path).step
    again = trainer()
    with no_file_larger_than(20_000), pytest.raises(BlazeFaceError, match=r"cannot be written: .*kept"):
        again.train(samples, tmp_path, no_score)
    assert load_checkpoint(tmp_path).step == step


def test_a_full_disk_behind_standard_output(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    program = "import sys; from blazeface.cli.main import main; sys.exit(main())"
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", program, "detect", str(PORTRAIT), "--quiet", "--no-window"]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, cwd=ROOT)
    assert (run.returncode, run.stderr) == (1, "blazeface detect: [Errno 28] No space left on device\n")


def test_closed_streams(tmp_path: Path) -> None:
    program = "import sys; from blazeface.cli.main import main; sys.exit(main())"
    command = (
        f"exec {sys.executable} -c '{program}' detect {PORTRAIT} --json {tmp_path}/x.json --no-window >&- 2>&-"
    )
    assert subprocess.run(command, shell=True, timeout=60, cwd=ROOT).returncode == 0
    assert len(json.loads((tmp_path / "x.json").read_text())) == 1


def test_nan_stops_at_its_step_and_the_checkpoint_before_stays(tiny_data: Path, tmp_path: Path) -> None:
    run = trainer()
    loss = run.loss

    class Breaking(torch.nn.Module):
        def forward(self, *args: Any) -> Any:
            losses = loss(*args)
            if run.step + 1 == 5:
                losses.total = losses.total * float("nan")
            return losses

    run.loss = Breaking()  # type: ignore[assignment]
    with pytest.raises(BlazeFaceError, match=r"the loss is no longer finite at step 5: .* --resume"):
        run.train(load_split(tiny_data, "train"), tmp_path, no_score)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.step == 4
    assert all(torch.isfinite(value).all() for value in checkpoint.network.values())


def test_nan_is_dated_although_it_is_seen_later(tiny_data: Path, tmp_path: Path) -> None:
    run = trainer(Machine(workers=0, quiet=True, evaluate_every=100, checkpoint_seconds=1e9))
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(BlazeFaceError, match=r"no longer finite at step 1: .* there was no checkpoint yet"):
        run.train(load_split(tiny_data, "train"), tmp_path, no_score)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_death_of_a_worker_is_reported_and_nothing_hangs(tiny_data: Path, tmp_path: Path) -> None:
    run = FaceTrainer(
        tiny_network(0), TrainConfig(epochs=2000, batch=8, warmup=2), Machine(workers=1, quiet=True), Processes()
    )

    def kill() -> None:
        while not multiprocessing.active_children() or run.step < 2:
            time.sleep(0.01)
        pid = multiprocessing.active_children()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    start = time.monotonic()
    with pytest.raises(BlazeFaceError, match="a process that prepares crops died"):
        run.train(load_split(tiny_data, "train"), tmp_path, no_score)
    killer.join()
    assert time.monotonic() - start < 60


def test_a_fault_within_a_worker_is_one_sentence(tiny_data: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tiny_data, tmp_path / "data")
    samples = load_split(tmp_path / "data", "train")
    for sample in samples:
        sample.path.write_bytes(b"broken")
    run = trainer(Machine(workers=1, quiet=True))
    with pytest.raises(
        BlazeFaceError, match=r"^none of the 24 pictures can be read: is the data folder complete\?$"
    ):
        run.train(samples, tmp_path, no_score)


def test_a_clock_that_runs_backwards(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [2e9]

    def back() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", back)
    write_records(tmp_path / "x.json", 0)
    assert len(json.loads((tmp_path / "x.json").read_text())) == 30
    assert trainer().train(load_split(tiny_data, "train"), tmp_path, no_score)
    assert load_checkpoint(tmp_path).step == 18


def test_parts_that_a_kill_left_are_swept_when_they_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "_cleaned", set())
    for name in (".a-7-0.part.json", ".b-8.part", ".c-9-1.part.json", ".part.json", "a-7-0.part.json"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - 4000,) * 2)
    os.utime(tmp_path / ".c-9-1.part.json")  # somebody may be writing it
    with staged_file(tmp_path / "x.json") as part:
        part.write_text("{}")
    assert sorted(os.listdir(tmp_path)) == [".c-9-1.part.json", ".part.json", "a-7-0.part.json", "x.json"]


def test_threads_that_write_one_file_do_not_mix(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            with staged_file(tmp_path / "x.txt") as part, part.open("w") as file:
                for _ in range(50):
                    file.write(f"{number}\n")
                    file.flush()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "x.txt").read_text().splitlines()
    assert len(lines) == 50
    assert len(set(lines)) == 1
    assert os.listdir(tmp_path) == ["x.txt"]


def test_weights_are_whole_again_after_all_this(tmp_path: Path) -> None:
    save_weights(tiny_network(0), tmp_path / "x.safetensors")
    assert load_weights(tmp_path / "x.safetensors").spec.name == "tiny"


FLAGS: list[tuple[str, list[str], str]] = [
    ("detect", ["x.png", "--score-threshold", "nan"], "--score-threshold"),
    ("detect", ["x.png", "--score-threshold", "2"], "--score-threshold"),
    ("detect", ["x.png", "--threads", "99999999999"], "--threads"),
    ("detect", ["x.png", "--threads", "-1"], "--threads"),
    ("detect", ["x.png", "--timeout", "inf"], "--timeout"),
    ("detect", ["x.png", "--timeout", "nan"], "--timeout"),
    ("detect", ["x.png", "--backend", "abacus"], "--backend"),
    ("detect", ["x.png", "--jsn", "a.json"], "--jsn"),
    ("detect", ["x.png", "--json", "a.xml"], "--json"),
    ("evaluate", ["--data", ".", "--threads", "-1"], "--threads"),
    ("evaluate", ["--data", ".", "--threads", "999999999"], "--threads"),
    ("evaluate", ["--data", ".", "--limit", "0"], "--limit"),
    ("evaluate", ["--data", ".", "--resamples", "1000000000"], "--resamples"),
    ("evaluate", ["--data", ".", "--split", "test"], "--split"),
    ("train", ["--data", ".", "--out", "o", "--epochs", "0"], "--epochs"),
    ("train", ["--data", ".", "--out", "o", "--epochs", "1e3"], "--epochs"),
    ("train", ["--data", ".", "--out", "o", "--batch", "1000000000"], "--batch"),
    ("train", ["--data", ".", "--out", "o", "--learning-rate", "nan"], "--learning-rate"),
    ("train", ["--data", ".", "--out", "o", "--learning-rate", "-1"], "--learning-rate"),
    ("train", ["--data", ".", "--out", "o", "--ema", "nan"], "--ema"),
    ("train", ["--data", ".", "--out", "o", "--warmup", "-1"], "--warmup"),
    ("train", ["--data", ".", "--out", "o", "--seed", "99999999999"], "--seed"),
    ("train", ["--data", ".", "--out", "o", "--model", "front-129"], "--model"),
    ("train", ["--data", ".", "--out", "o", "--workers", "99999"], "--workers"),
    ("train", ["--data", ".", "--out", "o", "--threads", "1000000000"], "--threads"),
    ("train", ["--data", ".", "--out", "o", "--cache-mb", "-1"], "--cache-mb"),
    ("train", ["--data", ".", "--out", "o", "--checkpoint-minutes", "nan"], "--checkpoint-minutes"),
    ("train", ["--data", ".", "--out", "o", "--device", "abacus"], "--device"),
    ("train", ["--data", "."], "--out"),
    ("export", ["--weights", "x", "--format", "onnx", "--out", "x.tflite"], "--out"),
    ("export", ["--weights", "x", "--format", "onnx", "--out", "x.onnx", "--batch", "0"], "--batch"),
    ("export", ["--weights", "x", "--format", "onnx", "--out", "x.onnx", "--val-limit", "0"], "--val-limit"),
    ("export", ["--weights", "x", "--format", "onnx", "--out", "x.onnx", "--precision", "float8"], "--precision"),
    ("import", ["x.tflite", "--out", "x.onnx"], "--out"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "flags", "flag"), FLAGS, ids=lambda value: " ".join(value) if isinstance(value, list) else value)  # fmt: skip
def test_absurd_flags_are_refused_by_name(
    command: str,
    flags: list[str],
    flag: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = run_command(command, flags)
    except SystemExit as ended:  # argparse
        status = int(ended.code or 0)
    said = capsys.readouterr().err
    assert status in (1, 2)
    assert flag in said.strip().splitlines()[-1]
    assert os.listdir(tmp_path) == []
