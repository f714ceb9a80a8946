"""From a data folder to samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError

FACES = Path(__file__).parents[2].parent / "shared" / "faces"


def lay_out(root: Path) -> Path:
    (root / "wider_face_split").mkdir(parents=True)
    text = "0--Parade/1.jpg\n1\n1 2 3 4 0 0 0 0 0 0\nplain.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
    (root / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text(text)
    return root


def test_from_the_text(tmp_path: Path) -> None:
    first, second = load_split(lay_out(tmp_path), "train")
    assert first.path == tmp_path / "WIDER_train" / "images" / "0--Parade" / "1.jpg"
    assert (first.source, second.source) == ("0--Parade", "")
    assert first.boxes.tolist() == [[1, 2, 4, 6]]
    assert first.boxes.dtype == np.float32
    assert second.boxes.shape == (0, 4)
    assert second.keypoints.shape == (0, 6, 2)


def test_keypoints_are_preferred_to_the_text(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "keypoints").mkdir()
    content = {"images": [{"id": 1, "file_name": "x/9.jpg"}], "annotations": []}
    (tmp_path / "keypoints" / "train.json").write_text(json.dumps(content))
    assert [sample.source for sample in load_split(tmp_path, "train")] == ["x"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="no such data folder"):
        load_split(tmp_path / "nowhere", "train")
    with pytest.raises(
        BlazeFaceError,
        match=r"it holds no labels of val in a known format \(wider, retinaface, coco, yolo, voc, csv",
    ):
        load_split(lay_out(tmp_path), "val")
    with pytest.raises(BlazeFaceError, match="unknown split 'test': choose one of train, val"):
        load_split(tmp_path, "test")
    (tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text("\n")
    with pytest.raises(BlazeFaceError, match="it lists no picture"):
        load_split(tmp_path, "val")


@pytest.mark.skipif(not FACES.is_dir(), reason="the labelled faces are not beside the repository")
@pytest.mark.parametrize(
    ("split", "pictures", "boxes", "ignored"), [("train", 12_091, 39_986, 17_461), ("val", 2_810, 11_451, 3_851)]
)
def test_the_real_data(split: str, pictures: int, boxes: int, ignored: int) -> None:
    samples = load_split(FACES, split)
    assert len(samples) == pictures
    assert sum(len(sample.boxes) for sample in samples) == boxes
    assert sum(int(sample.ignore.sum()) for sample in samples) == ignored
