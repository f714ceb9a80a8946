"""Odd labels that tools write, row by row: what each is taken for, or the sentence that refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeface.data.samples import Sample, load_split
from blazeface.errors import BlazeFaceError

ZEROS = "0 0 0 0 0 0 0 0 0 0"
BOX = [1, 2, 4, 6]
"""x1 y1 x2 y2 of the label "1 2 3 4"."""

Labels = list[tuple[str, Any, list[bool]]]


def wider(folder: Path, content: str | bytes) -> list[Sample]:
    path = folder / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_split(folder, "train")


def coco(folder: Path, annotation: dict[str, Any], **changes: Any) -> list[Sample]:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 50, "height": 50}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 30, 40], **annotation}],
        **changes,
    }
    path = folder / "keypoints" / "train.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return load_split(folder, "train")


def labels(samples: list[Sample], folder: Path) -> Labels:
    images = folder / "WIDER_train" / "images"
    return [(s.path.relative_to(images).as_posix(), s.boxes.tolist(), s.ignore.tolist()) for s in samples]


NONE: tuple[str, Any, list[bool]] = ("a.jpg", [], [])
ONE: tuple[str, Any, list[bool]] = ("b.jpg", [BOX], [False])

WIDER: dict[str, tuple[str | bytes, Labels]] = {
    "ten zeros": (f"a.jpg\n0\n{ZEROS} \nb.jpg\n1\n1 2 3 4\n", [NONE, ONE]),
    "four zeros": ("a.jpg\n0\n0 0 0 0\nb.jpg\n1\n1 2 3 4\n", [NONE, ONE]),
    "four zeros at the end": ("b.jpg\n1\n1 2 3 4\na.jpg\n0\n0 0 0 0\n", [ONE, NONE]),
    "zeros with points": ("a.jpg\n0\n0.0 0.0 0.0 0.0 0 0 0 0 0 0\nb.jpg\n1\n1 2 3 4\n", [NONE, ONE]),
    "zeros that count": (f"a.jpg\n1\n{ZEROS}\n", [("a.jpg", [[0, 0, 0, 0]], [True])]),
    "no sides": (
        "b.jpg\n2\n10 10 0 0 2 0 0 0 2 0\n1 2 3 4\n",
        [("b.jpg", [[10, 10, 10, 10], BOX], [True, False])],
    ),
    "negative sides": ("b.jpg\n1\n10 10 -3 -4\n", [("b.jpg", [[10, 10, 7, 6]], [True])]),
    "no last line end": ("b.jpg\n1\n1 2 3 4", [ONE]),
    "Windows' line ends and a mark": (b"\xef\xbb\xbfb.jpg\r\n1\r\n1 2 3 4 0 0 0 0 0 0 \r\n", [ONE]),
    "UTF-16, as PowerShell writes it": ("b.jpg\n1\n1 2 3 4\n".encode("utf-16"), [ONE]),
    "blanks in names": ("my folder/a b.jpg\n1\n1 2 3 4\n", [("my folder/a b.jpg", [BOX], [False])]),
    "blank lines": ("\n\nb.jpg\n\n1\n\n1 2 3 4\n\n", [ONE]),
    "tabs": ("b.jpg\n1\n1\t2\t3\t4\n", [ONE]),
    "backslashes": ("0--Parade\\a.jpg\n0\n", [("0--Parade/a.jpg", [], [])]),
    "a dot before": ("./0--Parade/a.jpg\n0\n", [("0--Parade/a.jpg", [], [])]),
    "the folder before": ("WIDER_train/images/0--Parade/a.jpg\n0\n", [("0--Parade/a.jpg", [], [])]),
    "another flag": ("b.jpg\n1\n1 2 3 4 0 0 0 2 0 0\n", [("b.jpg", [BOX], [True])]),
}


@pytest.mark.parametrize("kind", WIDER)
def test_widers_text(kind: str, tmp_path: Path) -> None:
    content, expected = WIDER[kind]
    assert labels(wider(tmp_path, content), tmp_path) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("b.jpg\n1\n1,2,3,4\n", ":3: expected `x y w h"),
        ("caf\u00e9.jpg\n0\n".encode("latin-1"), ":1: not UTF-8 text"),
        ("a.jpg\n1\n1 2 3 4\n5 6 7 8\nb.jpg\n0\n", ":4: expected a picture's name, found '5 6 7 8': 'a.jpg' has more lines than its count of 1"),
    ],
)  # fmt: skip
def test_widers_text_is_refused(content: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError) as caught:
        wider(tmp_path, content)
    assert words in str(caught.value)


RETINAFACE = (
    "# 0--Parade/a.jpg\n449 330 122 149 488.906 373.643 0.0 542.089 376.442 0.0 515.031 412.83 0.0 485.174 425.893 0.0"
    " 538.357 431.491 0.0 0.82\n# b.jpg\n1 2 3 4 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1\n"
)


def test_retinafaces_text_under_widers_name(tmp_path: Path) -> None:
    """Its five points: the mouth's corners become its middle, the ears are unknown, and -1 is none."""
    first, second = wider(tmp_path, RETINAFACE)
    assert first.source == "0--Parade"
    assert first.boxes.tolist() == [[449, 330, 571, 479]]
    assert first.visibility.tolist() == [[2, 2, 2, 2, 0, 0]]
    expected = [[488.906, 373.643], [542.089, 376.442], [515.031, 412.83], [511.7655, 428.692]]
    assert first.keypoints[0, :4] == pytest.approx(np.array(expected), abs=1e-3)
    assert second.boxes.tolist() == [BOX]
    assert second.visibility.tolist() == [[0] * 6]


