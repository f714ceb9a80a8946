"""Faces as CSV, COCO and YOLO, to the letter."""

import csv
import dataclasses
import json
import os
from fractions import Fraction
from pathlib import Path, PurePath

import numpy as np
import pytest

from blazeface.data.formats.coco import read_coco
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.sinks.labels import YoloFolder, coco_file, csv_file, yolo_lines
from blazeface.sources.frames import Frame

BOXES = np.array([[10, 20, 30.5, 40], [-8, 30, 8, 48]], np.float32)
POINTS = np.arange(24, dtype=np.float32).reshape(2, 6, 2)
FACES = Detections(BOXES, np.array([0.9, 0.5], np.float32), POINTS, np.array([4, 2]))
PICTURE = Frame(np.zeros((48, 64, 3), np.uint8), 0, Fraction(0), "a.jpg", alone=True)
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 12, Fraction(1, 2), "source.mp4")


def test_csv(tmp_path: Path) -> None:
    with csv_file(tmp_path / "f.csv") as write:
        write(PICTURE, Detections(BOXES, FACES.scores, POINTS))
        write(PICTURE, Detections.empty())
        write(FRAME, FACES)
    rows = list(csv.reader((tmp_path / "f.csv").open()))
    assert rows[0][:11] == [
        "source",
        "index",
        "time",
        "width",
        "height",
        "track_id",
        "score",
        "x1",
        "y1",
        "x2",
        "y2",
    ]
    assert rows[0][11:13] + rows[0][-2:] == ["right_eye_x", "right_eye_y", "left_ear_x", "left_ear_y"]
    assert rows[1][:11] == ["a.jpg", "0", "0.0", "64", "48", "", "0.9", "10.0", "20.0", "30.5", "40.0"]
    assert rows[3][:7] == ["source.mp4", "12", "0.5", "64", "48", "4", "0.9"]
    assert rows[3][11:] == [f"{n}.0" for n in range(12)]
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("name", "cell"),
    [("=1+1.jpg", "./=1+1.jpg"), ("-a.jpg", "./-a.jpg"), ("@a", "./@a"), ("a=1.jpg", "a=1.jpg"), ("./=a", "./=a")],
)
def test_a_name_in_a_csv_is_no_formula(name: str, cell: str, tmp_path: Path) -> None:
    with csv_file(tmp_path / "f.csv") as write:
        write(dataclasses.replace(PICTURE, source=name), FACES)
    assert {row[0] for row in csv.reader((tmp_path / "f.csv").open())} == {"source", cell}


def test_coco(tmp_path: Path) -> None:
    with coco_file(tmp_path / "f.json") as write:
        write(PICTURE, Detections.empty())
        write(FRAME, FACES)
    data = json.loads((tmp_path / "f.json").read_text())
    assert data["images"] == [
        {"id": 0, "file_name": "a.jpg", "width": 64, "height": 48},
        {"id": 1, "file_name": "source.mp4#12", "width": 64, "height": 48},
    ]
    assert data["annotations"][0] == {
        "id": 0,
        "image_id": 1,
        "category_id": 1,
        "bbox": [10.0, 20.0, 20.5, 20.0],
        "area": 410.0,
        "iscrowd": 0,
        "keypoints": [0.0, 1.0, 2, 2.0, 3.0, 2, 4.0, 5.0, 2, 6.0, 7.0, 2, 8.0, 9.0, 2, 10.0, 11.0, 2],
        "num_keypoints": 6,
        "score": 0.9,
        "track_id": 4,
    }
    assert os.listdir(tmp_path) == ["f.json"]


def test_coco_can_be_read_as_labels_to_train_on(tmp_path: Path) -> None:
    with coco_file(tmp_path / "f.json") as write:
        write(PICTURE, Detections(BOXES[:1], FACES.scores[:1], POINTS[:1]))
    (listed,) = read_coco(tmp_path / "f.json")
    (face,) = listed.faces
    assert listed.name == "a.jpg"
    assert list(face.box) == [10, 20, 30.5, 40]


def test_yolo(tmp_path: Path) -> None:
    record = YoloFolder(tmp_path / "labels", {"a.jpg": PurePath("in/a"), "source.mp4": PurePath("source")})
    record(PICTURE, Detections.empty())
    record(FRAME, FACES)
    assert (tmp_path / "labels/in/a.txt").read_text() == ""
    assert (tmp_path / "labels/source-000012.txt").read_text() == (
        "0 0.316406 0.625000 0.320312 0.416667\n"  # (10 + 30.5) / 2 / 64, (20 + 40) / 2 / 48 ...
        "0 0.062500 0.812500 0.125000 0.375000\n"  # cut at the left edge
    )


def test_yolo_leaves_out_what_lies_outside() -> None:
    assert yolo_lines(np.array([[70, 0, 90, 20]], np.float32), 64, 48) == []


@pytest.mark.parametrize("opener", [csv_file, coco_file])
def test_an_exception_leaves_no_file(tmp_path: Path, opener: object) -> None:
    with pytest.raises(RuntimeError), opener(tmp_path / "f.json") as write:  # type: ignore[operator]
        write(FRAME, FACES)
        raise RuntimeError
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("opener", [csv_file, coco_file])
def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: object) -> None:
    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: real_open(Path("/dev/full"), *a, **k))
    with (
        pytest.raises(BlazeFaceError, match=r"f\.json: cannot be written: No space left"),
        opener(tmp_path / "f.json") as write,  # type: ignore[operator]
    ):
        for _ in range(1000):
            write(FRAME, FACES)
