"""Decoding: literal values, and the inverse of encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.decode import decode, encode, sigmoid


def test_literal() -> None:
    raw = np.array([[12.8, -6.4, 25.6, 51.2, *([0.0, 0.0] * 5), 64.0, 32.0]], np.float32)
    boxes, keypoints = decode(raw, np.array([[0.5, 0.5]], np.float32), 128.0)
    # Centre (0.6, 0.45), sides 0.2 and 0.4; the last keypoint half a side right and a quarter down.
    assert boxes[0].tolist() == pytest.approx([0.5, 0.25, 0.7, 0.65])
    assert keypoints[0, 0].tolist() == [0.5, 0.5]
    assert keypoints[0, 5].tolist() == [1.0, 0.75]


@given(st.integers(0, 10**6), st.integers(0, 20), st.integers(0, 8), st.floats(1, 512))
def test_decode_undoes_encode(seed: int, count: int, points: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    boxes, keypoints = rng.uniform(-1, 2, (count, 4)), rng.uniform(-1, 2, (count, points, 2))
    centers = rng.random((count, 2))
    again = decode(encode(boxes, keypoints, centers, scale), centers, scale)
    assert np.allclose(again[0], boxes)
    assert np.allclose(again[1], keypoints)
    assert again[1].shape == (count, points, 2)


def test_sigmoid_is_exact_in_the_middle_and_calm_at_the_ends() -> None:
    with np.errstate(all="raise"):
        scores = sigmoid(np.array([-1e9, -721, 0, np.log(3), 721, 1e9], np.float32))
    assert scores[2:4].tolist() == pytest.approx([0.5, 0.75])
    assert scores[:2].max() < 1e-30
    assert scores[4:].tolist() == [1, 1]
