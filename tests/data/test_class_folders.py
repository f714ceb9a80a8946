"""Folders of pictures as classes: splits, mistakes, broken pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.data import class_folders
from blazeface.data.class_folders import find_classes, load_pictures
from blazeface.errors import BlazeFaceError


def write(path: Path, blue: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((6, 12, 3), (blue, 10, 20), np.uint8))


def test_splits_by_folder(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/cat/2.PNG", "train/dog/1.png", "val/dog/7.png"):
        write(tmp_path / name)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "train" / ".hidden").mkdir()
    names, found = find_classes(tmp_path)
    assert names == ("cat", "dog")
    shown = {split: [(path.relative_to(tmp_path).as_posix(), n) for path, n in found[split]] for split in found}
    assert shown == {
        "train": [("train/cat/1.png", 0), ("train/cat/2.PNG", 0), ("train/dog/1.png", 1)],
        "val": [("val/dog/7.png", 1)],
    }


def test_every_fifth_is_held_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for index in range(11):
            write(tmp_path / name / f"{index:02d}.png")
    names, found = find_classes(tmp_path)
    assert names == ("a", "b") and len(found["train"]) == 18
    assert [(path.name, n) for path, n in found["val"]] == [
        ("04.png", 0),
        ("09.png", 0),
        ("04.png", 1),
        ("09.png", 1),
    ]


def test_pictures_are_letterboxed_and_broken_ones_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "1.png", blue=200)
    (tmp_path / "2.png").write_bytes(b"none")
    found = load_pictures([(tmp_path / "1.png", 1), (tmp_path / "2.png", 0)], 32)
    assert found.images.shape == (1, 32, 32, 3) and found.classes.tolist() == [1]
    assert (found.images[0, 8:24] == (200, 10, 20)).all() and not found.images[0, :8].any()
    assert capsys.readouterr().err.endswith("2.png: not a picture, or a damaged one; left out\n")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "a folder a class is needed"),
        (["train/a/1.png", "val/a/1.png"], "two classes or more"),
        (["train/a/1.png", "train/b/1.png", "val/c/1.png"], "c: there is no such class in train"),
        (["train/a/1.png", "train/b/x.txt", "val/a/1.png"], "b: there is no picture to train on"),
        (["a/1.png", "b/1.png"], "there is no picture for validation"),
    ],
)
def test_mistakes(files: list[str], sentence: str, tmp_path: Path) -> None:
    for name in files:
        write(tmp_path / name) if name.endswith("png") else (tmp_path / name).parent.mkdir(parents=True)
    with pytest.raises(BlazeFaceError, match=sentence):
        find_classes(tmp_path)


def test_what_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BlazeFaceError, match="no such folder"):
        find_classes(tmp_path / "none")
    monkeypatch.setattr(class_folders, "MAX_BYTES", 32 * 32 * 3)
    write(tmp_path / "1.png")
    assert len(load_pictures([(tmp_path / "1.png", 0)], 32)) == 1
    with pytest.raises(BlazeFaceError, match=r"2 pictures of 32 x 32 take .* more than"):
        load_pictures([(tmp_path / "1.png", 0)] * 2, 32)
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(BlazeFaceError, match="no picture that can be read"):
        load_pictures([(tmp_path / "1.png", 0)], 32)
