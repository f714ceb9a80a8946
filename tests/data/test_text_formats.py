"""YOLO's text files, CSV and VOC's XML: what is odd in them, and what is refused by file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.data.formats.retinaface import read_retinaface
from blazeface.data.formats.table import read_table
from blazeface.data.formats.voc import read_voc
from blazeface.data.formats.yolo import YoloSet, read_yaml, read_yolo
from blazeface.data.labels import Listed
from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def picture(path: Path, width: int = 200, height: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


# YOLO


def yolo(folder: Path, line: str, described: YoloSet = YoloSet()) -> list[Listed]:  # noqa: B008
    picture(folder / "images" / "a.jpg")
    text(folder / "labels" / "a.txt", line)
    return read_yolo(folder / "labels", folder / "images", described)


def test_a_picture_without_labels_has_no_face_and_labels_without_a_picture_are_missing(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "train" / "a.jpg")
    picture(tmp_path / "images" / "train" / "b.jpg")
    text(tmp_path / "labels" / "train" / "b.txt", "0 .5 .5 .1 .2\n")
    text(tmp_path / "labels" / "train" / "c.txt", "0 .5 .5 .1 .2\n")
    text(tmp_path / "labels" / "train" / "classes.txt", "face\n")
    samples = load_split(tmp_path, "train")
    assert [(s.path.name, len(s.boxes), s.path.is_file()) for s in samples] == [
        ("a.jpg", 0, True),
        ("b.jpg", 1, True),
        ("c.jpg", 1, False),
    ]
    np.testing.assert_allclose(samples[1].boxes, [[90, 40, 110, 60]], atol=1e-4)


@pytest.mark.parametrize(
    ("line", "shape", "seen"),
    [
        ("0 .5 .5 .1 .2 " + ".1 .2 2 " * 5, None, [2, 2, 2, 2, 0, 0]),
        ("0 .5 .5 .1 .2 " + "0 0 0 " * 5, None, [0] * 6),
        ("0 .5 .5 .1 .2 " + ".1 .2 " * 5, (5, 2), [2, 2, 2, 2, 0, 0]),
        ("0 .5 .5 .1 .2 " + "-1 -1 " * 5, (5, 2), [0] * 6),
        ("0 .5 .5 .1 .2 " + ".1 .2 1 " * 6, (6, 3), [1] * 6),
    ],
)
def test_points(line: str, shape: tuple[int, int] | None, seen: list[int], tmp_path: Path) -> None:
    (listed,) = yolo(tmp_path, line, YoloSet(points=shape))
    assert list(listed.faces[0].visibility) == seen


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 .5 .5 .1\n", "expected `class x y w h`"),
        ("0 .5 .5 .1 wide\n", "expected `class x y w h`"),
        ("0 .5 .5 .1 nan\n", "expected `class x y w h`"),
        (".5 .5 .5 .1 .1\n", "expected `class x y w h`"),
        ("0 100 50 20 20\n", "x y w h must be parts of the picture"),
        ("0 .5 .5 .1 .2 " + ".1 .2 " * 7, "14 numbers behind the box: kpt_shape in data.yaml must say"),
        ("0 .5 .5 .1 .2 " + ".1 .2 " * 5, "10 numbers behind the box: kpt_shape in data.yaml must say"),
    ],
)
def test_yolo_lines_are_refused(line: str, words: str, tmp_path: Path) -> None:
    good = "0 .5 .5 .1 .2\n"
    with pytest.raises(BlazeFaceError) as caught:
        yolo(tmp_path, good + line)
    assert str(caught.value).startswith(f"{tmp_path}/labels/a.txt:2: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("names: [face\n", "not valid YAML"),
        ("- 1\n", "expected a mapping with train, val and names"),
        ("names: {a: face}\n", "names must be a list, or a mapping from whole numbers"),
        ("kpt_shape: 5\n", "kpt_shape must be two numbers"),
        ("kpt_shape: [5, 3]\nflip_idx: [0, 2, 1, 4, 3]\n", "5 keypoints in another order than is known"),
        ("!!python/object/apply:os.system ['echo no']\n", "not valid YAML"),
    ],
)
def test_data_yaml_is_refused(content: str, words: str, tmp_path: Path) -> None:
    path = text(tmp_path / "data.yaml", content)
    with pytest.raises(BlazeFaceError, match=f"^{path}: {words}"):
        read_yaml(path)


@pytest.mark.parametrize("entry", ["train/images", "../train/images", "./train/images/"])
def test_data_yaml_names_the_folders(entry: str, tmp_path: Path) -> None:
    """Roboflow writes a ../ too many."""
    root = tmp_path / "set"
    picture(root / "train" / "images" / "a.jpg")
    text(root / "train" / "labels" / "a.txt", "1 .5 .5 .1 .2\n0 .5 .5 .9 .9\n")
    text(root / "data.yaml", f"train: {entry}\nval: valid/images\nnames: [person, face]\n")
    (sample,) = load_split(root, "train")
    np.testing.assert_allclose(sample.boxes, [[90, 40, 110, 60]], atol=1e-4)
    with pytest.raises(BlazeFaceError, match=r"data\.yaml: valid/images is not in"):
        load_split(root, "val")


def test_darknets_lists_of_pictures(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.jpg")
        text(tmp_path / "labels" / f"{name}.txt", "0 .5 .5 .1 .2\n")
    text(tmp_path / "data.yaml", "train: train.txt\nval: val.txt\nnames: [face]\n")
    text(tmp_path / "train.txt", "./images/a.jpg\nimages/b.jpg\n")
    text(tmp_path / "val.txt", "images/c.jpg\n")
    assert [sample.path.name for sample in load_split(tmp_path, "train")] == ["a.jpg", "b.jpg"]
    assert [sample.path.name for sample in load_split(tmp_path, "val")] == ["c.jpg"]


# CSV


def test_the_forms_of_a_table(tmp_path: Path) -> None:
    forms = {
        "corners": "image_name,width,height,x0,y0,x1,y1\na.jpg,200,100,10,20,40,60\n",
        "sides": "image,x,y,w,h\na.jpg,10,20,30,40\n",
        "named sides": "filename,x,y,width,height\na.jpg,10,20,30,40\n",
        "semicolons": "filename;xmin;ymin;xmax;ymax\na.jpg;10;20;40;60\n",
        "no header": "a.jpg,10,20,40,60,face\n",
        "a mark": "\ufefffilename,xmin,ymin,xmax,ymax\na.jpg,10,20,40,60\n",
        "quotes": '"filename","xmin","ymin","xmax","ymax"\n"a.jpg","10","20","40","60"\n',
    }
    for name, content in forms.items():
        (listed,) = read_table(text(tmp_path / "t.csv", content))
        assert (listed.name, [face.box for face in listed.faces]) == ("a.jpg", [(10, 20, 40, 60)]), name
        assert listed.size == ((200, 100) if name == "corners" else None), name


def test_a_line_without_a_box_is_a_picture_without_a_face(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "a.jpg,,,,,\nb.jpg,1,2,3,4,face\nb.jpg,5,6,7,8,face\n")
    assert [(listed.name, len(listed.faces)) for listed in read_table(path)] == [("a.jpg", 0), ("b.jpg", 2)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,size\na.jpg,3\n", ":1: expected columns filename, x1, y1, x2, y2"),
        (
            "filename,x1,y1,x2,y2\na.jpg,1,2,three,4\n",
            ":2: expected numbers within a million, found '1, 2, three, 4'",
        ),
        ("filename,x1,y1,x2,y2\na.jpg,1,2,nan,4\n", ":2: expected numbers within a million"),
        ("filename,x1,y1,x2,y2\na.jpg,1,2,3,\n", ":2: expected numbers within a million"),
        ("filename,x1,y1,x2,y2\n../a.jpg,1,2,3,4\n", ":2: no picture's name, or one that leaves its folder"),
        (
            "filename,x1,y1,x2,y2,class\na.jpg,1,2,3,4,cat\na.jpg,1,2,3,4,dog\n",
            ": which of its categories are faces",
        ),
    ],
)
def test_tables_are_refused(content: str, words: str, tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", content)
    with pytest.raises(BlazeFaceError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}{words}")


# VOC and RetinaFace


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<annotation>", ":1: not valid XML"),
        ("<html></html>", ": expected <annotation>, found <html>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', ": XML with a document type of its own"),
        ("<annotation><object><name>face</name></object></annotation>", ": object 0: bndbox must have xmin"),
        ("<annotation><object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>x</xmax><ymax>4</ymax></bndbox></object></annotation>", ": object 0: bndbox"),
        ("<annotation><filename>..</filename></annotation>", ": the picture's name leaves its folder: '..'"),
    ],
)  # fmt: skip
def test_xml_is_refused(content: str, words: str, tmp_path: Path) -> None:
    path = text(tmp_path / "a.xml", content)
    with pytest.raises(BlazeFaceError) as caught:
        read_voc([path], tmp_path)
    assert str(caught.value).startswith(f"{path}{words}")


def test_difficult_objects_are_ignored(tmp_path: Path) -> None:
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3.5</xmax><ymax>4</ymax></bndbox>"
    path = text(
        tmp_path / "a.xml",
        f"<annotation><object><name>face</name><difficult>1</difficult>{box}</object></annotation>",
    )
    (listed,) = read_voc([path], tmp_path)
    assert (listed.name, listed.faces[0].box, listed.faces[0].ignore) == ("a.jpg", (1, 2, 3.5, 4), True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# a.jpg\n1 2 3\n", ":2: expected four numbers of a box"),
        ("# a.jpg\n1 2 3 nan\n", ":2: expected four numbers of a box"),
        ("# a.jpg\n1 2 3 4 5 6 7\n", ":2: expected four numbers of a box"),
        ("1 2 3 4\n", ":1: expected `# NAME` of a picture"),
        ("# ../a.jpg\n1 2 3 4\n", ":1: the picture's name leaves its folder"),
    ],
)
def test_retinafaces_lines_are_refused(content: str, words: str, tmp_path: Path) -> None:
    path = text(tmp_path / "label.txt", content)
    with pytest.raises(BlazeFaceError) as caught:
        read_retinaface(path)
    assert str(caught.value).startswith(f"{path}{words}")


def test_the_second_form_has_corners_and_sizes(tmp_path: Path) -> None:
    path = text(tmp_path / "labelv2.txt", "# a b.jpg 200 100\n10 20 40 60\n1 2 3 4 1\n")
    (listed,) = read_retinaface(path)
    assert (listed.name, listed.size) == ("a b.jpg", (200, 100))
    assert [(face.box, face.ignore) for face in listed.faces] == [((10, 20, 40, 60), False), ((1, 2, 3, 4), True)]


@settings(max_examples=80)
@given(st.text(alphabet='a#.,;0123456789 -\n"xywh', max_size=60))
def test_any_text_gives_pictures_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    readers: dict[str, Callable[[Path], list[Listed]]] = {
        "a.csv": read_table,
        "label.txt": read_retinaface,
        "a.xml": lambda path: read_voc([path], folder),
        "labels/a.txt": lambda path: read_yolo(path.parent, folder / "images", YoloSet()),
    }
    for name, read in readers.items():
        path = text(folder / name, content)
        try:
            for listed in read(path):
                assert all(abs(value) <= 2e6 for face in listed.faces for value in face.box)
        except BlazeFaceError as error:
            assert "\n" not in str(error)
