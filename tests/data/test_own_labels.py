"""Labels as people have them: other spellings, other forms of boxes, listed twice, of pictures that EXIF turns."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from exif_pictures import marked, middle_of_white, write
from label_material import Marked, coco_data, save, text, write_labels

from blazeface.cli.main import run_command
from blazeface.data.check.box_form import box_form_of_some, box_form_warning
from blazeface.data.check.suspicious import doubtful
from blazeface.data.formats import find_labels, unread_labels
from blazeface.data.formats.table import read_table
from blazeface.data.labels import NoLabels
from blazeface.data.samples import Sample, load_split
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture

NFC, NFD = (unicodedata.normalize(form, "café/é.jpg") for form in ("NFC", "NFD"))


PICTURES = [Marked("one.jpg", np.full((90, 120, 3), 70, np.uint8), (((10, 20, 30, 40), ()),))]


def plain(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.full((100, 100, 3), 90, np.uint8))


def sample(boxes: list[list[float]]) -> Sample:
    n = len(boxes)
    box = np.array(boxes, np.float32).reshape(-1, 4)
    empty = np.array([b[2] <= b[0] or b[3] <= b[1] for b in boxes], bool)
    return Sample(Path("a.jpg"), "", box, np.zeros((n, 6, 2), np.float32), np.zeros((n, 6), np.uint8), empty)


# Names


@pytest.mark.parametrize(("file", "label"), [(NFC, NFD), (NFD, NFC)])
def test_accents_in_either_form(file: str, label: str, tmp_path: Path) -> None:
    """A Mac decomposes them in the names of files. The other picture, whose name has none, changes nothing."""
    plain(tmp_path / "images", file, "plain.jpg")
    text(tmp_path / "faces.csv", f"filename,x1,y1,x2,y2\n{label},1,2,30,40\nplain.jpg,1,2,30,40\n")
    assert [each.path for each in load_split(tmp_path, "train")] == [
        tmp_path / "images" / file,
        tmp_path / "images" / "plain.jpg",
    ]


def test_accents_of_yolos_labels(tmp_path: Path) -> None:
    plain(tmp_path / "images", NFD)
    text((tmp_path / "labels" / NFC).with_suffix(".txt"), "0 .5 .5 .2 .2\n")
    (found,) = load_split(tmp_path, "train")
    assert found.path == tmp_path / "images" / NFD and len(found.boxes) == 1


def test_names_without_folders_of_pictures_in_folders(tmp_path: Path) -> None:
    plain(tmp_path / "2024", "may/1.jpg", "june/2.jpg")
    text(tmp_path / "faces.csv", "filename,x1,y1,x2,y2\n1.jpg,1,2,30,40\n2.jpg,1,2,30,40\n3.jpg,1,2,30,40\n")
    places = [each.path.relative_to(tmp_path).as_posix() for each in load_split(tmp_path, "train")]
    assert places == ["2024/may/1.jpg", "2024/june/2.jpg", "3.jpg"]


@pytest.mark.parametrize("places", [["may/1.jpg", "june/1.jpg"], ["WIDER_train/images/1.jpg"], ["test/1.jpg"]])
def test_a_name_that_two_pictures_have_or_one_of_another_split_is_not_guessed(
    places: list[str], tmp_path: Path
) -> None:
    plain(tmp_path, *places)
    text(tmp_path / "val.csv", "filename,x1,y1,x2,y2\n1.jpg,1,2,30,40\n")
    assert not load_split(tmp_path, "val")[0].path.is_file()


def test_a_tables_pictures_without_suffix(tmp_path: Path) -> None:
    plain(tmp_path / "images", "1.png")
    text(tmp_path / "faces.csv", "image_id,x1,y1,x2,y2\n1,1,2,30,40\n")
    assert load_split(tmp_path, "train")[0].path == tmp_path / "images" / "1.png"


# Numbers and columns


@pytest.mark.parametrize(
    "content",
    [
        "filename;x1;y1;x2;y2\na.jpg;10,5;20;40;60,25\n",
        "filename\tx1\ty1\tx2\ty2\na.jpg\t10,5\t20\t40\t60,25\n",
        "filename|x1|y1|x2|y2\na.jpg|10.5|20|40|60.25\n",
        "a.jpg;10,5;20,0;40,0;60,25\n",
        "image,xtl,ytl,xbr,ybr\na.jpg,10.5,20,40,60.25\n",
    ],
)
def test_tables_of_other_countries_and_tools(content: str, tmp_path: Path) -> None:
    (listed,) = read_table(text_file(tmp_path / "t.csv", content))
    assert (listed.name, listed.faces[0].box) == ("a.jpg", (10.5, 20, 40, 60.25))
    assert find_labels(tmp_path, "train").form == "csv"


def text_file(path: Path, content: str) -> Path:
    text(path, content)
    return path


def test_yolos_decimal_commas(tmp_path: Path) -> None:
    plain(tmp_path / "images", "a.jpg")
    text(tmp_path / "labels" / "a.txt", "0 0,5 0,5 0,2 0,4\n")
    assert load_split(tmp_path, "train")[0].boxes.tolist() == [[40, 30, 60, 70]]


def test_json_in_utf_16(tmp_path: Path) -> None:
    """What PowerShell writes."""
    save(tmp_path, PICTURES)
    (tmp_path / "faces.json").write_text(json.dumps(coco_data(PICTURES)), encoding="utf-16")
    assert find_labels(tmp_path, "train").form == "coco"
    assert sum(len(each.boxes) for each in load_split(tmp_path, "train")) > 0


def test_parts_where_pixels_are_read(tmp_path: Path) -> None:
    plain(tmp_path, "a.jpg")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": [0.1, 0.2, 0.3, 0.4]}],
    }
    text(tmp_path / "faces.json", json.dumps(content))
    with pytest.raises(BlazeFaceError, match=r"faces\.json: all boxes lie between 0 and 1"):
        load_split(tmp_path, "train")
    (tmp_path / "faces.json").unlink()
    text(tmp_path / "faces.csv", "filename,x1,y1,x2,y2\na.jpg,.1,.2,.3,.4\n")
    with pytest.raises(BlazeFaceError, match=r"faces\.csv: all boxes lie between 0 and 1"):
        load_split(tmp_path, "train")


def test_an_unknown_table_is_named_and_insisting_says_why(tmp_path: Path) -> None:
    text(tmp_path / "faces.csv", "picture,what\na.jpg,face\n")
    with pytest.raises(NoLabels, match=r"not recognised: faces\.csv \(--format says why\)"):
        find_labels(tmp_path, "train")
    with pytest.raises(
        NoLabels, match=r"a line a face; .*faces\.csv:1: expected columns filename, x1, y1, x2, y2"
    ):
        find_labels(tmp_path, "train", "csv")


@pytest.mark.parametrize("name", ["person", "People"])
def test_boxes_of_whole_people_are_no_faces(name: str, tmp_path: Path) -> None:
    """COCO's own person_keypoints have eyes and ears, and boxes from head to foot."""
    data = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 90]}],
        "categories": [{"id": 1, "name": name}],
    }
    plain(tmp_path, "a.jpg")
    text(tmp_path / "person_keypoints_train2017.json", json.dumps(data))
    with pytest.raises(BlazeFaceError, match=f"which of its categories are faces.*{name}"):
        load_split(tmp_path, "train")
    assert len(load_split(tmp_path, "train", categories=[name])[0].boxes) == 1


