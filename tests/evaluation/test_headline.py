"""The headline: thresholds and recalls by hand, groups of sources, intervals, and a second, slow implementation."""

from __future__ import annotations

import json
import math
from unittest.mock import patch

import numpy as np
import pytest
from evaluation_material import face, pictures, seen, to_record
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_headline import slow_recalls
from slow_rules import Picture

from blazeface.evaluation import operating_point
from blazeface.evaluation.headline import (
    FACELESS_GROUPS,
    OTHER_FACELESS,
    group_of,
    headline_figures,
    make_headline,
)
from blazeface.evaluation.operating_point import FalsePositives
from blazeface.evaluation.record import Record
from blazeface.evaluation.report import make_report
from blazeface.evaluation.table import markdown, table_text

QUIET = Picture(100, 100, (), ())
SOURCES = ("web", "crowd_street", "neg_houses", "neg_animals", "neg_objects", "empty")


def threshold(pictures: int, *scores: float) -> float:
    ranked = np.array(sorted(scores, reverse=True))
    return FalsePositives(pictures, ranked, np.arange(len(ranked)) % max(pictures, 1)).threshold()


def test_ten_in_a_thousand_are_left_above_the_threshold() -> None:
    # 200 pictures: two may stay, so the third is the one that must be left out.
    assert threshold(200, 0.9, 0.8, 0.7, 0.6) == 0.7
    assert threshold(299, 0.9, 0.8, 0.7, 0.6) == 0.7
    assert threshold(300, 0.9, 0.8, 0.7, 0.6) == 0.6
    # Fewer than a hundred: none may stay.
    assert threshold(99, 0.9, 0.8) == 0.9


def test_equal_scores_stay_or_go_together() -> None:
    # Were one of the two at .8 to stay, so would the other, and three are too many.
    assert threshold(200, 0.9, 0.8, 0.8, 0.7) == 0.8
    assert threshold(300, 0.9, 0.8, 0.8, 0.7) == 0.7
    assert threshold(200, 0.9, 0.9, 0.9) == 0.9


def test_with_no_more_false_positives_than_allowed_every_score_counts() -> None:
    assert threshold(200, 0.9, 0.8) == 0.0
    assert threshold(200) == 0.0
    assert threshold(99) == 0.0


def test_a_threshold_is_passed_by_higher_scores_only() -> None:
    # The false positive at .5 must go; a face at .5 goes with it.
    faces = Picture(100, 100, (face(0, 0, 20), face(50, 50, 20)), (seen(50, 50, 20, 0.75), seen(0, 0, 20, 0.5)))
    loud = Picture(100, 100, (), (seen(0, 0, 30, 0.5),))
    row = headline_figures([to_record(faces, "web"), to_record(loud, "neg_houses")])
    assert row == {"recall >=.1 at houses": 0.5, "recall >=.05 at houses": 0.5}


def made_groups() -> list[Record]:
    """A face found at .7 and a small one at .4; a crowd's at .6; houses wrong at .5, animals at .65."""
    web = Picture(100, 100, (face(0, 0, 20), face(50, 50, 5)), (seen(0, 0, 20, 0.7), seen(50, 50, 5, 0.4)))
    crowd = Picture(100, 100, (face(0, 0, 10),), (seen(0, 0, 10, 0.6),))
    house = Picture(100, 100, (), (seen(0, 0, 30, 0.5),))
    dog = Picture(100, 100, (), (seen(0, 0, 30, 0.65),))
    return [
        to_record(web, "web"),
        to_record(crowd, "crowd_street"),
        to_record(house, "neg_houses"),
        to_record(dog, "neg_animals"),
        to_record(QUIET, "neg_objects"),
        to_record(QUIET, "web"),
    ]


def test_groups_are_named_by_the_beginning_of_their_sources_names() -> None:
    assert group_of("neg_houses_2", FACELESS_GROUPS, OTHER_FACELESS) == "houses"
    assert group_of("neg_objects", FACELESS_GROUPS, OTHER_FACELESS) == "animals and objects"
    assert group_of("offices", FACELESS_GROUPS, OTHER_FACELESS) == "face-less pictures"
    found = make_headline(made_groups())
    assert found["thresholds"] == {
        "houses": {"pictures": 1, "allowed": 0, "threshold": 0.5, "left": 0},
        "animals and objects": {"pictures": 2, "allowed": 0, "threshold": pytest.approx(0.65), "left": 0},
    }
    general, crowds = found["recall"]["general"], found["recall"]["crowds"]
    assert (general["pictures"], general["faces"]) == (2, {">=.1": 1, ">=.05": 2})
    assert general["recall"] == {
        "houses": {">=.1": 1.0, ">=.05": 0.5},
        "animals and objects": {">=.1": 1.0, ">=.05": 0.5},
    }
    assert crowds["recall"] == {
        "houses": {">=.1": 1.0, ">=.05": 1.0},
        "animals and objects": {">=.1": 0.0, ">=.05": 0.0},
    }


def test_average_precision_stands_beside_it_over_the_same_pictures() -> None:
    found = make_headline(made_groups())["recall"]
    # The crowd's face comes after the dog at .65 and before the house at .5.
    assert found["crowds"]["ap50"]["houses"][">=.1"] == 1.0
    assert found["crowds"]["ap50"]["animals and objects"][">=.1"] == 0.5
    assert found["general"]["ap50"]["houses"][">=.05"] == pytest.approx(0.5 + 0.5 * 2 / 3, abs=1e-5)