SIX = [10, 11, 2, 20, 21, 2, 15, 16, 2, 15, 20, 2, 5, 12, 2, 25, 12, 2]
KNOWN, UNKNOWN = [2] * 6, [0] * 6

COCO: dict[str, tuple[dict[str, Any], bool, list[int]]] = {
    "six points": ({"keypoints": SIX}, False, KNOWN),
    "no points": ({"keypoints": [], "num_keypoints": 0}, False, UNKNOWN),
    "null for points": ({"keypoints": None}, False, UNKNOWN),
    "five points": ({"keypoints": [1, 2, 2] * 5}, False, [2, 2, 2, 2, 0, 0]),
    "visibility -1": ({"keypoints": [1, 2, -1] * 6}, False, UNKNOWN),
    "visibility 3": ({"keypoints": [1, 2, 3] * 6}, False, KNOWN),
    "visibility .5": ({"keypoints": [1, 2, 0.5] * 6}, False, UNKNOWN),
    "points at -1": ({"keypoints": [-1, -1, 2] * 6}, False, UNKNOWN),
    "points of a detector": ({"keypoints": SIX, "score": 0.9}, False, [1] * 6),
    "a crowd": ({"iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [50, 50]}}, True, UNKNOWN),
    "iscrowd as text, 0": ({"iscrowd": "0"}, False, UNKNOWN),
    "iscrowd as text, 1": ({"iscrowd": "1"}, True, UNKNOWN),
    "iscrowd null": ({"iscrowd": None}, False, UNKNOWN),
    "iscrowd 2": ({"iscrowd": 2}, True, UNKNOWN),
    "an id as text": ({"image_id": "1"}, False, UNKNOWN),
    "an id with a point": ({"image_id": 1.0}, False, UNKNOWN),
}


@pytest.mark.parametrize("kind", COCO)
def test_cocos_annotations(kind: str, tmp_path: Path) -> None:
    annotation, ignore, visibility = COCO[kind]
    (sample,) = coco(tmp_path, annotation)
    assert sample.boxes.tolist() == [[1, 2, 31, 42]]
    assert sample.ignore.tolist() == [ignore]
    assert sample.visibility.tolist() == [visibility]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"bbox": []}, "annotation 0: bbox must be 4 numbers"),
        ({"bbox": None}, "annotation 0: bbox must be 4 numbers"),
        ({"bbox": ["1", "2", "3", "4"]}, "annotation 0: bbox must be 4 numbers"),
        ({"keypoints": [1, 2, 2] * 17}, "annotation 0: 17 keypoints without names"),
        ({"image_id": True}, "annotation 0 belongs to no image: image_id True"),
        ({"iscrowd": "perhaps"}, "annotation 0: iscrowd must be 0 or 1, not 'perhaps'"),
    ],
)
def test_cocos_annotations_are_refused(annotation: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError) as caught:
        coco(tmp_path, annotation)
    assert str(caught.value).startswith(f"{tmp_path}/keypoints/train.json: ")
    assert words in str(caught.value)


PERSON = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"]


def test_points_are_known_by_their_names(tmp_path: Path) -> None:
    category = {"id": 4, "name": "face", "keypoints": PERSON}
    points = [value for i in range(7) for value in (10 * i, i, 2)]
    (sample,) = coco(tmp_path, {"category_id": 4, "keypoints": points}, categories=[category])
    # Right eye, left eye, nose, no mouth, right ear, left ear.
    assert sample.keypoints[0, :, 0].tolist() == [20, 10, 0, 0, 40, 30]
    assert sample.visibility.tolist() == [[2, 2, 2, 0, 2, 2]]


def test_points_that_are_none_of_a_face_are_refused(tmp_path: Path) -> None:
    category = {"id": 4, "name": "face", "keypoints": ["chin", "brow"]}
    with pytest.raises(BlazeFaceError, match=r"annotation 0: none of its keypoints is an eye.*: chin, brow"):
        coco(tmp_path, {"category_id": 4, "keypoints": [1, 2, 2] * 2}, categories=[category])


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 2, "name": "Face"}, {"id": 3, "name": "dog"}]


def test_only_faces_are_faces(tmp_path: Path) -> None:
    every = [{"id": n, "image_id": 1, "bbox": [n, 2, 30, 40], "category_id": n} for n in (1, 2, 3)]
    (sample,) = coco(tmp_path, {}, annotations=every, categories=CATEGORIES)
    assert sample.boxes.tolist() == [[2, 2, 32, 42]]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["mask"], {"mask"}),
        (["with_face", "person"], {"with_face"}),
        (["Human face", "Human head"], {"Human face"}),
        (["face", "face_mask"], {"face"}),
        (["helmet", "person"], None),
        (["cat face", "human-like face"], None),
    ],
)
def test_which_category_is_the_face(names: list[str], chosen: set[str] | None, tmp_path: Path) -> None:
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    every = [{"id": i, "image_id": 1, "bbox": [i, 2, 30, 40], "category_id": i} for i in range(len(names))]
    if chosen is None:
        with pytest.raises(BlazeFaceError, match=f"which of its categories are faces.*: {', '.join(names)}"):
            coco(tmp_path, {}, annotations=every, categories=categories)
        (sample,) = load_split(tmp_path, "train", categories=[names[1].upper()])
        assert sample.boxes[:, 0].tolist() == [1]
        return
    (sample,) = coco(tmp_path, {}, annotations=every, categories=categories)
    assert [names[int(x)] for x in sample.boxes[:, 0]] == sorted(chosen)


def test_a_category_that_is_not_there_is_named(tmp_path: Path) -> None:
    coco(tmp_path, {"category_id": 2}, categories=CATEGORIES)
    with pytest.raises(BlazeFaceError, match=r"--category head: .*train\.json has Face"):
        load_split(tmp_path, "train", categories=["head"])
