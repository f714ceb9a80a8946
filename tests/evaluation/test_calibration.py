"""Expected calibration error, by hand and against the definition."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_material import face, pictures, seen, to_record
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rules import Picture

from blazeface.evaluation.calibration import calibration
from blazeface.evaluation.curves import draw_reliability


def right(score: float) -> Picture:
    return Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, score),))


def wrong(score: float) -> Picture:
    return Picture(100, 100, (), (seen(0, 0, 20, score),))


def test_the_error_is_the_mean_distance_of_bins_from_the_diagonal() -> None:
    made = [right(0.75), right(0.75), wrong(0.75), wrong(0.25)]
    found = calibration([to_record(picture) for picture in made])
    # Three at .75 of which two thirds are right, one at .25 that is not.
    assert found["error"] == pytest.approx((3 * (0.75 - 2 / 3) + 0.25) / 4, abs=1e-5)
    assert found["detections"] == 4
    row = next(row for row in found["bins"] if row["detections"] == 3)
    assert (row["low"], row["high"], row["score"], row["right"]) == (0.7, 0.8, 0.75, 0.66667)
    empty = found["bins"][0]
    assert (empty["low"], empty["detections"], empty["score"], empty["right"]) == (0.1, 0, None, None)


def test_low_scores_and_ignore_regions_do_not_count() -> None:
    region = Picture(100, 100, (face(0, 0, 40, ignore=True),), (seen(10, 10, 20, 0.9),))
    found = calibration([to_record(picture) for picture in (wrong(0.0625), region)])
    assert found["error"] is None and found["detections"] == 0


def test_both_ends_belong_to_a_bin() -> None:
    found = calibration([to_record(picture) for picture in (right(1.0), wrong(0.125), right(0.5))])
    assert [row["detections"] for row in found["bins"]] == [1, 0, 0, 0, 1, 0, 0, 0, 1]


@given(st.lists(pictures(), max_size=6))
@settings(max_examples=60, deadline=None)
def test_bins_agree_with_a_loop(made: list[Picture]) -> None:
    found = [to_record(picture) for picture in made]
    rows: dict[int, list[tuple[float, bool]]] = {}
    for record in found:
        for i, score in enumerate(record.detections.scores):
            if score >= 0.1 and (record.face[i] >= 0 or record.wrong[i]):
                rows.setdefault(min(int(score * 10), 9), []).append((float(score), bool(record.face[i] >= 0)))
    total = sum(map(len, rows.values()))
    error = sum(abs(sum(s for s, _ in row) - sum(hit for _, hit in row)) for row in rows.values())
    expected = error / total if total else None
    assert calibration(found)["error"] == (expected if expected is None else pytest.approx(expected, abs=1e-5))


def test_the_plot_is_drawn_of_anything(tmp_path: Path) -> None:
    for name, made in (("some", [right(0.75), wrong(0.25)]), ("none", []), (r"a $\frac{ file", [])):
        draw_reliability(calibration([to_record(picture) for picture in made]), tmp_path / f"{name}.png", name)
        image = cv2.imread(str(tmp_path / f"{name}.png"))
        assert image is not None and np.ptp(image) == 255
