"""The page of the jitter benchmark says what its file says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import RESULTS
from benchmarks.video.moving_face import best_delay, moving_face
from benchmarks.video.report import markdown
from benchmarks.video.stills import figures


def test_the_page_is_that_of_the_file() -> None:
    result = json.loads((RESULTS / "jitter.json").read_text(encoding="utf-8"))
    assert (RESULTS / "jitter.md").read_text(encoding="utf-8") == markdown(result)


def test_the_lag_of_a_face_whose_motion_is_known() -> None:
    """The figures of docs/video.md hold for the filter as it is now."""
    assert json.loads((RESULTS / "jitter.json").read_text(encoding="utf-8"))["moving_face"] == moving_face()


def test_the_delay_of_a_shifted_swing() -> None:
    frames = np.arange(120)
    assert best_delay(np.sin(frames / 5), np.sin((frames - 1.5) / 5)) == pytest.approx(1.5, abs=0.03)


def test_figures_of_stills() -> None:
    found = figures(np.array([[1.0, 2.0], [3.0, 4.0]]), np.random.default_rng(0))
    assert found["blend"] == {"mean": 2.0, "median": 2.0}
    assert found["less_with_blending"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["steadier_pictures"] == 1.0