def test_average_precision_at_an_iou_of_three_quarters() -> None:
    # IoU 18 * 18 / 400 = .81 and 16 * 20 / 400 = .8 pass; 14 * 20 / 400 = .7 does not, though it passes .5.
    label = face(0, 0, 20)
    for side, ap75 in ((18, 1.0), (17, 0.0)):
        picture = Picture(100, 100, (label,), (seen(0, 0, side, 0.9),))
        part = make_headline([to_record(picture, "web"), to_record(QUIET, "neg_houses")])["recall"]["general"]
        assert part["ap50"]["houses"][">=.1"] == 1.0
        assert part["ap75"]["houses"][">=.1"] == ap75, side
    report = make_report([to_record(picture, "web")])
    assert (report["coco"][">=.1"]["ap50"], report["coco"][">=.1"]["ap75"]) == (1.0, 0.0)


def test_without_a_face_less_source_the_face_less_pictures_of_all_serve() -> None:
    web = Picture(100, 100, (face(0, 0, 20),), (seen(60, 60, 30, 0.9), seen(0, 0, 20, 0.7)))
    crowd = Picture(100, 100, (face(0, 0, 20, ignore=True),), (seen(0, 0, 20, 0.95), seen(60, 60, 30, 0.6)))
    found = make_headline([to_record(web, "web"), to_record(crowd, "web")])
    # Neither the detection on the ignore region nor the one beside a face sets the threshold.
    assert found["thresholds"]["face-less pictures"]["threshold"] == pytest.approx(0.6)
    assert found["recall"]["general"]["recall"] == {"face-less pictures": {">=.1": 1.0, ">=.05": 1.0}}
    nothing = make_headline([to_record(web, "web")])
    assert nothing["thresholds"] == {} and nothing["recall"]["general"]["recall"] == {}
    assert make_headline([])["recall"] == {}


@given(st.lists(st.tuples(st.sampled_from(SOURCES), pictures()), max_size=12), st.sampled_from([10, 350, 1000]))
@settings(max_examples=100, deadline=None)
def test_recalls_agree_with_the_slow_rules(made: list[tuple[str, Picture]], per_thousand: int) -> None:
    expected = slow_recalls(made, per_thousand)
    with patch.object(operating_point, "FALSE_POSITIVES_PER_THOUSAND", per_thousand):
        found = headline_figures([to_record(picture, source) for source, picture in made])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, nan_ok=True), name


@given(st.lists(st.tuples(st.sampled_from([0.25, 0.5, 0.75]), st.integers(0, 3)), max_size=30), st.integers(0, 5))
def test_a_weight_is_the_picture_that_many_times(rows: list[tuple[float, int]], hundreds: int) -> None:
    rows.sort(reverse=True)
    scores, weight = np.array([s for s, _ in rows], float), np.array([w for _, w in rows], int)
    more = np.zeros(100 * hundreds, int)
    weighted = FalsePositives(100 * hundreds, scores, np.arange(len(rows))).threshold(np.append(weight, more))
    repeated = np.repeat(scores, weight)
    plain = FalsePositives(100 * hundreds, repeated, np.arange(len(repeated))).threshold()
    assert weighted == plain


def test_intervals_draw_the_pictures_of_each_group_by_themselves() -> None:
    # One face a picture, 60 of 400 missed; no house is ever wrong: the normal approximation of a proportion.
    hit, miss = (
        Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, 0.9),)),
        Picture(100, 100, (face(0, 0, 20),), ()),
    )
    made = [to_record(hit, "web")] * 340 + [to_record(miss, "web")] * 60 + [to_record(QUIET, "neg_houses")] * 100
    pair = make_headline(made, 1000, seed=1)["recall"]["general"]["intervals"]["houses"][">=.1"]
    spread = 1.96 * math.sqrt(0.85 * 0.15 / 400)
    assert pair == pytest.approx((0.85 - spread, 0.85 + spread), abs=0.006)
    assert make_headline(made, 20, seed=1) == make_headline(made, 20, seed=1)
    assert make_headline(made)["recall"]["general"]["intervals"] == {}


def test_intervals_feel_that_a_threshold_rests_on_few_pictures() -> None:
    # All faces at .5; of 100 houses one may be wrong, and one is, at .9, another at .6. Drawn twice or with the other,
    # which happens in more than half of the draws, it moves the threshold over the faces.
    hit = Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, 0.5),))
    wrong = [Picture(100, 100, (), (seen(0, 0, 30, score),)) for score in (0.9, 0.6)]
    made = [
        to_record(hit, "web"),
        *(to_record(p, "neg_houses") for p in wrong),
        *[to_record(QUIET, "neg_houses")] * 98,
    ]
    part = make_headline(made, 200)["recall"]["general"]
    assert part["recall"]["houses"][">=.1"] == 0.0
    assert part["intervals"]["houses"][">=.1"] == (0.0, 1.0)


def test_report_and_tables_begin_with_it() -> None:
    report = json.loads(json.dumps(make_report(made_groups(), resamples=10), allow_nan=False))
    assert report["headline"]["recall"]["crowds"]["recall"]["houses"][">=.1"] == 1.0
    lines = table_text(report).splitlines()
    assert lines[0].startswith("Recall at IoU 0.5") and "10 false positives" in lines[0]
    assert lines[2] == "- houses: score above .500, 0 in 1 pictures"
    row = next(line for line in lines if line.startswith("general, houses")).split()
    assert row[2:6] == ["1/2", "1.000", "1.000-1.000", ".500"]
    assert "| general, houses | 1/2 | 1.000 | 1.000-1.000 | .500 |" in markdown(report, "x")
    assert table_text(make_report([to_record(QUIET, "web")])).startswith("AP at IoU 0.5")