# The form of the boxes

BOXES = np.array([[10, 10, 30, 35], [50, 60, 80, 95], [60, 5, 95, 45], [5, 70, 30, 96]], np.float64)
SIZES = [(100, 100)] * 4


def as_sides(boxes: np.ndarray) -> np.ndarray:
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (BOXES, ""),
        (as_sides(BOXES), "boxes are read as x y w h (or its parts), and look like corners, x1 y1 x2 y2: 3 of 4"),
        (np.hstack([BOXES[:, :2], BOXES[:, 2:] - BOXES[:, :2]]), "boxes are read as corners, x1 y1 x2 y2, and look like x y w h"),
        (np.hstack([BOXES[:, :2] - BOXES[:, 2:] / 2, BOXES[:, :2] + BOXES[:, 2:] / 2]), "boxes are read as middle and sides"),
        (BOXES + 900, ""),  # of other pictures: no form of these boxes lies inside
    ],
)  # fmt: skip
def test_the_form_of_boxes(read: np.ndarray, words: str) -> None:
    said = box_form_warning([sample([box]) for box in read.tolist()], SIZES)
    assert said.startswith(words) if words else said == ""
    assert box_form_warning([sample([box]) for box in read.tolist()[:2]], SIZES[:2]) == ""  # too few to tell


