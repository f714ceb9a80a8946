"""Hidden faces: what is left of them, and where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.detections import Detections
from blazeface.privacy.cover import COVER_STYLES, CoverStyle, cover_all, cover_boxes, cover_faces, cover_region
from blazeface.privacy.rules import RULES
from blazeface.privacy.tracks import with_margin


def noise(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (height, width, 3), np.uint8)


def one(box: tuple[float, float, float, float]) -> Detections:
    return Detections(np.array([box], np.float32), np.array([0.9], np.float32), np.zeros((1, 6, 2), np.float32))


FACE = (60.0, 40.0, 100.0, 80.0)
FIELD = (slice(30, 90), slice(56, 104))
"""FACE, seen with a score of 0.9 in float32, which is a hair less, with margins of 0.25 and 0.1 of its 40 pixels."""


@pytest.mark.parametrize("how", COVER_STYLES)
def test_the_face_with_its_margin_is_hidden_and_nothing_else(how: CoverStyle) -> None:
    image = noise()
    before = image.copy()
    hidden = cover_faces(image, one(FACE), how)
    np.testing.assert_array_equal(image, before)
    outside = np.ones(image.shape[:2], bool)
    outside[FIELD] = False
    np.testing.assert_array_equal(hidden[outside], image[outside])
    assert (hidden[FIELD] != image[FIELD]).any(axis=2).mean() > 0.98


def test_solid_leaves_nothing() -> None:
    assert not cover_faces(noise(), one(FACE), "solid")[FIELD].any()


@pytest.mark.parametrize("side", [20, 100, 400])
def test_pixelate_leaves_no_more_than_a_few_colours_of_any_face(side: int) -> None:
    image = noise(2 * side, 2 * side)
    hidden = cover_faces(image, one((side / 2, side / 2, side * 1.5, side * 1.5)), "pixelate")
    inside = hidden[side // 2 : side * 3 // 2, side // 2 : side * 3 // 2]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= RULES.cells**2


def test_gaussian_depends_on_nothing_but_the_same_few_colours() -> None:
    """Two faces that differ in detail alone become the same."""
    rng = np.random.default_rng(1)
    coarse = np.kron(rng.integers(60, 200, (5, 5, 3)), np.ones((40, 40, 1))).astype(np.int64)
    detail = rng.integers(-40, 40, (5, 5, 20, 40, 3))
    both = np.concatenate([detail, -detail], axis=2)  # adds nothing to the mean of a cell
    fine = coarse + both.transpose(0, 2, 1, 3, 4).reshape(200, 200, 3)
    one_way, other_way = (cover_all(picture.astype(np.uint8), "gaussian") for picture in (coarse, fine))
    assert np.abs(one_way.astype(int) - other_way).max() <= 2


def test_overlapping_covers_are_each_made_from_the_picture_itself() -> None:
    image = noise()
    boxes = [(60.0, 40.0, 100.0, 80.0), (80.0, 50.0, 120.0, 90.0)]
    covered = cover_boxes(image, boxes, "pixelate")
    second = cover_boxes(image, boxes[1:], "pixelate")
    np.testing.assert_array_equal(covered[50:90, 80:120], second[50:90, 80:120])


@given(
    st.tuples(*[st.floats(-1e4, 1e4) for _ in range(4)]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(COVER_STYLES),
)
def test_any_box_on_any_picture(
    box: tuple[float, float, float, float], width: int, height: int, how: CoverStyle
) -> None:
    image = noise(height, width)
    hidden = cover_faces(image, one(box), how)
    assert hidden.shape == image.shape
    x1, y1, x2, y2 = box
    if how == "solid" and x2 > x1 and y2 > y1:
        xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
        assert not hidden[(ys > y1) & (ys < y2)][:, (xs > x1) & (xs < x2)].any()


def test_the_field_goes_outwards_to_whole_pixels() -> None:
    box = (10.4, 20.4, 20.4, 40.4)
    assert cover_region(box, 100, 100) == (slice(20, 41), slice(10, 21))
    assert cover_region(with_margin(box, RULES), 100, 30) == (slice(16, 30), slice(9, 22))
    assert cover_region((210.0, 220.0, 220.0, 240.0), 100, 100) is None
