"""Average precision on rankings small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from blazeface.evaluation.ap import average_precision, precision_recall, recall_steps


def test_area_under_the_envelope_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    hit = np.array([True, False, True, True, False])
    precision, recall = precision_recall(scores, hit, 4)
    assert precision == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    assert recall == pytest.approx([0.25, 0.25, 0.5, 0.75, 0.75])
    # The envelope lifts 1/2 and 2/3 to 3/4; the fourth face is never found.
    assert average_precision(recall_steps(scores, hit), 4) == pytest.approx(0.25 * 1 + 0.5 * 0.75)


def test_steps_are_the_last_places_of_scores_with_a_hit() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.8, 0.5, 0.5, 0.1])
    hit = np.array([False, True, False, True, False, True, False])
    steps = recall_steps(scores, hit)
    assert steps.hits.tolist() == [1, 3, 5]
    assert steps.ends.tolist() == [3, 5]
    assert steps.upto.tolist() == [2, 3]


def test_equal_scores_count_at_once_in_whatever_order() -> None:
    scores = np.array([0.9, 0.5, 0.5])
    for hit in ([False, True, False], [False, False, True]):
        assert average_precision(recall_steps(scores, np.array(hit)), 1) == pytest.approx(1 / 3)


def test_a_weight_is_a_repetition() -> None:
    scores, hit = np.array([0.9, 0.7, 0.6, 0.2]), np.array([False, True, False, True])
    weight = np.array([2, 3, 0, 1])
    steps = recall_steps(scores, hit)
    repeated = average_precision(recall_steps(np.repeat(scores, weight), np.repeat(hit, weight)), 7)
    assert average_precision(steps, 7, weight) == pytest.approx(repeated)
    assert average_precision(steps, 3, np.zeros(4, int)) == 0.0


def test_nothing_found_and_nothing_to_find() -> None:
    nothing, none = np.zeros(0), np.zeros(0, bool)
    assert average_precision(recall_steps(nothing, none), 3) == 0.0
    assert average_precision(recall_steps(np.array([0.5]), np.array([False])), 3, np.array([2])) == 0.0
    assert math.isnan(average_precision(recall_steps(np.array([0.5]), np.array([False])), 0))
