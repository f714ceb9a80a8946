"""WIDER's protocol against a second, literal reading of it: one loop after another, in plain Python."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.evaluation.wider.files import read_truth
from blazeface.evaluation.wider.protocol import SUBSETS, WiderTruth, wider_ap, wider_iou

OFFICIAL = Path(__file__).parents[2] / ".." / "shared" / "wider_official"


def slow_iou(a: list[float], b: list[float]) -> float:
    ax2, ay2, bx2, by2 = a[0] + a[2], a[1] + a[3], b[0] + b[2], b[1] + b[3]
    width = min(ax2, bx2) - max(a[0], b[0]) + 1
    height = min(ay2, by2) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    area_a = (ax2 - a[0] + 1) * (ay2 - a[1] + 1)
    area_b = (bx2 - b[0] + 1) * (by2 - b[1] + 1)
    return width * height / (area_a + area_b - width * height)


def slow_ap(truths: list[WiderTruth], predictions: list[np.ndarray], subset: str) -> float:
    every = [float(row[4]) for rows in predictions for row in rows]
    low, high = min(every, default=0.0), max(every, default=0.0)
    proposals, recalled, faces = [0] * 1000, [0] * 1000, 0
    for truth, rows in zip(truths, predictions, strict=True):
        counted = [bool(value) for value in truth.counted[subset]]
        faces += sum(counted)
        if len(rows) == 0 or len(truth.boxes) == 0:
            continue
        ranked = sorted(([*map(float, row)] for row in rows), key=lambda row: -row[4])
        scores = [1.0 if high == low else (row[4] - low) / (high - low) for row in ranked]
        boxes = [[*map(float, box)] for box in truth.boxes]
        state = [0] * len(boxes)  # 1: found, -1: an ignored face was met
        proposal, recall = [1] * len(ranked), [0] * len(ranked)
        for h, row in enumerate(ranked):
            overlaps = [slow_iou(row, box) for box in boxes]
            best = overlaps.index(max(overlaps))
            if overlaps[best] >= 0.5:
                if not counted[best]:
                    state[best], proposal[h] = -1, -1
                elif state[best] == 0:
                    state[best] = 1
            recall[h] = state.count(1)
        for t in range(1000):
            over = [h for h, score in enumerate(scores) if score >= 1 - (t + 1) / 1000]
            if over:
                proposals[t] += sum(1 for h in range(over[-1] + 1) if proposal[h] == 1)
                recalled[t] += recall[over[-1]]
    if faces == 0:
        return math.nan
    precision = [found / count if count else 0.0 for found, count in zip(recalled, proposals, strict=True)]
    mrec = [0.0, *(found / faces for found in recalled), 1.0]
    mpre = [0.0, *precision, 0.0]
    for i in range(len(mpre) - 1, 0, -1):
        mpre[i - 1] = max(mpre[i - 1], mpre[i])
    return sum((mrec[i + 1] - mrec[i]) * mpre[i + 1] for i in range(len(mrec) - 1) if mrec[i + 1] != mrec[i])


def same(truths: list[WiderTruth], predictions: list[np.ndarray]) -> dict[str, float]:
    fast = wider_ap(truths, predictions)
    for subset in SUBSETS:
        assert fast[subset] == pytest.approx(slow_ap(truths, predictions, subset), abs=1e-6, nan_ok=True), subset
    return fast


def make_truth(boxes: list[tuple[float, ...]], counted: list[bool] | None = None) -> WiderTruth:
    mask = np.array([True] * len(boxes) if counted is None else counted, bool)
    return WiderTruth("event", "name", np.array(boxes, float).reshape(-1, 4), dict.fromkeys(SUBSETS, mask))


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, float).reshape(-1, 5)


# Few values of each kind: equal scores, equal boxes, IoU of exactly one half and sides of zero are common.
# Multiples of 1/1000 lie on a threshold.
SCORES = st.sampled_from([-1.0, 0.0, 0.001, 0.3, 0.301, 0.5, 0.999, 1.0])
BOXES = st.tuples(*[st.sampled_from([0, 1, 5, 10])] * 2, *[st.sampled_from([0, 0.5, 1, 9, 10, 19])] * 2)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[WiderTruth, np.ndarray]:
    boxes = draw(st.lists(BOXES, max_size=5))
    masks = {s: np.array([draw(st.booleans()) for _ in boxes], bool) for s in SUBSETS}
    places = st.one_of(BOXES, st.sampled_from(boxes)) if boxes else BOXES
    found = [(*draw(places), draw(SCORES)) for _ in range(draw(st.integers(0, 6)))]
    return WiderTruth("event", "name", np.array(boxes, float).reshape(-1, 4), masks), rows(*found)


@settings(max_examples=60, deadline=None)
@given(st.lists(pictures(), max_size=4))
def test_equals_the_literal_reading(case: list[tuple[WiderTruth, np.ndarray]]) -> None:
    same([truth for truth, _ in case], [found for _, found in case])


def test_sides_are_one_longer_than_they_say() -> None:
    # 10 x 10 and, shifted by 5, 10 x 10 pixels: 50 shared of 150. Boxes of no size are one pixel.
    assert wider_iou(rows((0, 0, 9, 9, 1)), np.array([[5.0, 0, 9, 9]])).tolist() == [[50 / 150]]
    assert wider_iou(rows((3, 3, 0, 0, 1)), np.array([[3.0, 3, 0, 0]])).tolist() == [[1.0]]
    assert wider_iou(rows((0, 0, 0, 0, 1)), np.array([[1.0, 0, 0, 0]])).tolist() == [[0.0]]


def test_a_second_hit_is_a_false_positive() -> None:
    truth = make_truth([(0, 0, 9, 9), (50, 50, 9, 9)])
    found = rows((0, 0, 9, 9, 0.9), (0, 0, 9, 9, 0.8), (50, 50, 9, 9, 0.1))
    assert same([truth], [found])["easy"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_only_the_closest_face_is_asked() -> None:
    # Both faces overlap the second prediction by more than half; the closest is taken, and it does not fall back.
    truth = make_truth([(0, 0, 99, 99), (0, 10, 99, 99)])
    found = rows((0, 0, 99, 99, 0.9), (0, 1, 99, 99, 0.1))
    assert same([truth], [found])["hard"] == pytest.approx(0.5)


def test_an_ignored_face_counts_neither_way() -> None:
    truth = make_truth([(0, 0, 9, 9), (50, 50, 9, 9)], [False, True])
    found = rows((0, 0, 9, 9, 0.9), (0, 0, 9, 9, 0.8), (50, 50, 9, 9, 0.1))
    assert same([truth], [found])["medium"] == pytest.approx(1.0)


def test_equal_scores_are_guarded() -> None:
    truth = make_truth([(0, 0, 9, 9)])
    found = rows((0, 0, 9, 9, 0.7), (50, 50, 9, 9, 0.7))
    assert same([truth], [found])["easy"] == pytest.approx(0.5)


def test_scores_are_stretched_over_all_pictures() -> None:
    # On a scale of their own the second picture's scores would reach from 0 to 1 too, and the false_positive be early.
    truths = [make_truth([(0, 0, 9, 9)]), make_truth([(0, 0, 9, 9)])]
    found = [rows((0, 0, 9, 9, 9.0), (0, 0, 9, 9, 0.0)), rows((50, 50, 9, 9, 0.2), (0, 0, 9, 9, 0.1))]
    assert same(truths, found)["easy"] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_nothing_found_and_nothing_to_find() -> None:
    assert same([make_truth([(0, 0, 9, 9)])], [rows()])["easy"] == 0
    assert math.isnan(same([make_truth([])], [rows((0, 0, 9, 9, 1))])["easy"])
    assert math.isnan(wider_ap([], [])["easy"])


def test_a_picture_without_labels_is_passed_over() -> None:
    truths = [make_truth([]), make_truth([(0, 0, 9, 9)])]
    assert same(truths, [rows((0, 0, 9, 9, 1.0)), rows((0, 0, 9, 9, 0.5))])["easy"] == pytest.approx(1.0)


@pytest.fixture(scope="module")
def official() -> list[WiderTruth]:
    if not OFFICIAL.is_dir():
        pytest.skip("the official ground truth is not there")
    return read_truth(OFFICIAL)


def test_the_official_counts(official: list[WiderTruth]) -> None:
    assert len(official) == 3226 and sum(len(truth.boxes) for truth in official) == 39_708
    for subset, faces, pictures in (("easy", 7211, 2604), ("medium", 13319, 3019), ("hard", 31958, 3219)):
        counts = [int(truth.counted[subset].sum()) for truth in official]
        assert (sum(counts), sum(count > 0 for count in counts)) == (faces, pictures)


def imagined(truth: WiderTruth, rng: np.random.Generator, count: int) -> np.ndarray:
    """Predictions around the faces, some good, and anywhere; scores on a coarse scale, so that many are equal."""
    anywhere = rng.uniform([0, 0, 0, 0], [900, 600, 90, 90], (count, 4))
    if len(truth.boxes):
        near = truth.boxes[rng.integers(0, len(truth.boxes), count)]
        near = near + rng.normal(0, 0.15, (count, 4)) * np.maximum(near[:, [2, 3, 2, 3]], 1)
        anywhere = np.where(rng.random((count, 1)) < 0.7, near, anywhere)
    anywhere[:, 2:] = np.maximum(anywhere[:, 2:], 0)
    return np.column_stack([anywhere, rng.integers(20, 200, count) / 200])


def test_official_truth_equals_the_literal_reading(official: list[WiderTruth]) -> None:
    rng = np.random.default_rng(5)
    truths = [truth for truth in official if truth.event.startswith(("0--", "29--", "61--"))][::5]
    assert len(truths) > 20
    scores = same(truths, [imagined(truth, rng, int(rng.integers(0, 40))) for truth in truths])
    assert all(0.05 < value < 0.95 for value in scores.values())


def test_perfect_predictions_of_the_whole_set(official: list[WiderTruth]) -> None:
    # 39,708 predictions at once: every counted face found once, the others ignored.
    found = [np.column_stack([truth.boxes, np.linspace(1, 0.1, len(truth.boxes))]) for truth in official]
    scores = wider_ap(official, found)
    assert all(value > 0.99 for value in scores.values())
