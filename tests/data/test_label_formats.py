"""The same labels in every format give the same samples, and each format is recognised by looking."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from label_material import BOXES_ALONE, FORMAT_OF, LAYOUTS, Marked, coco_data, save, text, write_labels

from blazeface.cli.main import run_command
from blazeface.data.formats import FORMATS, find_labels
from blazeface.data.formats.categories import face_categories
from blazeface.data.labels import NoLabels
from blazeface.data.samples import Sample, load_split, split_off
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"

FIVE = ((90.0, 60.0), (120.0, 61.0), (105.0, 80.0), (92.0, 95.0), (118.0, 97.0))


def pictures() -> dict[str, list[Marked]]:
    plain = np.full((150, 200, 3), 90, np.uint8)
    tall = np.full((240, 160, 3), 140, np.uint8)
    two = (((80.0, 40.0, 50.0, 64.0), FIVE), ((10.0, 20.0, 30.0, 36.0), ()))
    train = [Marked("one.jpg", plain, two), Marked("party/two.jpg", tall, two[:1]), Marked("sea.jpg", plain, ())]
    return {"train": train, "val": [Marked("three.png", tall, two[:1]), Marked("four.jpg", plain, ())]}


def read(root: Path, split: str, **choice: object) -> list[Sample]:
    said: list[str] = []
    found = load_split(root, split, say=said.append, **choice)  # type: ignore[arg-type]
    assert all("read as faces, those of person are left out" in sentence for sentence in said)
    return sorted(found, key=lambda sample: sample.path.name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_format_gives_the_same_samples(layout: str, tmp_path: Path) -> None:
    splits = pictures()
    if layout == "voc":  # which has all pictures in one folder
        splits["train"][1] = Marked("two.jpg", splits["train"][1].image, splits["train"][1].faces)
    write_labels(layout, tmp_path, splits)
    form = FORMAT_OF.get(layout, layout)
    assert find_labels(tmp_path, "train").form == form
    choice = {"categories": ["1"]} if layout == "yolo_bare" else {}
    four, three = read(tmp_path, "val", **choice)
    one, sea, two = read(tmp_path, "train", **choice)
    assert [sample.path.is_file() for sample in (one, sea, two, three, four)] == [True] * 5
    assert (one.source, two.source) == ("", "" if layout == "voc" else "party")
    for sample in (sea, four):
        assert sample.boxes.shape == (0, 4)
    first, second = [80, 40, 130, 104], [10, 20, 40, 56]
    np.testing.assert_allclose(one.boxes, [first, second], atol=1e-4)
    for sample in (two, three):
        np.testing.assert_allclose(sample.boxes, [first], atol=1e-4)
    assert not one.ignore.any()
    if layout in BOXES_ALONE:
        assert not one.visibility.any()
        return
    assert one.visibility.tolist() == [[2, 2, 2, 2, 0, 0], [0] * 6]
    # Right eye, left eye, nose, and the middle of the mouth's corners.
    np.testing.assert_allclose(one.keypoints[0, :4], [[90, 60], [120, 61], [105, 80], [105, 96]], atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_format_insists(layout: str, tmp_path: Path) -> None:
    write_labels(layout, tmp_path, pictures())
    form = FORMAT_OF.get(layout, layout)
    assert find_labels(tmp_path, "train", form).form == form
    for other in FORMATS:
        if other != form:
            with pytest.raises(
                NoLabels, match=f"holds no labels of train in the format {other}: {FORMATS[other][:8]}"
            ):
                find_labels(tmp_path, "train", other)
    with pytest.raises(BlazeFaceError, match="--format voice: choose one of wider, retinaface"):
        find_labels(tmp_path, "train", "voice")


def test_labels_without_a_split_are_those_of_train(tmp_path: Path) -> None:
    save(tmp_path, pictures()["train"])
    text(tmp_path / "labels.json", json.dumps(coco_data(pictures()["train"])))
    assert find_labels(tmp_path, "train").whole
    assert len(read(tmp_path, "train")) == 3
    assert len(read(tmp_path / "labels.json", "train")) == 3
    for root in (tmp_path, tmp_path / "labels.json"):
        with pytest.raises(NoLabels, match=r"no labels of val|has no val"):
            load_split(root, "val")
    text(tmp_path / "more.json", json.dumps(coco_data(pictures()["val"])))
    with pytest.raises(BlazeFaceError, match=r"which labels are those of train: labels\.json or more\.json"):
        load_split(tmp_path, "train")


def test_test_is_no_split_to_train_on(tmp_path: Path) -> None:
    text(tmp_path / "test.json", json.dumps(coco_data(pictures()["train"])))
    for split in ("train", "val"):
        with pytest.raises(NoLabels):
            load_split(tmp_path, split)


def test_retinaface_beside_widers_own_text_is_preferred(tmp_path: Path) -> None:
    write_labels("wider", tmp_path, pictures())
    write_labels("retinaface", tmp_path, pictures())
    assert find_labels(tmp_path, "train").form == "retinaface"
    assert find_labels(tmp_path, "train", "wider").form == "wider"


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("./", True),
        (".\\", True),
        ("C:\\data\\photos\\", True),
        ("/media/someone/photos/", True),
        ("photos/", True),
        ("WIDER_train/images/", True),
        ("../", False),
    ],
)
def test_names_from_elsewhere_are_found(prefix: str, found: bool, tmp_path: Path) -> None:
    data = coco_data(pictures()["train"])
    save(tmp_path / "WIDER_train" / "images", pictures()["train"])
    for image in data["images"]:
        image["file_name"] = prefix + image["file_name"].replace("/", "\\" if "\\" in prefix else "/")
    text(tmp_path / "keypoints" / "train.json", json.dumps(data))
    if not found:
        with pytest.raises(BlazeFaceError, match="image 0 leaves its folder"):
            load_split(tmp_path, "train")
        return
    samples = load_split(tmp_path, "train")
    assert all(sample.path.is_file() for sample in samples)
    assert [sample.source for sample in samples] == ["", "party", ""]


def test_a_missing_picture_is_not_taken_for_another_of_its_name(tmp_path: Path) -> None:
    images = tmp_path / "WIDER_train" / "images"
    marked = pictures()["train"][0]
    save(images, [marked, Marked("a/1.jpg", marked.image, ()), Marked("1.jpg", marked.image, ())])
    text(tmp_path / "keypoints" / "train.json", json.dumps({
        "images": [{"id": i, "file_name": name} for i, name in enumerate(["one.jpg", "a/1.jpg", "b/1.jpg"])],
        "annotations": [],
    }))  # fmt: skip
    assert [sample.path for sample in load_split(tmp_path, "train")] == [
        images / n for n in ("one.jpg", "a/1.jpg", "b/1.jpg")
    ]


def test_an_absolute_name_that_is_not_there_is_refused(tmp_path: Path) -> None:
    content = {"images": [{"id": 1, "file_name": "/etc/hostname"}], "annotations": []}
    text(tmp_path / "keypoints" / "train.json", json.dumps(content))
    with pytest.raises(BlazeFaceError, match="leaves its folder, and it is not found in it: '/etc/hostname'"):
        load_split(tmp_path, "train")


def test_voc_pictures_are_found_by_any_suffix(tmp_path: Path) -> None:
    write_labels("voc", tmp_path, {"train": pictures()["train"][:1], "val": pictures()["val"][:1]})
    (tmp_path / "JPEGImages" / "one.jpg").rename(tmp_path / "JPEGImages" / "one.JPEG")
    (sample,) = load_split(tmp_path, "train")
    assert sample.path.name == "one.JPEG"


@pytest.mark.parametrize(
    ("flag", "root"), [("--coco", "faces.json"), ("--yolo", "labels"), ("--csv", "faces.csv")]
)
def test_what_detect_writes_is_what_train_reads(
    flag: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    (folder / "in").mkdir(parents=True)
    portrait = read_picture(str(PORTRAIT))
    for name in ("a.png", "in/b.jpg"):
        cv2.imwrite(str(folder / name), portrait)
    cv2.imwrite(str(folder / "plain.png"), np.full((99, 99, 3), 80, np.uint8))
    monkeypatch.chdir(tmp_path)
    flags = ["photos", "--no-window", "--quiet"]
    assert run_command("detect", [*flags, flag, f"photos/{root}"]) == 0
    samples = {
        sample.path.relative_to("photos").as_posix(): sample for sample in load_split(Path("photos"), "train")
    }
    first, second = samples["a.png"], samples["in/b.jpg"]
    assert first.path.is_file() and second.path.is_file()
    if flag != "--csv":  # a table has a line a face, and none for a picture without
        assert samples["plain.png"].boxes.shape == (0, 4)
    for sample in (first, second):
        assert sample.boxes.shape == (1, 4)
        # The face of the shipped portrait: by its truth (tools/make_pictures.py) around (223, 120), 94 pixels wide.
        middle = (sample.boxes[0, :2] + sample.boxes[0, 2:]) / 2
        assert np.abs(middle - (223, 120)).max() < 25
        if flag != "--yolo":
            assert sample.visibility.tolist() == [[1] * 6]  # predicted, not annotated
            assert sample.keypoints[0, 0, 0] < sample.keypoints[0, 1, 0]
    train, val = split_off(list(samples.values()), 0.34)
    assert (len(train), len(val)) == ((2, 1) if flag != "--csv" else (1, 1))


@pytest.mark.parametrize(
    ("category", "words"),
    [
        ("helmet", "its only category, 'helmet', is taken for faces"),
        ("with_mask", "its only category, 'with_mask', is taken for faces"),
        ("Face", ""),
        ("frontal face", ""),
        ("0", ""),
    ],
)
def test_the_only_category_is_told_where_it_is_not_called_face(category: str, words: str) -> None:
    said: list[str] = []
    assert face_categories([category] * 3, (), "labels.json", said.append) == {category}
    assert len(said) == bool(words) and all(words in sentence for sentence in said)
    assert face_categories([category], [category], "labels.json", said.append) == {category}
    assert len(said) == bool(words)  # what the user named needs no word


def test_categories_that_are_left_out_are_told() -> None:
    said: list[str] = []
    assert face_categories(["face", "helmet", "person"], (), "x", said.append) == {"face"}
    assert said == [
        "x: boxes of 'face' are read as faces, those of helmet, person are left out (--category names others)"
    ]
    with pytest.raises(BlazeFaceError, match="which of its categories are faces"):
        face_categories(["helmet", "vest"], (), "x", said.append)


@pytest.mark.parametrize("layout", ["coco", "yolo", "voc", "csv"])
def test_every_format_tells_that_helmets_are_taken_for_faces(layout: str, tmp_path: Path) -> None:
    write_labels(layout, tmp_path, {split: several[:1] for split, several in pictures().items()})
    for path in tmp_path.rglob("*"):
        if path.suffix == ".json":
            data = json.loads(path.read_text())
            data["annotations"] = [entry for entry in data["annotations"] if entry["category_id"] == 2]
            data["categories"][1]["name"] = "helmet"
            path.write_text(json.dumps(data))
        elif path.suffix in (".yaml", ".xml", ".csv"):
            path.write_text(path.read_text().replace("face", "helmet"))
    said: list[str] = []
    (one,) = load_split(tmp_path, "train", say=said.append)
    assert len(one.boxes) == 2
    (sentence,) = said
    assert "its only category, 'helmet', is taken for faces" in sentence
