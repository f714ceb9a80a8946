"""Ignore regions, decoys and hard faces from a file of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from blazeface.data.regions import with_regions
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError


def sample(name: str) -> Sample:
    return Sample(
        Path("images") / name,
        name.split("/")[0],
        np.array([[10, 10, 20, 20]], np.float32),
        np.ones((1, 6, 2), np.float32),
        np.full((1, 6), 2, np.uint8),
        np.zeros(1, bool),
    )


def test_regions_join_the_labels_of_their_picture(tmp_path: Path) -> None:
    path = tmp_path / "regions.json"
    path.write_text(json.dumps({"a/1.jpg": {"ignore": [[1, 2, 3, 4]], "decoys": [[5, 6, 7, 8], [0, 0, 9, 9]]}}))
    first, second = with_regions([sample("a/1.jpg"), sample("b/1.jpg")], path)
    assert first.boxes.tolist() == [[10, 10, 20, 20], [1, 2, 3, 4]]
    assert first.ignore.tolist() == [False, True]
    assert first.visibility.tolist() == [[2] * 6, [0] * 6]
    assert first.keypoints.shape == (2, 6, 2)
    assert first.decoys.tolist() == [[5, 6, 7, 8], [0, 0, 9, 9]]
    assert second.ignore.tolist() == [False] and second.decoys.shape == (0, 4)
    assert first.hard.shape == second.hard.shape == (0, 4)


def test_hard_faces_are_no_labels_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "regions.json"
    path.write_text(json.dumps({"a/1.jpg": {"hard": [[10, 10, 20, 20]]}}))
    (only,) = with_regions([sample("a/1.jpg")], path)
    assert only.hard.tolist() == [[10, 10, 20, 20]]
    assert only.boxes.tolist() == [[10, 10, 20, 20]] and only.decoys.shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "not a file of regions"),
        ("[]", "not a file of regions"),
        ('{"a/1.jpg": {"ignore": [[3, 2, 1, 4]]}}', "a box is not x1 y1 x2 y2"),
        ('{"a/1.jpg": {"ignore": [[1, 2, 3]]}}', "not a file of regions"),
        (f'{{"a/1.jpg": {{"ignore": [[1, 2, 3, 1{"0" * 400}]]}}}}', "not a file of regions"),
        ('{"c/9.jpg": {}}', "it knows none of the 1 pictures"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "regions.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BlazeFaceError, match=message) as error:
        with_regions([sample("a/1.jpg")], path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
