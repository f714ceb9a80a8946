"""Detections: validated, sliceable, JSON-ready."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from blazeface.detections import Detections, Face
from blazeface.detections.draw import draw_faces
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture, write_picture
from blazeface.geometry import Image


def make(count: int = 3) -> Detections:
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4) / np.float32(3)
    scores = np.linspace(0.9, 0.5, count).astype(np.float32)
    return Detections(boxes, scores, np.ones((count, 6, 2), np.float32))


def test_empty() -> None:
    empty = Detections.empty()
    assert len(empty) == 0
    assert empty.boxes.shape == (0, 4)
    assert empty.keypoints.shape == (0, 6, 2)
    assert empty.to_dict() == []


def test_parts_keep_all_fields_together() -> None:
    faces = Detections(*vars(make()).values())
    named = Detections(faces.boxes, faces.scores, faces.keypoints, np.array([7, 8, 9]))
    ids = named[1:].track_ids
    assert ids is not None and ids.tolist() == [8, 9]
    assert faces[faces.scores > 0.6].boxes.tolist() == faces.boxes[:2].tolist()
    assert len(faces[[0, 2]]) == 2


def test_to_dict_literal() -> None:
    faces = make(1)
    assert faces.to_dict() == [{"box": [0.0, 0.33, 0.67, 1.0], "score": 0.9, "keypoints": [[1.0, 1.0]] * 6}]
    json.dumps(faces.to_dict())


def test_coordinates_are_rounded_to_two_digits_and_scores_to_four() -> None:
    box, points = np.full((1, 4), 1.23456, np.float32), np.full((1, 1, 2), 6.54321, np.float32)
    (face,) = Detections(box, np.array([0.123456], np.float32), points).to_dict()
    assert face == {"box": [1.23] * 4, "score": 0.1235, "keypoints": [[6.54, 6.54]]}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("boxes", np.zeros((2, 4), np.float32), "boxes must have shape"),
        ("boxes", np.zeros((3, 4), np.float64), "boxes must be float32"),
        ("boxes", np.full((3, 4), np.nan, np.float32), "boxes must be finite"),
        ("scores", np.array([0.5, 0.6, 0.4], np.float32), "scores must lie in"),
        ("scores", np.array([1.5, 0.6, 0.4], np.float32), "scores must lie in"),
        ("keypoints", np.zeros((3, 6, 3), np.float32), "keypoints must have shape"),
        ("track_ids", np.zeros(2, np.int64), "track_ids must have shape"),
    ],
)
def test_disagreeing_fields_are_refused(field: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Detections(**{**vars(make()), field: value})


def test_a_sequence_of_faces() -> None:
    faces = make(3)
    assert [face.score for face in faces] == faces.scores.tolist()
    first = faces[0]
    assert isinstance(first, Face)
    assert (first.box.tolist(), first.keypoints.shape, first.track_id) == (faces.boxes[0].tolist(), (6, 2), None)
    assert faces[-1] == faces[2] == faces[np.int64(2)]
    assert faces[0] != faces[1]
    assert isinstance(faces[:1], Detections)
    assert list(reversed(faces)) == [faces[2], faces[1], faces[0]]
    assert first in faces
    with pytest.raises(IndexError):
        faces[3]
    named = Detections(faces.boxes, faces.scores, faces.keypoints, np.array([7, 8, 9]))
    assert named[1].track_id == 8
    assert named[1] != faces[1]


def test_equal_when_all_values_are() -> None:
    faces = make(2)
    assert faces == make(2)
    assert faces != make(3)
    assert faces != Detections(faces.boxes, faces.scores, faces.keypoints + 1)
    assert faces != Detections(faces.boxes, faces.scores, faces.keypoints, np.array([1, 2]))
    assert faces != "faces"
    with pytest.raises(TypeError, match="unhashable"):
        hash(faces)


def test_pickled_and_copied() -> None:
    faces = make(2)
    assert pickle.loads(pickle.dumps(faces)) == faces
    assert copy.deepcopy(faces) == faces
    assert pickle.loads(pickle.dumps(faces[0])) == faces[0]


def test_what_is_shown() -> None:
    box = np.array([[10, 20, 30.4, 50]], np.float32)
    one = Detections(box, np.array([0.987], np.float32), np.zeros((1, 6, 2), np.float32), np.array([4]))
    assert repr(one) == "Detections(1 face: #4 0.99 at (10, 20), 20 x 30)"
    assert repr(one[0]) == "Face(#4 0.99 at (10, 20), 20 x 30)"
    assert repr(Detections.empty()) == "Detections(0 faces)"
    assert repr(make(4)).endswith("; ...)")
    table = one._repr_html_()
    assert table.startswith("<table><caption>1 face</caption><tr><th></th><th>track</th><th>score</th>")
    assert "<td>0</td><td>4</td><td>0.987</td><td>10.0</td><td>20.0</td><td>30.4</td>" in table


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def located(*box: float) -> Detections:
    return Detections(np.array([box], np.float32), np.ones(1, np.float32), np.full((1, 6, 2), 9, np.float32))


def test_crops_are_whole_pixels_of_the_picture(picture: Image) -> None:
    (crop,) = located(10.5, 5, 20, 25).crop(picture)
    np.testing.assert_array_equal(crop, picture[5:25, 10:20])
    crop[:] = 0
    assert picture[5:25, 10:20].any()  # a copy
    (wide,) = located(10, 5, 20, 25).crop(picture, margin=0.5)
    np.testing.assert_array_equal(wide, picture[0:35, 5:25])
    (outside,) = located(-30, 100, -10, 120).crop(picture)
    assert outside.shape == (1, 1, 3)
    np.testing.assert_array_equal(located(10, 5, 20, 25)[0].crop(picture, 0.5), wide)
    with pytest.raises(BlazeFaceError, match="margin must be a number from 0 to 100"):
        located(1, 1, 2, 2).crop(picture, -1)


def test_crops_keep_the_order_of_colours(picture: Image, tmp_path: Path) -> None:
    faces = located(10, 5, 20, 25)
    rgb = np.ascontiguousarray(picture[:, :, ::-1])
    np.testing.assert_array_equal(faces.crop(rgb, rgb=True)[0], rgb[5:25, 10:20])
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(faces.crop(tmp_path / "a.png")[0], picture[5:25, 10:20])
    np.testing.assert_array_equal(faces.crop(tmp_path / "a.png", rgb=True)[0], rgb[5:25, 10:20])


def test_plotting_draws_into_a_copy(picture: Image) -> None:
    faces, before = located(10, 5, 30, 25), picture.copy()
    drawn = faces.plot(picture)
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(drawn, draw_faces(picture, faces))
    assert (drawn != picture).any()
    in_rgb = faces.plot(np.ascontiguousarray(picture[:, :, ::-1]), rgb=True)
    np.testing.assert_array_equal(in_rgb[:, :, ::-1], drawn)


def test_saving(picture: Image, tmp_path: Path) -> None:
    faces = located(10, 5, 30, 25)
    faces.save(tmp_path / "found.png", picture)
    np.testing.assert_array_equal(read_picture(str(tmp_path / "found.png")), faces.plot(picture))
    faces.save(str(tmp_path / "found.json"))
    assert json.loads((tmp_path / "found.json").read_text()) == faces.to_dict()
    before = (tmp_path / "found.png").read_bytes()
    for path, image, words in (
        ("found.png", tmp_path / "found.png", "is the picture itself"),
        ("found.txt", picture, "cannot be written as .txt"),
        ("found.png", picture, r"exists already \(overwrite=True replaces it\)"),
        ("found.json", None, "exists already"),
        ("new.png", None, "name the picture to draw the faces into"),
        ("nowhere/found.png", picture, "nowhere"),
    ):
        with pytest.raises(BlazeFaceError, match=words):
            faces.save(tmp_path / path, image)
    assert (tmp_path / "found.png").read_bytes() == before
    located(40, 30, 60, 55).save(tmp_path / "found.png", picture, overwrite=True)
    assert (tmp_path / "found.png").read_bytes() != before
    located(40, 30, 60, 55).save(tmp_path / "found.json", overwrite=True)
    assert json.loads((tmp_path / "found.json").read_text()) == located(40, 30, 60, 55).to_dict()


def test_for_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(
        BlazeFaceError, match=r"needs the package supervision: run pip install -e '\.\[supervision\]'"
    ):
        make().to_supervision()
    monkeypatch.undo()
    supervision = pytest.importorskip("supervision")
    faces = make(2)
    there = Detections(faces.boxes, faces.scores, faces.keypoints, np.array([3, 5])).to_supervision()
    assert isinstance(there, supervision.Detections)
    np.testing.assert_array_equal(there.xyxy, faces.boxes)
    np.testing.assert_array_equal(there.confidence, faces.scores)
    np.testing.assert_array_equal(there.tracker_id, [3, 5])
    np.testing.assert_array_equal(there[1:].data["keypoints"], faces.keypoints[1:])
    assert len(Detections.empty().to_supervision()) == 0
