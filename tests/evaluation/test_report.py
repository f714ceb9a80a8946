"""Reports: weights as repetitions, intervals, sources, JSON and the table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from evaluation_material import face, pictures, seen, to_record
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rules import Picture

from blazeface.evaluation.columns import make_columns, weighted_median
from blazeface.evaluation.report import figures, intervals, make_report
from blazeface.evaluation.table import markdown, number, table_text

FP = "false positives per face-less picture"
FOUND = Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, 0.9),))
MISSED = Picture(100, 100, (face(0, 0, 20),), ())
QUIET = Picture(100, 100, (), ())
LOUD = Picture(100, 100, (), (seen(0, 0, 20, 0.7),))


@given(st.lists(st.tuples(pictures(), st.integers(0, 3)), max_size=5))
@settings(max_examples=80, deadline=None)
def test_a_weight_is_the_picture_that_many_times(made: list[tuple[Picture, int]]) -> None:
    weighted = make_columns([to_record(picture) for picture, _ in made]).figures(
        np.array([n for _, n in made], int)
    )
    repeated = figures([to_record(picture) for picture, count in made for _ in range(count)])
    assert weighted == pytest.approx(repeated, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=8))
def test_weighted_median_is_the_median_of_the_repeated_values(rows: list[tuple[int, int]]) -> None:
    rows.sort()
    values, weight = np.array([v for v, _ in rows], float), np.array([w for _, w in rows], int)
    repeated = np.repeat(values, weight)
    expected = np.median(repeated) if len(repeated) else math.nan
    assert weighted_median(values, weight) == pytest.approx(expected, nan_ok=True)


@given(st.lists(pictures(), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_intervals_are_those_of_lists_drawn_picture_by_picture(made: list[Picture], seed: int) -> None:
    found = [to_record(picture) for picture in made]
    rng = np.random.default_rng(seed)
    rows = [figures([found[i] for i in rng.integers(0, len(found), len(found))]) for _ in range(12)]
    for name, pair in intervals(make_columns(found), 12, seed).items():
        values = [row[name] for row in rows if not math.isnan(row[name])]
        expected = (np.percentile(values, 2.5), np.percentile(values, 97.5)) if values else None
        assert pair == (expected if expected is None else pytest.approx(expected, abs=1e-5)), name


def test_intervals_are_as_wide_as_theory_says() -> None:
    # 60 of 400 pictures with one false_positive each: the normal approximation of a proportion.
    columns = make_columns([to_record(LOUD)] * 60 + [to_record(QUIET)] * 340)
    low, high = intervals(columns, 1000, seed=1)[FP] or (0.0, 0.0)
    spread = 1.96 * math.sqrt(0.15 * 0.85 / 400)
    assert low == pytest.approx(0.15 - spread, abs=0.006)
    assert high == pytest.approx(0.15 + spread, abs=0.006)
    assert intervals(columns, 50, seed=1) == intervals(columns, 50, seed=1)
    assert intervals(columns, 50, seed=1)["AP >=.1"] is None


def test_report_by_source_is_json_and_rests_on_counts() -> None:
    found = [to_record(FOUND, "a"), to_record(MISSED, "a"), to_record(FOUND, "b"), to_record(LOUD, "c")]
    report = json.loads(json.dumps(make_report(found, resamples=20), allow_nan=False))
    assert report["pictures"] == 4 and report["faceless_pictures"] == 1
    assert report["faces"][".2-.45"] == 3 and report["faces"][".1-.2"] == 0
    # Scores .9, .9 hit and .7 is wrong: two of three faces at precision 1.
    assert report["figures"]["AP .2-.45"] == pytest.approx(0.66667)
    assert report["figures"]["AP .1-.2"] is None and report["figures"]["keypoint error"] is None
    assert {name: group["figures"]["AP .2-.45"] for name, group in report["by_source"].items()} == {
        "a": 0.5,
        "b": 1.0,
        "c": None,
    }
    assert report["by_source"]["c"]["intervals"][FP] == [1.0, 1.0]
    assert make_report(found)["intervals"] == {}


def test_table_has_a_row_a_source_and_a_dash_for_nothing() -> None:
    found = [to_record(FOUND, "first"), to_record(MISSED, "first"), to_record(LOUD, "")]
    lines = table_text(make_report(found, resamples=20)).splitlines()
    heading = next(i for i, line in enumerate(lines) if ".05-.1" in line)
    assert lines[heading].split() == [".05-.1", ".1-.2", ".2-.45", ">=.45", ">=.1", ">=.05", "FP", "keypoints"]
    assert lines[heading + 1].split() == ["counted", "0", "0", "2", "0", "2", "2", "1", "0"]
    assert lines[heading + 2].split() == ["all", "-", "-", ".500", "-", ".500", ".500", "1.000", "-"]
    assert lines[heading + 3].startswith("  3 pictures")
    assert lines[heading + 4].split()[:2] == ["(no", "folder)"]
    assert lines[heading + 6].split() == ["first", "-", "-", ".500", "-", ".500", ".500", "-", "-"]
    edges = [line.rstrip() for line in lines[heading : heading + 3]]
    assert len({len(line) for line in edges}) == 1  # columns are flush right
    assert len(lines[heading].rstrip()) == len(table_text(make_report(found)).splitlines()[heading])
    assert (number(0.8876), number(1.0), number(0.0), number(None)) == (".888", "1.000", ".000", "-")


def test_a_folder_s_name_is_text_on_the_terminal_and_in_markdown() -> None:
    report = make_report([to_record(FOUND, "\x1b]0;x\x07\n|<img src=x>`a")])
    assert "\x1b" not in table_text(report) and "\\x1b]0;x\\x07\\n|<img" in table_text(report)
    text = markdown(report, "a<b")
    assert "\x1b" not in text and "<" not in text
    (row,) = (line for line in text.splitlines() if "]0;x" in line)
    assert row.count("|") == text.splitlines()[text.splitlines().index(row) - 1].count("|")
    assert "# a&lt;b" in text
