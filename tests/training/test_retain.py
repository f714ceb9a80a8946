"""On pictures without labels a network goes on answering as the weights that it started from."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from small_network import small_network
from wider_material import write_data

from blazeface.cli.main import run_command
from blazeface.data.samples import load_split
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.models.weights import load_weights
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer
from blazeface.training.loop import Machine
from blazeface.training.retain import Retained, fingerprint, retain_loss, retained_pictures, seen_samples

QUICK = ["--batch", "8", "--warmup", "2", "--workers", "0", "--threads", "1", "--quiet"]
CONFIG = TrainConfig(epochs=6, batch=8, warmup=2, seed=3, learning_rate=3e-3, freeze_norm=True)


def test_the_loss_is_nothing_where_the_answers_are_the_same() -> None:
    torch.manual_seed(0)
    logits, places = torch.randn(2, 9), torch.randn(2, 9, 16)
    assert retain_loss(logits, places, logits, places).item() == pytest.approx(0, abs=1e-6)


def test_the_loss_by_hand() -> None:
    """One anchor of score .8, whose student says .5, with a box of 20 x 20 pixels and an x that is 2 pixels off."""
    expected, logits = torch.tensor([[math.log(4)]]), torch.tensor([[0.0]])
    places = torch.zeros(1, 1, 6)
    places[..., 2:4] = 20
    moved = places.clone()
    moved[..., 0] = 2
    divergence = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert retain_loss(logits, places, expected, places).item() == pytest.approx(divergence, rel=1e-5)
    # a tenth of the side, smooth L1 with beta .02: .1 - .01, the mean over 6 numbers, times the score, times 4
    with_place = divergence + 4 * 0.8 * 0.09 / 6
    assert retain_loss(logits, moved, expected, places).item() == pytest.approx(with_place, rel=1e-5)
    # Two faces share the divisor of their scores' sum.
    twice = [torch.cat([part] * 2, dim=1) for part in (logits, places, expected, places)]
    assert retain_loss(*twice).item() == pytest.approx(2 * divergence / 1.6, rel=1e-5)


def test_pictures_that_cannot_be_read_are_told(tiny_data: Path) -> None:
    def detect(image: object) -> Detections:
        return Detections(
            np.array([[1, 2, 9, 9]], np.float32), np.ones(1, np.float32), np.zeros((1, 6, 2), np.float32)
        )

    paths = [sample.path for sample in load_split(tiny_data, "train")][:2]
    said: list[str] = []
    seen = seen_samples([*paths, Path("gone.jpg")], detect, said.append)
    assert [sample.path for sample in seen] == paths
    assert seen[0].boxes.tolist() == [[1, 2, 9, 9]] and not seen[0].visibility.any() and not seen[0].ignore.any()
    assert said == ["--retain: 1 of 3 pictures cannot be read: gone.jpg: no such file or folder; left out"]
    with pytest.raises(BlazeFaceError, match="--retain: 1 of 1 pictures cannot be read: gone"):
        seen_samples([Path("gone.jpg")], detect, said.append)


def test_the_pictures_are_known_by_name_and_size(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"--retain: .*: no folder with pictures"):
        retained_pictures(tmp_path)
    (tmp_path / "b").mkdir()
    for name, size in (("b/2.JPG", 5), ("1.png", 7), ("notes.txt", 1)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = retained_pictures(tmp_path)
    assert [path.name for path in paths] == ["1.png", "2.JPG"]
    before = fingerprint(tmp_path, paths)
    assert before.startswith("2 pictures (sha256 ")
    (tmp_path / "1.png").write_bytes(bytes(8))
    assert fingerprint(tmp_path, paths) != before


def test_what_is_retained_moves_less(tiny_data: Path, tmp_path: Path) -> None:
    """The same run, with and without: on the retained pictures the answers of the first are closer to those of the start."""
    samples = load_split(tiny_data, "train")
    others = load_split(tiny_data, "val")
    moved = {}
    for kept in (True, False):
        torch.manual_seed(0)
        network, teacher = small_network(), small_network()
        teacher.load_state_dict(network.state_dict())
        retained = Retained(others, teacher) if kept else None
        run = FaceTrainer(network, CONFIG, Machine(workers=0, quiet=True), Processes(), retained)
        run.train(samples, tmp_path / str(kept), lambda _: {})
        batch = next(iter(run._loader(others, 90, 91, 64)))
        images = batch.images.float() / 127.5 - 1
        with torch.inference_mode():
            answers, expected = run.ema.network(images), teacher.eval()(images)
        moved[kept] = retain_loss(*answers, *expected).item()
    assert moved[True] < 0.5 * moved[False]


def test_a_run_that_retains_and_goes_on(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder needs no labels; a resumed run knows it, is the run in one piece, and refuses other pictures."""
    others = write_data(tmp_path / "others", train=6, val=1) / "WIDER_train"
    out, whole = tmp_path / "run", tmp_path / "whole"
    common = ["--data", str(tiny_data), "--init", "front-128", "--retain", str(others), *QUICK, "--warmup", "0"]
    assert run_command("train", [*common, "--epochs", "1", "--decay", "0", "--out", str(out)]) == 0
    assert "scores as of --init" in capsys.readouterr().out
    config = json.loads((out / "config.json").read_text())
    assert config["retain"].startswith("6 pictures (sha256 ") and config["freeze_norm"] is True
    start, ended = load_weights(out / "init.safetensors"), load_checkpoint(out)
    mean = next(name for name in ended.ema if name.endswith("running_mean"))
    assert torch.equal(ended.ema[mean], start.state_dict()[mean])
    go_on = ["--resume", str(out), "--epochs", "2", "--workers", "0", "--threads", "1", "--quiet"]
    picture = sorted(others.rglob("*.jpg"))[0]
    content = picture.read_bytes()
    picture.unlink()
    assert run_command("train", go_on) == 1
    assert re.search(
        r"--retain are not those .*: 6 pictures .* then, 5 pictures .* now; .*--accept-data",
        capsys.readouterr().err,
    )
    picture.write_bytes(content)
    assert run_command("train", go_on) == 0
    assert run_command("train", [*common, "--epochs", "2", "--decay", "0", "--out", str(whole)]) == 0
    two = load_checkpoint(out).network
    assert all(torch.equal(value, two[name]) for name, value in load_checkpoint(whole).network.items())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--retain", "x"], "--retain needs --init"),
        (
            ["--init", "front-128", "--model", "front-128", "--retain", "x"],
            "--retain and --model exclude each other",
        ),
        (["--init", "front-128", "--retain", "nowhere"], "--retain: nowhere: no folder with pictures"),
    ],
)
def test_flags_that_do_not_go_together(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert run_command("train", ["--data", str(tiny_data), "--out", str(tmp_path / "run"), *flags]) == 1
    assert words in capsys.readouterr().err
