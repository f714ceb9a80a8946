"""Calibration: the map is found again, the order stays, and the fold gives what the map says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from small_network import small_network

from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.record import Record
from blazeface.training.calibrate import calibrate, fit_platt, outcomes


@given(st.floats(0.3, 4), st.floats(-2, 2), st.integers(0, 100))
@example(4.0, 0.0, 86)
def test_a_map_is_found_again(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.uniform(-4, 4, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(-(scale * logits + shift)))
    found = fit_platt(logits, right)
    # Five standard errors of the scale, from the information of logits all over the line: int x^2 p (1 - p) dx = pi^2 / (3 scale^3).
    error = 5 * np.sqrt(3 * scale**3 / (np.pi**2 * len(logits) / 8))
    assert found[0] == pytest.approx(scale, abs=max(0.25, error))
    assert found[1] == pytest.approx(shift, abs=0.25)


def test_separable_outcomes_stay_finite() -> None:
    scale, shift = fit_platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([False, False, True, True]))
    assert 1 < scale < 10 and abs(shift) < 1e-6


def record(scores: list[float], face: list[int], wrong: list[bool]) -> Record:
    count = len(scores)
    detections = Detections(
        np.zeros((count, 4), np.float32), np.array(scores, np.float32), np.zeros((count, 6, 2), np.float32)
    )
    sample = Sample(
        Path("x"),
        "a",
        np.zeros((1, 4), np.float32),
        np.zeros((1, 6, 2), np.float32),
        np.zeros((1, 6), np.uint8),
        np.zeros(1, bool),
    )
    nothing = np.zeros(0)
    return Record(sample, detections, nothing, nothing, np.array(face), np.array(wrong), nothing, nothing)


def test_detections_on_ignore_regions_do_not_count() -> None:
    logits, right = outcomes([record([0.9, 0.5, 0.1], [-1, 0, -1], [False, False, True])])
    assert logits == pytest.approx([0, np.log(0.1 / 0.9)], abs=1e-6)
    assert right.tolist() == [True, False]


def test_the_fold_gives_what_the_map_says() -> None:
    network = small_network()
    images = torch.randn(2, 3, 32, 32)
    before, regressions = network(images)
    rng = np.random.default_rng(0)
    scores = np.sort(rng.uniform(0.02, 0.98, 400))[::-1]
    right = rng.random(400) < scores**2
    faces, wrong = np.where(right, 0, -1).tolist(), (~right).tolist()
    scale, shift = calibrate(network, [record(scores.tolist(), faces, wrong)])
    after, same = network(images)
    assert torch.allclose(after, before * scale + shift, atol=1e-4)
    assert torch.equal(same, regressions)
    assert abs(scale - 1) > 0.05


def test_with_too_few_detections_nothing_changes() -> None:
    network = small_network()
    images = torch.randn(1, 3, 32, 32)
    before = network(images)[0]
    assert calibrate(
        network, [record([0.9] * 60 + [0.4] * 10, [0] * 60 + [-1] * 10, [False] * 60 + [True] * 10)]
    ) == (
        1.0,
        0.0,
    )
    assert torch.equal(network(images)[0], before)
