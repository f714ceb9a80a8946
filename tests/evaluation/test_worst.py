"""Worst misses and false false_positives: which, in what order, and how they are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from evaluation_material import face, seen, to_record
from slow_rules import Picture

from blazeface.evaluation.curves import draw_precision_recall
from blazeface.evaluation.sheet import CAPTION, COLUMNS, FOUND, HEADER, LABELLED, TILE, contact_sheet
from blazeface.evaluation.worst import Case, false_positives, missed_faces
from blazeface.geometry import Image

# r = .4 not found, r = .2 found at .3, r = .2 found at .9, r = .04 not found; an false_positive far away and one close by.
PICTURE = Picture(
    100,
    100,
    (face(0, 0, 40), face(60, 0, 20), face(60, 60, 20), face(0, 90, 4), face(0, 60, 20, ignore=True)),
    (
        seen(60, 60, 20, 0.9),
        seen(20, 0, 40, 0.8),
        seen(62, 40, 10, 0.7),
        seen(0, 60, 20, 0.6),
        seen(60, 0, 20, 0.3),
    ),
)


def test_misses_come_by_score_then_by_size() -> None:
    larger = Picture(100, 100, (face(0, 0, 50),), ())
    unsure = Picture(100, 100, (face(0, 0, 90),), (seen(0, 0, 90, 0.4),))
    cases = missed_faces([to_record(unsure), to_record(PICTURE), to_record(larger)], 0.5)
    found: list[Any] = [(case.size, case.score) for case in cases]
    assert found == [
        (pytest.approx(0.5), 0.0),
        (pytest.approx(0.4), 0.0),
        (pytest.approx(0.2), pytest.approx(0.3)),
        (pytest.approx(0.9), pytest.approx(0.4)),
    ]
    assert cases[1].iou == pytest.approx(20 * 40 / (2 * 1600 - 800))  # with the false_positive beside it
    assert cases[2].iou == 0.0  # what found it lies below the threshold


def test_alarms_come_by_score_and_ignored_ones_do_not() -> None:
    cases = false_positives([to_record(PICTURE)], 0.5)
    assert [case.score for case in cases] == pytest.approx([0.8, 0.7])
    assert [case.iou for case in cases] == pytest.approx([1 / 3, 0.0])


def grey(_: Path) -> Image:
    return np.full((100, 100, 3), 90, np.uint8)


def tile(sheet: Image, index: int) -> Image:
    top, left = HEADER + index // COLUMNS * (TILE + CAPTION), index % COLUMNS * TILE
    return sheet[top : top + TILE, left : left + TILE]


def near(image: Image, x: float, y: float, color: tuple[int, int, int]) -> bool:
    """Whether the colour is found around a point, given in the box's sides from the tile's middle."""
    middle, unit = TILE / 2, TILE / 2.6
    row, column = round(middle + y * unit), round(middle + x * unit)
    patch = image[row - 3 : row + 4, column - 3 : column + 4].reshape(-1, 3).astype(int)
    return bool((abs(patch - np.array(color)).sum(axis=1) < 60).any())


def test_sheet_draws_each_case_in_the_middle_of_its_tile() -> None:
    record = to_record(PICTURE)
    missed = tile(contact_sheet(missed_faces([record], 0.5), grey, "misses"), 0)
    for x, y in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)):
        assert near(missed, x, y, LABELLED)
    assert near(missed, 1.0, 0.2, FOUND)  # the false_positive beside it, half a side further right
    assert not near(missed, 0, 0, LABELLED)
    false_positive = tile(contact_sheet(false_positives([record], 0.5), grey, "false_positives"), 0)
    assert near(false_positive, -0.5, 0.3, FOUND) and near(false_positive, 0.5, 0.3, FOUND)
    # Beyond the picture's edge it is black.
    assert (missed[40:60, 4:8] == 0).all()


def test_sheet_grows_by_rows_and_stops_when_full() -> None:
    record = to_record(PICTURE)
    case = Case(record, record.sample.boxes[0], 0.4, 0.0, 0.0)
    heights = [contact_sheet([case] * count, grey, "x").shape[0] for count in (0, 8, 9, 48, 500)]
    assert heights == [HEADER + rows * (TILE + CAPTION) for rows in (1, 1, 2, 6, 6)]


def test_curve_is_a_picture_with_a_line_for_each_size_present(tmp_path: Path) -> None:
    draw_precision_recall([to_record(PICTURE)], tmp_path / "curve.png", "title", 0.5)
    image = cv2.imread(str(tmp_path / "curve.png"))
    assert image is not None and image.shape[0] > 300

    def has(color: tuple[int, int, int]) -> bool:
        return bool((abs(image.astype(int) - np.array(color[::-1])).sum(axis=2) < 12).sum() > 40)

    assert has((44, 160, 44))  # .2-.45 is green
    assert not has((31, 119, 180)) and not has((214, 39, 40))  # no face of .05-.1, none of >= .45
    draw_precision_recall([], tmp_path / "empty.png", "nothing", 0.5)
    assert (tmp_path / "empty.png").stat().st_size > 1000
