"""Covered faces: what is painted over lies on the face, and nothing else changes."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from blazeface.data import occlusion
from blazeface.data.occlusion import MASK, cover_part

KEYPOINTS = np.array([[40, 40], [60, 40], [50, 52], [50, 62], [30, 44], [70, 44]], np.float32)
SEEN = np.full(6, 2, np.uint8)


@given(st.integers(0, 10**6))
@example(3937)
def test_paint_stays_on_the_face(seed: int) -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    cover_part(image, KEYPOINTS, SEEN, np.random.default_rng(seed))
    rows, columns = np.nonzero((image != 128).any(axis=2))
    assert len(rows)
    # The eyes are 20 pixels apart: no outline reaches 2 of that sideways, or up, or 2 times 22 pixels down.
    assert columns.min() >= 10 and columns.max() < 90
    assert rows.min() >= 0 and rows.max() < 40 + 2 * 22


def test_a_mask_covers_nose_and_mouth_and_leaves_the_eyes(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(occlusion, "OUTLINES", (MASK,))
    monkeypatch.setattr(occlusion, "SHARES", (1.0,))
    for seed in range(20):
        image = np.zeros((100, 100, 3), np.uint8)
        image[...] = (0, 255, 0)
        cover_part(image, KEYPOINTS, SEEN, np.random.default_rng(seed))
        changed = (image != (0, 255, 0)).any(axis=2)
        assert changed[62, 50]
        assert not changed[40, 40] and not changed[40, 60]


def test_a_face_whose_eyes_are_unknown_is_left_alone() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    cover_part(image, KEYPOINTS, np.array([0, 2, 2, 2, 2, 2], np.uint8), np.random.default_rng(0))
    assert (image == 128).all()


def test_a_face_outside_the_picture_is_left_alone() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    for seed in range(20):
        cover_part(image, KEYPOINTS + 500, SEEN, np.random.default_rng(seed))
    assert (image == 128).all()
