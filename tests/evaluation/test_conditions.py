"""Harder pictures: what happens to pixels and to labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blazeface.data.samples import Sample
from blazeface.evaluation.robustness.conditions import (
    CONDITIONS,
    blur,
    eyes_covered,
    low_contrast,
    low_resolution,
    lower_half_covered,
    roll,
)
from blazeface.geometry import Image

POINTS = [[12, 24], [20, 26], [15, 30], [16, 34], [8, 26], [24, 26]]


def sample(*boxes: tuple[float, float, float, float], visible: int = 2, ignore: bool = False) -> Sample:
    count = len(boxes)
    return Sample(
        Path("picture.png"),
        "made",
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([POINTS] * count, np.float32).reshape(-1, 6, 2),
        np.full((count, 6), visible, np.uint8),
        np.full(count, ignore),
    )


def noise(height: int = 40, width: int = 60) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_a_quarter_turn_moves_pixels_and_labels_together() -> None:
    image, labels = noise(), sample((8, 20, 28, 38))
    turned, moved = roll(90)(image, labels, 0)
    # 40 x 60 in the middle of 60 x 60 is ten pixels down; clockwise, (x, y) goes to (60 - y, x).
    square = np.zeros((60, 60, 3), np.uint8)
    square[10:50] = image
    assert (turned == np.rot90(square, -1)).all()
    assert moved.boxes.tolist() == [[60 - 48, 8, 60 - 30, 28]]
    assert moved.keypoints[0, 0].tolist() == [60 - 34, 12]
    assert not moved.ignore.any()
    # The next picture is turned the other way: (x, y) goes to (y, 60 - x).
    back, mirrored = roll(90)(image, labels, 1)
    assert (back == np.rot90(square, 1)).all()
    assert mirrored.boxes.tolist() == [[30, 60 - 28, 48, 60 - 8]]


def test_half_a_turn_loses_nothing() -> None:
    turned, moved = roll(180)(noise(), sample((0, 0, 20, 20), (40, 20, 60, 40)), 0)
    assert (turned[10:50] == noise()[::-1, ::-1]).all()
    assert moved.boxes.tolist() == [[40, 30, 60, 50], [0, 10, 20, 30]]
    assert not moved.ignore.any()


def test_a_face_that_leaves_the_square_is_an_ignore_region() -> None:
    image = noise(60, 60)
    # Turned by 30 degrees, the corner's middle leaves the square; the middle's face stays, as large as it was.
    _, moved = roll(30)(image, sample((0, 0, 10, 10), (20, 20, 40, 40)), 0)
    assert moved.ignore.tolist() == [True, False]
    assert moved.boxes[1] == pytest.approx([20, 20, 40, 40], abs=1e-4)
    # A part is enough: the middle (12, 12) comes to (23.4, 5.4), and a radius of 12 reaches beyond the upper edge.
    _, cut = roll(30)(image, sample((0, 0, 24, 24)), 0)
    assert cut.boxes[0] == pytest.approx([11.4, -6.6, 35.4, 17.4], abs=0.1)
    assert cut.ignore.tolist() == [True]
    # One that was labelled beyond the picture's edge before stays a face.
    _, over = roll(180)(image, sample((-2, 20, 18, 40)), 0)
    assert over.ignore.tolist() == [False]


def test_a_turned_face_keeps_its_pixels_under_its_label() -> None:
    image = np.zeros((101, 151, 3), np.uint8)
    image[40:60, 100:120] = 255
    for degrees in (30, 60, 90, 180):
        for position in (0, 1):
            turned, moved = roll(degrees)(image, sample((100, 40, 120, 60)), position)
            rows, columns = np.nonzero(turned[:, :, 0] > 127)
            middle = (moved.boxes[0, :2] + moved.boxes[0, 2:]) / 2
            assert [columns.mean() + 0.5, rows.mean() + 0.5] == pytest.approx(middle, abs=0.15), degrees
            assert len(rows) == pytest.approx(400, abs=12)


def test_blur_keeps_the_mean_and_spreads_an_edge_by_an_eightieth_of_the_long_side() -> None:
    image = np.zeros((40, 160, 3), np.uint8)
    image[:, 80:] = 255
    blurred, labels = blur(image, sample((0, 0, 9, 9)), 0)
    assert labels.boxes.tolist() == [[0, 0, 9, 9]]
    # An edge under a Gaussian of two pixels: a normal distribution, .69 one half deviation behind it.
    row = blurred[20, :, 0].astype(float) / 255
    assert row[80] == pytest.approx(0.599, abs=0.01) and row[82] == pytest.approx(0.894, abs=0.01)


def test_low_contrast_draws_values_to_mid_grey() -> None:
    image = np.array([[[0, 127, 255]]], np.uint8)
    assert low_contrast(image, sample(), 0)[0].tolist() == [[[89, 127, 166]]]


def test_low_resolution_leaves_64_pixels_of_the_long_side() -> None:
    image = noise(64, 128)
    low, _ = low_resolution(image, sample(), 0)
    assert low.shape == image.shape
    means = image.reshape(32, 2, 64, 2, 3).mean(axis=(1, 3))  # areas of two by two
    # Bilinear between the means: the very corner pixel is the first of them.
    assert low[0, 0] == pytest.approx(np.round(means[0, 0]), abs=1)
    assert low[0, 1] == pytest.approx(means[0, 0] * 0.75 + means[0, 1] * 0.25, abs=2)
    small = noise(40, 64)
    assert low_resolution(small, sample(), 0)[0] is small


def test_the_lower_half_is_grey_from_the_nose_down() -> None:
    image = noise()
    covered, _ = lower_half_covered(image, sample((8, 20, 28, 38)), 0)
    assert (covered[30:38, 8:28] == 127).all()
    changed = np.zeros((40, 60), bool)
    changed[30:38, 8:28] = True
    assert (covered[~changed] == image[~changed]).all()
    # Without a labelled nose from the middle of the box.
    assert (lower_half_covered(image, sample((8, 20, 28, 38), visible=0), 0)[0][29, 8:28] == 127).all()


def test_a_bar_covers_the_eyes() -> None:
    image = noise()
    covered, _ = eyes_covered(image, sample((8, 18, 28, 38)), 0)
    # The eyes are 25 pixels down on average; the bar is 5 high, from 22.5 to 27.5, rounded to even.
    assert (covered[22:28, 8:28] == 0).all()
    assert (covered[:22] == image[:22]).all() and (covered[28:] == image[28:]).all()
    # Without labelled eyes three tenths down: 18 + 6, from 21.5 to 26.5.
    other = eyes_covered(image, sample((8, 18, 28, 38), visible=0), 0)[0]
    assert (other[22:26, 8:28] == 0).all() and (other[27:] == image[27:]).all()


def test_ignore_regions_are_not_covered_and_faces_may_reach_over_the_edge() -> None:
    image = noise()
    region = sample((8, 20, 28, 38), ignore=True)
    for cover in (lower_half_covered, eyes_covered):
        assert (cover(image, region, 0)[0] == image).all()
        over = cover(image, sample((-50, -50, -20, -20), (50, 30, 90, 70), visible=0), 0)[0]
        assert over.shape == image.shape and (over[:30, :50] == image[:30, :50]).all()


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_leaves_its_input_alone_and_keeps_the_long_side(name: str) -> None:
    image, labels = noise(80, 120), sample((8, 20, 28, 38))
    before, boxes = image.copy(), labels.boxes.copy()
    harder, moved = CONDITIONS[name](image, labels, 3)
    again, _ = CONDITIONS[name](image, labels, 3)
    assert (image == before).all() and (labels.boxes == boxes).all()
    assert harder.dtype == np.uint8 and max(harder.shape[:2]) == 120
    assert (harder == again).all() and (harder.shape != image.shape or (harder != image).any())
    assert len(moved.boxes) == 1
