"""Sets of keypoints of others as BlazeFace's six."""

from __future__ import annotations

import pytest

from blazeface.data.formats.points import PointMap, map_points


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("right_eye", 0), ("eye_right", 0), ("RightEye", 0), ("r_eye", 0), ("right eye center", 0),
        ("left_eye", 1), ("leftEye", 1), ("nose", 2), ("nose_tip", 2), ("Nose Tip", 2),
        ("mouth", 3), ("mouth_center", 3), ("mouth_centre", 3), ("right_ear", 4), ("right_ear_tragion", 4), ("ear-left", 5),
    ],
)  # fmt: skip
def test_names_in_any_form(name: str, place: int) -> None:
    found = map_points([name], 1)
    assert isinstance(found, PointMap)
    assert found.sources == tuple((0,) if i == place else () for i in range(6))


@pytest.mark.parametrize("name", ["right_eyebrow", "left_shoulder", "chin", "right_eye_outer", "mouth_right"])
def test_names_of_other_points(name: str) -> None:
    assert map_points([name], 1) == f"none of its keypoints is an eye, a nose, a mouth or an ear: {name}"


def test_the_mouth_is_the_middle_of_its_corners_where_both_are_known() -> None:
    found = map_points(["mouth_left_corner", "right_mouth", "nose"], 3)
    assert isinstance(found, PointMap)
    assert found([(10, 4, 2), (20, 8, 1), (1, 1, 2)]) == (
        ((0, 0), (0, 0), (1, 1), (15, 6), (0, 0), (0, 0)),
        (0, 0, 2, 1, 0, 0),
    )
    assert found([(10, 4, 0), (20, 8, 2), (1, 1, 0)])[1] == (0,) * 6


def test_numbers_for_names_are_no_names() -> None:
    assert map_points(["0", "1", "2", "3", "4"], 5) == map_points(None, 5)
    assert map_points(["0"] * 17, 17) == map_points(None, 17)


def test_five_without_names_are_retinafaces() -> None:
    found = map_points(None, 5)
    assert isinstance(found, PointMap)
    assert found.sources == ((0,), (1,), (2,), (3, 4), (), ())


def test_more_points_than_names() -> None:
    assert map_points(["nose"], 2) == "2 keypoints, but 1 names of keypoints"
