"""What is refused before a run begins, each in one sentence, and the share of train that becomes val."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from wider_material import write_data

from blazeface.cli.main import run_command
from blazeface.cli.train import add_arguments
from blazeface.data.samples import load_split, split_off
from blazeface.errors import BlazeFaceError
from blazeface.files.heif import NO_HEIC
from blazeface.training import preflight
from blazeface.training.preflight import LOCK, claimed, load_data, require_batch, require_packages
from blazeface.training.runs.data_flags import keep_data_flags, restore_data_flags

ROOT = Path(__file__).parents[2]
QUICK = ["--epochs", "1", "--batch", "8", "--warmup", "2", "--workers", "0", "--threads", "1", "--quiet"]


def silent(_: str) -> None:
    pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", train=10, val=3)


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """What the command says when it refuses, which is one line and nothing on the way to it."""
    assert run_command("train", [*flags, *QUICK]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err


def test_val_whose_pictures_are_missing(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(data / "WIDER_val")
    said = refusal(capsys, "--data", str(data), "--out", str(tmp_path / "run"))
    assert f"{data}: none of the 3 pictures of val is there, {data}/WIDER_val/images/drawn/0.jpg for one" in said
    assert not (tmp_path / "run").exists()


def test_no_val_names_the_flag_that_makes_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "wider_face_split" / "wider_face_val_bbx_gt.txt").unlink()
    assert "--val-split 0.1 scores on a tenth" in refusal(
        capsys, "--data", str(data), "--out", str(tmp_path / "o")
    )


def test_no_face_at_all(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text("".join(f"drawn/{i}.jpg\n1\n0 0 9 9 0 0 0 1 0 0\n" for i in range(10)))
    said = refusal(capsys, "--data", str(data), "--out", str(tmp_path / "o"))
    assert "no face is labelled in the 10 pictures of train" in said


def test_missing_pictures_are_drawn_around_from_the_start(data: Path) -> None:
    for i in range(9):
        (data / "WIDER_train" / "images" / "drawn" / f"{i}.jpg").unlink()
    said: list[str] = []
    train, val = load_data(data, None, said.append)
    assert [sample.path.name for sample in train] == ["9.jpg"]
    assert len(val) == 3
    (sentence,) = said
    assert sentence.startswith("9 of 10 pictures of train are missing, ") and sentence.endswith("left out")
    assert "drawn/0.jpg" in sentence


def test_heic_that_nothing_reads_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some pictures of a phone are left out; where all are, the run is refused with what to install."""
    monkeypatch.setattr(preflight, "heic_library", lambda: None)
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    images = data / "WIDER_train" / "images" / "drawn"
    for count in (4, 10):
        for i in range(count):
            (images / f"{i}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
        names = [f"{i}.heic" if i < count else f"{i}.jpg" for i in range(10)]
        labels.write_text("".join(f"drawn/{name}\n1\n20 20 60 60 0 0 0 0 0 0\n" for name in names))
        said: list[str] = []
        sentence = f"{count} of 10 pictures of train: {NO_HEIC}"
        if count < 10:
            train, _ = load_data(data, None, said.append)
            assert len(train) == 6 and len(said) == 1
            assert said[0].startswith(sentence) and said[0].endswith("left out")
        else:
            assert sentence in refusal(capsys, "--data", str(data), "--out", str(tmp_path / "o"))


def test_pictures_none_of_which_can_be_read(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data / "WIDER_train").rglob("*.jpg"):
        path.write_bytes(b"broken")
    said = refusal(capsys, "--data", str(data), "--out", str(tmp_path / "o"))
    assert "none of 10 pictures of train that were tried can be read: " in said and "0.jpg: not a picture" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--data", str(data), "--out", str(tmp_path / "o"), "--device", "cuda")
    assert "--device cuda: " in said and "--device cpu works everywhere" in said


@pytest.mark.parametrize("name", ["onnxslim", "scipy", "tensorboard", "torch"])
def test_a_missing_package_is_named_before_anything_is_read(name: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{name!r}] = None\nfrom blazeface.cli.main import run_command\n"
        f"sys.exit(run_command('train', ['--data', 'nowhere', '--out', {str(tmp_path / 'o')!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert f"{name} is not installed: run pip install -e '.[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "o").exists()


def test_several_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("scipy", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BlazeFaceError, match="and onnx and scipy are not installed"):
        require_packages()


def test_a_batch_smaller_than_the_processes() -> None:
    with pytest.raises(
        BlazeFaceError, match="--batch 1: 2 processes share the crops of a step, so it takes at least 2"
    ):
        require_batch(1, 2)
    require_batch(2, 2)


def test_a_folder_in_use_is_refused(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    with claimed(out, None):
        said = refusal(capsys, "--data", str(data), "--out", str(out))
        assert f"--out: another process trains into {out} now" in said
        assert (out / LOCK).exists()
    assert not out.exists()  # nothing was left in it


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
import os, signal
from blazeface.training.preflight import claimed
with claimed(Path({str(tmp_path)!r}), None):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert (tmp_path / LOCK).exists()
    with claimed(tmp_path, None):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("left", ["checkpoint.pt", "model.safetensors", "log.csv"])
def test_a_folder_of_another_run_is_refused(tmp_path: Path, left: str) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run, other):
        folder.mkdir()
        (folder / left).touch()
    for resumed in (None, other):
        with (
            pytest.raises(BlazeFaceError, match=f"{run} holds a run already; go on with --resume"),
            claimed(run, resumed),
        ):
            pass
    with claimed(run, tmp_path / "." / "run"):
        pass


def test_val_split_is_the_same_again_and_by_picture(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=40, val=1)
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text(labels.read_text() + "drawn/3.jpg\n1\n1 2 30 40\n" * 3)
    samples = load_split(data, "train")
    train, val = split_off(samples, 0.1)
    assert len({sample.path for sample in val}) == 4
    assert not {sample.path for sample in train} & {sample.path for sample in val}
    assert len(train) + len(val) == len(samples) == 40  # a picture that is listed four times is one
    # The same pictures elsewhere, in another order, and with one more.
    moved = write_data(tmp_path / "moved", train=41, val=1)
    again = split_off(load_split(moved, "train")[::-1], 0.1)[1]
    before, after = {sample.path.name for sample in val}, {sample.path.name for sample in again}
    assert len(before - after) <= 1


def test_val_split_has_one_picture_at_least_and_leaves_one(tmp_path: Path) -> None:
    samples = load_split(write_data(tmp_path / "data", train=3, val=1), "train")
    for share, count in ((0.01, 1), (0.5, 2), (0.99, 2)):
        assert len(split_off(samples, share)[1]) == count
    with pytest.raises(BlazeFaceError, match="--val-split: 1 picture cannot be shared out"):
        split_off(samples[:1], 0.5)


def test_going_on_reads_the_labels_as_before(tmp_path: Path) -> None:
    """The format, the categories and the share of val are the run's, unless they are said again."""
    flags = [
        "--data",
        str(tmp_path),
        "--format",
        "coco",
        "--category",
        "mask",
        "--category",
        "hat",
        "--val-split",
        "0.2",
    ]
    keep_data_flags(parsed(flags), tmp_path)
    for again, categories in (([], ["mask", "hat"]), (["--category", "face"], ["face"])):
        args = parsed(["--resume", str(tmp_path), *again])
        restore_data_flags(args)
        assert (args.data, args.format, args.category, args.val_split) == (tmp_path, "coco", categories, 0.2)


def parsed(flags: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(flags)


def test_a_run_with_val_split(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(data / "WIDER_val")
    (data / "wider_face_split" / "wider_face_val_bbx_gt.txt").unlink()
    out = tmp_path / "run"
    assert run_command("train", ["--data", str(data), "--out", str(out), "--val-split", "0.2", *QUICK]) == 0
    assert (out / "model.safetensors").is_file()
    assert not (out / LOCK).exists()
    assert '"pictures": 2' in (out / "report.json").read_text()
    capsys.readouterr()
    assert "must lie between 0 and 1" in refusal(
        capsys, "--data", str(data), "--out", str(out), "--val-split", "1"
    )
