"""Checkpoints are whole or refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from blazeface.errors import BlazeFaceError
from blazeface.models.network import build
from blazeface.training import checkpoint
from blazeface.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer
from blazeface.training.loop import Machine


def make_checkpoint() -> Checkpoint:
    return FaceTrainer(build("front-128"), TrainConfig(), Machine(), Processes()).checkpoint(100)


def test_round_trip(tmp_path: Path) -> None:
    saved = make_checkpoint()
    save_checkpoint(saved, tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert loaded.config == saved.config
    assert (loaded.step, loaded.total) == (0, 100)
    assert all(torch.equal(value, loaded.ema[name]) for name, value in saved.ema.items())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_failed_write_leaves_the_good_one_and_says_why(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # POSIX
    save_checkpoint(make_checkpoint(), tmp_path)
    good = (tmp_path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (100_000, limits[1])
        )  # what no longer fits on a disk that is full
        with pytest.raises(
            BlazeFaceError, match=r"checkpoint\.pt: cannot be written: File too large; the checkpoint before it"
        ):
            save_checkpoint(make_checkpoint(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoint.pt").read_bytes() == good
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("weights", ["network", "ema"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_written_nor_read(
    weights: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(make_checkpoint(), tmp_path)
    good = (tmp_path / "checkpoint.pt").read_bytes()
    broken = make_checkpoint()
    getattr(broken, weights)["stem.0.weight"][3, 2, 1, 0] = value
    with pytest.raises(BlazeFaceError, match=r"not written: stem\.0\.weight is no longer finite at step 0"):
        save_checkpoint(broken, tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == good
    monkeypatch.setattr(checkpoint, "write_state", lambda data, _, path: torch.save(data, path))
    save_checkpoint(broken, tmp_path)  # as a program without that check would
    with pytest.raises(BlazeFaceError, match=r"checkpoint\.pt: not a readable checkpoint: .*finite"):
        load_checkpoint(tmp_path)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run!",))


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 broken zip", pickle.dumps(Malice())])
def test_damaged_and_hostile_files_are_refused_by_name(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(BlazeFaceError, match=r"checkpoint\.pt: not a readable checkpoint"):
        load_checkpoint(tmp_path)
    assert "run!" not in capfd.readouterr().out


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    save_checkpoint(make_checkpoint(), tmp_path)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(BlazeFaceError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path)


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"--resume: .* holds no checkpoint"):
        load_checkpoint(tmp_path)