def test_corners_under_the_name_of_sides_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the check, and by training, which finds no face in boxes without sides."""
    from blazeface.training.preflight import load_data

    plain(tmp_path, *(f"{i}.jpg" for i in range(4)))
    rows = [f"{i}.jpg,{60 + i},50,20,30" for i in range(4)]
    text(tmp_path / "faces.csv", "\n".join(["filename,xmin,ymin,xmax,ymax", *rows]) + "\n")
    words = "boxes are read as corners, x1 y1 x2 y2, and look like x y w h: 4 of 4"
    assert run_command("data", ["check", str(tmp_path), "--quiet"]) == 1
    assert words in capsys.readouterr().out
    with pytest.raises(BlazeFaceError, match="nothing to learn; " + words.replace("4 of 4", "3 of 3")):
        load_data(tmp_path, 0.25, print)
    assert box_form_of_some(load_split(tmp_path, "train")).startswith(words)


def test_a_face_labelled_twice_is_doubted() -> None:
    twice = sample([[10, 10, 40, 40], [60, 10, 90, 40], [10, 10, 40, 41]])
    assert [(doubt.kind, doubt.face) for doubt in doubtful([twice], [(100, 100)])] == [("double", 2)]


# Listed twice, and labels that are not read


def test_a_picture_listed_twice_has_the_labels_of_both(tmp_path: Path) -> None:
    """Otherwise the face of one listing would be background in the other."""
    plain(tmp_path, "a.jpg", "b.jpg")
    text(
        tmp_path / "faces.txt",
        "a.jpg\n1\n10 10 30 30\nb.jpg\n1\n1 2 30 40\n./a.jpg\n2\n60 60 30 30\n10 10 30 31\n",
    )
    said: list[str] = []
    first, second = load_split(tmp_path, "train", say=said.append)
    assert first.boxes.tolist() == [[10, 10, 40, 40], [60, 60, 90, 90]] and first.listed == 2
    assert (len(second.boxes), second.listed) == (1, 1)
    assert len(first.keypoints) == len(first.visibility) == len(first.ignore) == 2
    named = tmp_path / "a.jpg"
    assert said == [
        f"pictures listed more than once: 1, {named} for one; the labels of all their listings are joined"
    ]


def test_labels_that_are_not_read_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels("coco", tmp_path, {"train": PICTURES, "val": PICTURES})
    text(tmp_path / "more.csv", "filename,x1,y1,x2,y2\na.jpg,1,2,30,40\n")
    text(tmp_path / "test.csv", "filename,x1,y1,x2,y2\na.jpg,1,2,30,40\n")
    read = [find_labels(tmp_path, split).labels for split in ("train", "val")]
    assert unread_labels(tmp_path, read) == [tmp_path / "more.csv"]
    assert unread_labels(tmp_path, [tmp_path]) == []
    run_command("data", ["check", str(tmp_path), "--quiet"])
    assert "are there as well, and are not read: more.csv (" in capsys.readouterr().out


# Pictures that EXIF turns, under labels without a size

LYING, UPRIGHT_BOX = "85,40,115,60", "1,85,30,115"
"""In a picture of 120 x 80 pixels, which is 80 x 120 upright; and outside of it lying."""


def phone_pictures(root: Path, *boxes: str) -> Path:
    """Pictures that lie on their side, the first of which has its white square labelled as it lies in the file."""
    for i in range(len(boxes) + 1):
        write(root / f"{i}.jpg", marked(), 6)
    rows = ["0.jpg,20,40,40,60", *(f"{i}.jpg,{box}" for i, box in enumerate(boxes, 1))]
    text(root / "faces.csv", "\n".join(["filename,x1,y1,x2,y2", *rows]) + "\n")
    return root


def test_boxes_outside_of_the_upright_picture_tell_how_all_were_drawn(tmp_path: Path) -> None:
    said: list[str] = []
    first, second = load_split(phone_pictures(tmp_path, LYING), "train", say=said.append)
    x, y = middle_of_white(read_picture(str(first.path)))
    assert first.boxes[0] == pytest.approx([x - 10, y - 10, x + 10, y + 10], abs=0.6)
    assert second.boxes.tolist() == [[20, 85, 40, 115]]
    assert len(said) == 1 and "is 80 x 120 upright, its labels are of 120 x 80" in said[0]
    assert "were turned with it (2 such pictures)" in said[0]


@pytest.mark.parametrize(
    ("boxes", "words"),
    [([], "their labels do not say which way"), ([LYING, UPRIGHT_BOX], "some are of the pictures as they lie")],
)
def test_what_boxes_do_not_tell_is_said(boxes: list[str], words: str, tmp_path: Path) -> None:
    said: list[str] = []
    samples = load_split(phone_pictures(tmp_path, *boxes), "train", say=said.append)
    assert samples[0].boxes.tolist() == [[20, 40, 40, 60]]
    assert said[0].startswith(
        f"{len(samples)} pictures are turned by EXIF, {tmp_path / '0.jpg'} for one, and {words}"
    )


def test_boxes_that_fit_the_upright_picture_alone_need_no_word(tmp_path: Path) -> None:
    said: list[str] = []
    load_split(phone_pictures(tmp_path, UPRIGHT_BOX), "train", say=said.append)
    assert said == []


def test_the_check_shows_pictures_that_are_turned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "check"
    root = phone_pictures(tmp_path / "data")
    assert run_command("data", ["check", str(root), "--out", str(out), "--quiet"]) == 0
    assert "turned by EXIF: 1 pictures with faces; their labels are drawn in turned.png" in capsys.readouterr().out
    numbers = json.loads((out / "check.json").read_text())
    assert numbers["train"]["turned_by_exif"] == [str(root / "0.jpg")]
    sheet = read_picture(str(out / "turned.png"))
    tall = sheet[30:220, 2:192]  # the first tile: upright, so its right third is empty
    assert tall[:, 140:].std() < 3 < tall[:, :120].std()
