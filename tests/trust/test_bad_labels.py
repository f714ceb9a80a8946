"""Labels that are wrong: each is named by file and place; odd ones that make sense are taken as what they are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.cli.main import run_command
from blazeface.data.crops import CropRecipe, draw_crop
from blazeface.data.formats.coco import read_coco
from blazeface.data.formats.wider import read_wider
from blazeface.data.samples import Sample, load_split
from blazeface.errors import BlazeFaceError

GOOD = "a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n"

WIDER: dict[str, tuple[bytes, int, str]] = {
    "a word for a number": (b"a.jpg\n1\n1 2 three 4\n", 3, "expected `x y w h"),
    "too few columns": (b"a.jpg\n1\n1 2 3\n", 3, "expected `x y w h"),
    "too many columns": (b"a.jpg\n1\n1 2 3 4 5\n", 3, "expected `x y w h"),
    "NaN": (b"a.jpg\n1\n1 2 nan 4\n", 3, "found '1 2 nan 4'"),
    "infinity": (b"a.jpg\n1\n1 2 inf 4\n", 3, "found '1 2 inf 4'"),
    "beyond any picture": (b"a.jpg\n1\n1 2 1e7 4\n", 3, "found '1 2 1e7 4'"),
    "beyond float32": (b"a.jpg\n1\n1 2 1e39 4\n", 3, "found '1 2 1e39 4'"),
    "no count": (b"a.jpg\nb.jpg\n", 2, "expected the number of faces of 'a.jpg', found 'b.jpg'"),
    "a negative count": (b"a.jpg\n-1\n", 2, "expected the number of faces"),
    "a count of 5000 digits": (b"a.jpg\n" + b"9" * 5000 + b"\n", 2, "expected the number of faces"),
    "a count without its lines": (b"a.jpg\n999999999\n1 2 3 4\n", 4, "found 'the end of the file'"),
    "the second picture": (GOOD.encode() + b"b.jpg\n2\n1 2 3 4\nx\n", 7, "found 'x'"),
    "Windows' line ends": (b"a.jpg\r\n1\r\n1 2 3 4\r\nb.jpg\r\n?\r\n", 5, "expected the number of faces"),
    "a form feed in a name": (b"a\x0cb.jpg\n1\n1 2 3\n", 3, "expected `x y w h"),
    "no UTF-8": (GOOD.encode() + b"\xff\xfe.jpg\n0\n", 4, "not UTF-8 text"),
    "a way out of the folder": (b"../../etc/passwd\n0\n", 1, "leaves its folder"),
    "an absolute path": (b"/etc/passwd\n0\n", 1, "leaves its folder"),
}


@pytest.mark.parametrize("kind", WIDER)
def test_a_malformed_line_is_named(kind: str, tmp_path: Path) -> None:
    data, line, words = WIDER[kind]
    path = tmp_path / "wider_face_val_bbx_gt.txt"
    path.write_bytes(data)
    with pytest.raises(BlazeFaceError) as caught:
        read_wider(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


def coco(**changes: Any) -> dict[str, Any]:
    annotation = {"image_id": 1, "bbox": [1, 2, 3, 4], **changes}
    return {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [annotation]}


COCO: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"images": [\n{"id" 1}]}', ":2: not valid JSON"),
    "cut short": (b'{"images": [', ":1: not valid JSON"),
    "too deep": (b"[" * 100_000, "nested too deep"),
    "a number of 5000 digits": (b"[" + b"9" * 5000 + b"]", "a number of too many digits"),
    "no UTF-8": (b'\n\n"\xff"', ":3: not UTF-8 text"),
    "a list": (b"[]", "expected a JSON object"),
    "NaN": (json.dumps(coco(bbox=[1, 2, float("nan"), 4])).encode(), "annotation 0: bbox must be 4 numbers"),
    "infinity": (json.dumps(coco(bbox=[1, 2, float("inf"), 4])).encode(), "annotation 0: bbox must be 4 numbers"),
    "400 digits": (json.dumps(coco(bbox=[1, 2, 10**400, 4])).encode(), "annotation 0: bbox must be 4 numbers"),
    "truth for a number": (json.dumps(coco(bbox=[1, 2, True, 4])).encode(), "annotation 0: bbox must be 4"),
    "no such picture": (json.dumps(coco(image_id=7)).encode(), "annotation 0 belongs to no image"),
    "a list for a key": (json.dumps(coco(image_id=[1])).encode(), "annotation 0 belongs to no image"),
    "seven points": (json.dumps(coco(keypoints=[1, 2, 2] * 7)).encode(), "7 keypoints without names"),
    "half a point": (
        json.dumps(coco(keypoints=[1, 2, 2, 4])).encode(),
        "keypoints must be x y visibility a point",
    ),
    "a way out": (b'{"images": [{"id": 1, "file_name": "../x"}], "annotations": []}', "leaves its folder"),
}


@pytest.mark.parametrize("kind", COCO)
def test_a_malformed_entry_is_named(kind: str, tmp_path: Path) -> None:
    data, words = COCO[kind]
    path = tmp_path / "val.json"
    path.write_bytes(data)
    with pytest.raises(BlazeFaceError, match=f"^{path}") as caught:
        read_coco(path)
    assert words in str(caught.value)


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "wider_face_split"
    folder.mkdir()
    (folder / "wider_face_val_bbx_gt.txt").write_text("a.jpg\n1\n1 2 3\n")
    assert run_command("evaluate", ["--data", str(tmp_path), "--split", "val"]) == 1
    said = capsys.readouterr().err
    assert "wider_face_val_bbx_gt.txt:3: expected `x y w h" in said
    assert "Traceback" not in said


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert [listed.name for listed in read_wider(tmp_path / "x.txt")] == ["a.jpg"]


@pytest.fixture
def odd(tmp_path: Path) -> Sample:
    """A picture of 80 x 60 whose boxes are outside, partly outside, negative and sound."""
    rows = ["500 500 30 30", "-400 10 30 30", "-10 -10 30 30", "20 20 -5 -5", "30 10 0 10", "20 15 30 30", "-9e5 -9e5 1e6 1e6"]  # fmt: skip
    text = f"a.jpg\n{len(rows)}\n" + "".join(f"{row}\n" for row in rows)
    (tmp_path / "wider_face_split").mkdir()
    (tmp_path / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text(text)
    images = tmp_path / "WIDER_train" / "images"
    images.mkdir(parents=True)
    cv2.imwrite(str(images / "a.jpg"), np.full((60, 80, 3), 90, np.uint8))
    (sample,) = load_split(tmp_path, "train")
    return sample


def test_boxes_that_cannot_be_faces_are_ignore_regions(odd: Sample) -> None:
    assert odd.within(60, 80).ignore.tolist() == [True, True, False, True, True, False, True]
    assert odd.within(1000, 1000).ignore.tolist() == [False, True, False, True, True, False, True]


def test_training_on_odd_boxes_sees_finite_faces_in_the_picture(odd: Sample) -> None:
    image = np.full((60, 80, 3), 90, np.uint8)
    for seed in range(60):
        crop = draw_crop(image, odd, 64, (64, 64), CropRecipe(), np.random.default_rng(seed))
        assert np.isfinite(crop.boxes).all() and np.isfinite(crop.keypoints).all()
        taught = crop.boxes[~crop.ignore]
        assert (taught[:, 2:] > taught[:, :2]).all()


def test_many_lines_take_time_in_proportion(tmp_path: Path) -> None:
    times = []
    for count in (8_000, 32_000):
        path = tmp_path / f"{count}.txt"
        path.write_text(
            "".join(f"e/{i}.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 0 0 0\n" for i in range(count // 4))
        )
        start = time.process_time()
        assert len(read_wider(path)) == count // 4
        times.append(time.process_time() - start)
    assert times[1] < 20 * max(times[0], 0.05)


@pytest.mark.slow
def test_millions_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    with path.open("w") as file:
        for i in range(300_000):
            file.write(f"e/{i}.jpg\n8\n" + "1 2 3 4 0 0 0 0 0 0\n" * 8)
    start = time.process_time()
    assert sum(len(listed.faces) for listed in read_wider(path)) == 2_400_000
    assert time.process_time() - start < 60


numbers = st.floats(allow_nan=True) | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
values = st.recursive(numbers, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(
    ["images", "annotations", "id", "file_name", "image_id", "bbox", "keypoints", "iscrowd"]), inner, max_size=5), max_leaves=20)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(values, max_size=3), st.lists(values, max_size=3))
def test_any_json_gives_pictures_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, images: list[Any], annotations: list[Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "x.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    try:
        for listed in read_coco(path):
            assert all(abs(value) <= 2e6 for face in listed.faces for value in face.box)
    except BlazeFaceError as error:
        assert str(error).startswith(str(path))
