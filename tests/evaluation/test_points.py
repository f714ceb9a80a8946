"""The error of each keypoint, and a report's tables in Markdown."""

from __future__ import annotations

import pytest
from evaluation_material import to_record
from slow_rules import Found, Label, Picture

from blazeface.evaluation.points import CENTRAL_NAME, point_figures
from blazeface.evaluation.report import make_report
from blazeface.evaluation.table import markdown

BOX = (0.0, 0.0, 40.0, 40.0)
RIGHT = ((10.0, 10.0), (30.0, 10.0), (20.0, 20.0), (20.0, 30.0), (5.0, 12.0), (35.0, 12.0))
"""Six keypoints, the eyes 20 pixels apart."""


def shown(off: tuple[float, ...], visibility: tuple[int, ...] = (2, 2, 2, 2, 1, 1)) -> Picture:
    """One face whose keypoints are found so many pixels too far to the right."""
    found = tuple((x + d, y) for (x, y), d in zip(RIGHT, off, strict=True))
    return Picture(100, 100, (Label(BOX, False, RIGHT, visibility),), (Found(BOX, 0.9, found),))


def test_each_keypoint_by_itself() -> None:
    records = [to_record(shown((0, 1, 2, 4, 8, 0))), to_record(shown((0, 3, 2, 0, 0, 0)))]
    row = point_figures(records)
    assert list(row) == [
        CENTRAL_NAME, "right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear"
    ]  # fmt: skip
    assert row["left_eye"] == {"faces": 2, "mean": 0.1, "median": 0.1, "failures": 0.5}  # .05 and .15
    assert row["mouth_center"] == {"faces": 2, "mean": 0.1, "median": 0.1, "failures": 0.5}  # .2 and 0
    assert row["right_ear"]["mean"] == pytest.approx(0.2)  # .4 and 0
    assert row[CENTRAL_NAME]["mean"] == pytest.approx((7 / 80 + 5 / 80) / 2)


def test_what_nobody_marked_is_not_measured() -> None:
    row = point_figures([to_record(shown((1,) * 6, (2, 2, 2, 1, 0, 1)))])
    assert [row[name]["faces"] for name in row] == [0, 1, 1, 1, 0, 0, 1]
    assert row["mouth_center"]["median"] is None
    row = point_figures([to_record(shown((1,) * 6, (2, 1, 2, 2, 2, 2)))])
    assert not any(row[name]["faces"] for name in row)


def test_markdown_holds_the_figures() -> None:
    text = markdown(make_report([to_record(shown((0, 1, 2, 4, 8, 0)))], 5), "made on val")
    assert text.startswith("# made on val\n")
    assert "| AP50:95 | - | - | 1.000 | - | 1.000 | 1.000 |" in text
    assert "| right_ear | 1 | .400 | .400 | 1.000 |" in text
    assert "| all | - | - | 1.000 | - | 1.000 | 1.000 | - | .087 |" in text
