"""COCO keypoints JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blazeface.data.formats.coco import read_coco
from blazeface.errors import BlazeFaceError

POINTS = [10, 11, 2, 20, 21, 2, 15, 16, 1, 15, 20, 2, 5, 12, 0, 25, 12, 1]


def data() -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a/1.jpg"}, {"id": 8, "file_name": "a/2.jpg"}],
        "annotations": [
            {"image_id": 7, "bbox": [1, 2, 30, 40], "iscrowd": 0, "keypoints": POINTS},
            {"image_id": 7, "bbox": [5, 5, 3, 3], "iscrowd": 1},
        ],
    }


def read(folder: Path, content: object) -> list[Any]:
    path = folder / "train.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return [(listed.name, listed.faces) for listed in read_coco(path)]


def test_literal(tmp_path: Path) -> None:
    (name, faces), (other, none) = read(tmp_path, data())
    assert (name, other, none) == ("a/1.jpg", "a/2.jpg", [])
    assert faces[0].box == (1, 2, 31, 42)
    assert faces[0].keypoints[:2] == ((10, 11), (20, 21))
    assert faces[0].visibility == (2, 2, 1, 2, 0, 1)
    assert not faces[0].ignore
    assert faces[1].ignore
    assert faces[1].visibility == (0,) * 6


def test_a_repeated_name_is_two_pictures(tmp_path: Path) -> None:
    content = data()
    content["images"][1]["file_name"] = "a/1.jpg"
    assert [name for name, _ in read(tmp_path, content)] == ["a/1.jpg", "a/1.jpg"]


def broken(change: Any) -> dict[str, Any]:
    content = data()
    change(content)
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", r"train\.json:1: not valid JSON"),
        ("[" * 100_000, "not valid JSON: nested too deep"),
        ("[]", "expected a JSON object"),
        ({}, "expected a list of objects under 'images'"),
        (broken(lambda c: c["annotations"].append(3)), "expected a list of objects under 'annotations'"),
        (broken(lambda c: c["images"][0].pop("file_name")), "image 0 lacks an id or a file_name"),
        (broken(lambda c: c["images"][1].update(id=7)), "image 1 repeats the id 7"),
        (broken(lambda c: c["images"][0].update(file_name="../x.jpg")), "image 0 leaves its folder"),
        (broken(lambda c: c["annotations"][1].update(image_id=99)), "annotation 1 belongs to no image"),
        (broken(lambda c: c["annotations"][1].update(image_id=[7])), "annotation 1 belongs to no image"),
        (broken(lambda c: c["annotations"][0].update(bbox=[1, 2, 3])), "annotation 0: bbox must be 4 numbers"),
        (broken(lambda c: c["annotations"][0].update(bbox=[1, 2, "3", 4])), "annotation 0: bbox must be 4"),
        (broken(lambda c: c["annotations"][0].update(bbox=[1, 2, float("nan"), 4])), "annotation 0: bbox"),
        (
            broken(lambda c: c["annotations"][0].update(keypoints=[1, 2])),
            "keypoints must be x y visibility a point",
        ),
        (broken(lambda c: c["annotations"][0].update(keypoints=[1, 2, 2] * 17)), "17 keypoints without names"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(BlazeFaceError, match=words) as error:
        read(tmp_path, content)
    assert "train.json" in str(error.value)
