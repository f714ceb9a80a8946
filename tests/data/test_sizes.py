"""Labels held against width, height and EXIF orientation of the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from exif_pictures import marked, middle_of_white, write

from blazeface.data.headers import Header, read_header
from blazeface.data.labels import LabelledFace, Listed, size_of
from blazeface.data.samples import load_split
from blazeface.data.sizes import held_against, turn
from blazeface.files.pictures import read_picture

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_place_turns_as_the_reader_turns_the_picture(orientation: int, order: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", marked(), orientation, order)
    upright = read_picture(str(path))
    header = read_header(path)
    assert header == Header((upright.shape[1], upright.shape[0]), orientation)
    assert header.stored == (120, 80)
    assert turn(30, 50, (120, 80), orientation) == pytest.approx(middle_of_white(upright), abs=0.6)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif"])
def test_headers_of_other_formats(suffix: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / f"a{suffix}"), marked())
    assert read_header(tmp_path / f"a{suffix}") == Header((120, 80))


def test_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert read_header(tmp_path / "a.jpg") is None
    assert read_header(tmp_path / "b.jpg") is None


def data_folder(root: Path, sizes: list[tuple[int, int] | None], boxes: list[Any]) -> Path:
    images, annotations = [], []
    for i, (size, box) in enumerate(zip(sizes, boxes, strict=True)):
        claimed = {} if size is None else {"width": size[0], "height": size[1]}
        images.append({"id": i, "file_name": f"{i}.jpg", **claimed})
        annotations.append(
            {"id": i, "image_id": i, "bbox": box, "keypoints": [30, 50, 2] + [25, 45, 2] + [0, 0, 0] * 4}
        )
    (root / "keypoints").mkdir()
    (root / "keypoints" / "train.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return root


STORED = [20, 40, 20, 20]
"""x y w h of the white square in the picture as it lies in the file."""


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_labels_of_the_stored_pixels_are_turned(orientation: int, tmp_path: Path) -> None:
    """The second picture, which is turned on its side, tells what the first one's labels are of."""
    images = tmp_path / "WIDER_train" / "images"
    first = write(images / "0.jpg", marked(), orientation)
    write(images / "1.jpg", marked(), 6)
    said: list[str] = []
    samples = load_split(data_folder(tmp_path, [(120, 80)] * 2, [STORED] * 2), "train", say=said.append)
    for sample in samples:
        x, y = middle_of_white(read_picture(str(sample.path)))
        assert sample.boxes[0] == pytest.approx([x - 10, y - 10, x + 10, y + 10], abs=0.6)
        # The first point stays on the square, unless a mirror makes the right eye the left one.
        point = sample.keypoints[0, 1 if sample.path == first and orientation in (2, 4, 5, 7) else 0]
        assert point == pytest.approx([x, y], abs=0.6)
    (sentence,) = said
    assert "of the picture as it lies in its file, and were turned with it" in sentence
    assert f"({2 if orientation > 1 else 1} such pictures)" in sentence


def test_labels_of_the_upright_picture_stay(tmp_path: Path) -> None:
    write(tmp_path / "WIDER_train" / "images" / "0.jpg", marked(), 6)
    said: list[str] = []
    (sample,) = load_split(data_folder(tmp_path, [(80, 120)], [[1, 2, 30, 40]]), "train", say=said.append)
    assert sample.boxes.tolist() == [[1, 2, 31, 42]]
    assert said == []


def test_labels_of_a_larger_picture_are_scaled(tmp_path: Path) -> None:
    write(tmp_path / "WIDER_train" / "images" / "0.jpg", marked(60, 40))
    said: list[str] = []
    (sample,) = load_split(data_folder(tmp_path, [(120, 80)], [[20, 40, 30, 40]]), "train", say=said.append)
    assert sample.boxes.tolist() == [[10, 20, 25, 40]]
    assert sample.keypoints[0, 0].tolist() == [15, 25]
    assert "0.jpg is 60 x 40 upright, its labels are of 120 x 80: it was made smaller or larger since" in said[0]


@pytest.mark.parametrize("claimed", [(100, 100), (90, 60)])
def test_labels_of_another_picture_are_not_used(claimed: tuple[int, int], tmp_path: Path) -> None:
    """Other sides, or the sides of a smaller picture in which the box would lie outside."""
    write(tmp_path / "WIDER_train" / "images" / "0.jpg", marked())
    said: list[str] = []
    (sample,) = load_split(data_folder(tmp_path, [claimed], [[100, 40, 20, 20]]), "train", say=said.append)
    assert sample.ignore.tolist() == [True]
    assert "they are not used" in said[0]


@pytest.mark.parametrize("claimed", [None, (0, 0), (-1, -1), (120, 80)])
def test_no_size_says_nothing(claimed: tuple[int, int] | None, tmp_path: Path) -> None:
    write(tmp_path / "WIDER_train" / "images" / "0.jpg", marked())
    said: list[str] = []
    (sample,) = load_split(data_folder(tmp_path, [claimed], [[20, 40, 20, 20]]), "train", say=said.append)
    assert sample.boxes.tolist() == [[20, 40, 40, 60]]
    assert not sample.ignore.any()
    assert said == []


def test_rounding_of_a_pixel_is_no_other_picture() -> None:
    listed = Listed("a", [LabelledFace((10, 10, 20, 20), False)], (1001, 667))
    held, outcome = held_against(listed, Header((500, 333)))
    assert outcome == "scaled"
    assert held.faces[0].box == pytest.approx((5, 5, 10, 10), abs=0.02)
    assert held_against(listed, Header((500, 335)))[1] == "other"


@pytest.mark.parametrize(("given", "size"), [((3, 4), (3, 4)), (("3", "4.0"), (3, 4)), ((None, 4), None), ((0, 4), None),
                                             ((True, 4), None), (("x", 4), None), ((3, float("nan")), None)])  # fmt: skip
def test_size_of(given: tuple[object, object], size: tuple[int, int] | None) -> None:
    assert size_of(*given) == size
