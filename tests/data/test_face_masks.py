"""Ellipses from six keypoints."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.data.face_masks import face_ellipse, masked_pictures, soft_mask
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError

FACE = np.array([[40, 40], [60, 40], [50, 52], [50, 62], [30, 44], [70, 44]], np.float32)


def test_a_level_face_by_hand() -> None:
    center, down, tall, wide = face_ellipse(FACE)
    np.testing.assert_allclose(center, [50, 40 + 0.22 * 22])
    assert down.tolist() == [0, 1]
    assert (tall, wide) == pytest.approx((1.33 * 22, 0.55 * 40))


def test_the_mask_is_an_ellipse_with_a_soft_rim() -> None:
    mask = soft_mask(FACE[None], 100)
    assert mask[45, 50] == 1 and mask[5, 50] == 0 and mask[45, 5] == 0
    assert mask.sum() == pytest.approx(np.pi * 1.33 * 22 * 0.55 * 40, rel=0.02)
    rim = mask[45, 20:40]
    assert ((rim > 0) & (rim < 1)).sum() >= 2 and (np.diff(rim) >= 0).all()


def test_turning_the_face_turns_the_mask() -> None:
    turned = np.stack([100 - FACE[:, 1], FACE[:, 0]], axis=1)  # a quarter turn clockwise
    np.testing.assert_allclose(soft_mask(turned[None], 100), np.rot90(soft_mask(FACE[None], 100), -1), atol=1e-5)


def test_two_faces_are_the_larger_of_both_and_none_is_nothing() -> None:
    other = FACE + 20
    both = soft_mask(np.stack([FACE, other]), 100)
    np.testing.assert_array_equal(both, np.maximum(soft_mask(FACE[None], 100), soft_mask(other[None], 100)))
    assert soft_mask(np.zeros((0, 6, 2), np.float32), 32).max() == 0
    assert np.isfinite(soft_mask(np.full((1, 6, 2), 9, np.float32), 32)).all()


def test_what_nobody_can_tell_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((100, 200, 3), 77, np.uint8))
    boxes = np.array([[30, 20, 70, 80], [100, 10, 120, 30], [150, 40, 190, 90]], np.float32)
    visibility = np.array([[2] * 6, [2] * 6, [2, 2, 2, 2, 0, 0]], np.uint8)
    sample = Sample(path, "", boxes, np.stack([FACE] * 3), visibility, np.array([False, True, False]))
    broken = Sample(
        tmp_path / "b.png", "", boxes, np.stack([FACE] * 3), visibility, np.array([False, True, False])
    )
    found = masked_pictures([sample, broken], 100, quiet=True)
    assert len(found) == 1 and "b.png" in capsys.readouterr().err
    # 200 x 100 becomes 100 x 50, 25 from the top.
    assert found.masks[0, 25 + 22, 25] == 255
    assert not found.known[0, 25 + 5 : 25 + 15, 50:60].any() and not found.known[0, 50, 80]
    assert found.known[0].sum() == 100 * 100 - 10 * 10 - 20 * 25
    with pytest.raises(BlazeFaceError, match="no picture"):
        masked_pictures([broken], 100, quiet=True)
