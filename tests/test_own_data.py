"""docs/own-data.md, command by command, on a folder of real pictures."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from benchmarks.training.fine_tune import RECIPES
from blazeface.cli.main import main

ROOT = Path(__file__).parents[1]
FACES = ROOT.parent / "shared" / "faces" / "WIDER_val" / "images" / "webfaces"
HOUSES = FACES.with_name("neg_houses")


def commands() -> list[list[str]]:
    """The lines of the page's blocks of shell."""
    text = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_page_has_the_steps() -> None:
    assert [words[:2] for words in commands()] == [
        ["blazeface", "detect"],
        ["blazeface", "data"],
        ["blazeface", "train"],
        ["blazeface", "detect"],
        ["blazeface", "export"],
    ]


def test_the_page_advises_what_was_measured() -> None:
    (words,) = (words for words in commands() if words[1] == "train")
    assert f"--init front-128 {RECIPES['advised'].text} " in " ".join(words)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a whole training, on a machine that may be busy
@pytest.mark.skipif(not FACES.is_dir(), reason="the labelled faces are not beside the repository")
def test_the_page_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(FACES.glob("*.jpg"))[:40]:
        shutil.copy(path, photos)
    (tmp_path / "ordinary").mkdir()
    for path in sorted(FACES.glob("*.jpg"))[40:44] + sorted(HOUSES.glob("*.jpg"))[:4]:
        shutil.copy(path, tmp_path / "ordinary")
    monkeypatch.chdir(tmp_path)
    said = ""
    for _, *words in commands():
        quick = ["--workers", "0", "--threads", "1", "--quiet"] if words[0] == "train" else []
        assert main(words + quick) == 0, words
        said += capsys.readouterr().out
    assert "train: coco, faces.json" in said
    assert "it holds no labels of val" in said and "train takes --val-split 0.1" in said
    # The pictures of the page are there, and what it says is written.
    names = {path.name for path in (tmp_path / "check").iterdir()}
    assert {"check.json", "sizes.png", "train.png", "batches.png"} <= names
    assert json.loads((tmp_path / "check" / "check.json").read_text())["train"]["pictures"] == 40
    assert re.search(r"^train: 36 pictures, .*faces", said, re.MULTILINE)
    assert re.search(r"^val: 4 pictures, ", said, re.MULTILINE)
    assert json.loads((tmp_path / "runs" / "mine" / "report.json").read_text())["pictures"] == 4
    # What was trained a few steps from the shipped weights finds the faces that these find.
    assert len(list((tmp_path / "found").glob("*.jpg"))) == 40
    assert (tmp_path / "mine.tflite").stat().st_size > 100_000
    assert main(["detect", "photos", "--model", "runs/mine/model.onnx", "--json", "f.jsonl", "--no-window"]) == 0
    faces = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert sum(bool(entry["faces"]) for entry in faces) >= 32


def test_the_pictures_of_the_page_are_there() -> None:
    text = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((images/[^)]+)\)", text)
    assert len(named) == 3
    assert all((ROOT / "docs" / name).is_file() for name in named)
