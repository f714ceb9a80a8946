"""Boxes and the letterbox."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.geometry import _bilinear, box_area, box_intersection, box_iou, letterbox_image

SIDES = st.integers(1, 700)


def test_boxes_literal() -> None:
    a = np.array([[0.0, 0, 2, 2], [5, 5, 4, 6]])
    b = np.array([[1.0, 1, 3, 3], [0, 0, 2, 2], [9, 9, 9, 9]])
    assert box_area(a).tolist() == [4, 0]
    assert box_intersection(a, b).tolist() == [[1, 4, 0], [0, 0, 0]]
    assert box_iou(a, b).tolist() == [[pytest.approx(1 / 7), 1, 0], [0, 0, 0]]


def test_iou_of_nothing() -> None:
    assert box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


@given(st.integers(0, 10**6))
def test_iou_is_symmetric_bounded_and_one_with_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-5, 5, (6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.01, 5, (6, 2))], axis=1)
    iou = box_iou(boxes, boxes)
    assert np.allclose(iou, iou.T)
    assert np.allclose(np.diag(iou), 1)
    assert (iou >= 0).all()
    assert (iou <= 1 + 1e-12).all()


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, st.sampled_from([128, 192, 256]), st.sampled_from(["supersample", "corner"]))
def test_there_and_back(height: int, width: int, size: int, resampling: str) -> None:
    square, letterbox = letterbox_image(np.zeros((height, width, 3), np.uint8), size, resampling)
    assert square.shape == (size, size, 3)
    corners = np.array([[0.0, 0.0], [width, height], [width / 3, height / 7]])
    inside = letterbox.to_input(corners)
    assert np.allclose(letterbox.to_picture(inside), corners, atol=1e-6 * max(height, width))
    assert (inside >= -1e-6).all()
    assert (inside <= size + 1e-6).all()
    assert inside[1].max() == pytest.approx(size)  # the long side fills the input


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20_000), (20_000, 1), (2, 3), (720, 1280)])
def test_extreme_pictures_fill_their_place_and_leave_the_rest_black(height: int, width: int) -> None:
    square, letterbox = letterbox_image(np.full((height, width, 3), 200, np.uint8), 128)
    (left, top), (right, bottom) = letterbox.to_input(np.array([[0.0, 0.0], [width, height]])).round().astype(int)
    assert right > left
    assert bottom > top
    assert (square[top:bottom, left:right] == 200).all()
    assert 0 <= (128 - right) - left <= 1 and 0 <= (128 - bottom) - top <= 1  # in the middle
    assert square.sum() == 200 * 3 * (right - left) * (bottom - top)


def test_shrinking_is_a_mean_over_the_covered_pixels() -> None:
    """A slow mean over each output pixel's area, on a smooth picture: no phase shift, hardly any aliasing."""
    y, x = np.mgrid[:500, :640]
    image = (127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 17))[..., None].repeat(3, axis=2).astype(np.uint8)
    square, letterbox = letterbox_image(image, 128)
    assert (letterbox.scale_x, letterbox.offset_x, letterbox.offset_y) == (0.2, 0, 14)
    slow = image.reshape(100, 5, 128, 5, 3).mean(axis=(1, 3))
    assert np.abs(square[14:114].astype(float) - slow).max() < 2.5


@pytest.mark.parametrize("side", [300, 512, 1024])
def test_no_detail_of_a_shrunk_picture_turns_into_a_pattern(side: int) -> None:
    """A fine checkerboard is grey from afar: an output pixel sees all that it covers, not one pixel of it."""
    y, x = np.mgrid[:side, :side]
    image = ((x + y) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    square, _ = letterbox_image(image, 128)
    assert np.abs(square.astype(float) - 127.5).max() < 20
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    assert letterbox_image(noise, 128)[0].std() < 0.45 * noise.std()


def test_corner_resampling_samples_without_a_half_pixel_shift() -> None:
    """Input pixel (i, j) shows the picture at (i, j) / scale, bilinearly, black outside: pixel by pixel."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (96, 128, 3), np.uint8)
    size, scale = 64, 0.5
    square, letterbox = letterbox_image(image, size, "corner")
    assert (letterbox.scale_x, letterbox.offset_x, letterbox.offset_y) == (0.5, 0, 8)
    for i in range(size):
        for j in range(size):
            y, x = i / scale - 16, j / scale
            expected = image[int(y), int(x)] if 0 <= y < 96 else np.zeros(3)
            assert np.abs(square[i, j].astype(int) - expected).max() <= 1, (i, j)


@pytest.mark.parametrize(("height", "width", "size"), [(70, 101, 64), (201, 77, 96), (33, 20, 128)])
def test_corner_resampling_between_pixels(height: int, width: int, size: int) -> None:
    """The same rule at scales that are not round, against a slow bilinear sampler on a smooth picture."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([2 * x % 256, y, 127 + 100 * np.sin(x / 9 + y / 7)], axis=2).clip(0, 255).astype(np.uint8)
    side = max(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    # One pixel of black all around stands for the black that lies beyond the picture.
    framed = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    square = letterbox_image(image, size, "corner")[0].astype(float)
    for i in range(size):
        for j in range(size):
            row, column = i * side / size + top, j * side / size + left
            if not (-1 < row < height and -1 < column < width):
                assert (square[i, j] == 0).all(), (i, j)
                continue
            i0, j0 = int(np.floor(row)), int(np.floor(column))
            v, u = row - i0, column - j0
            four = framed[i0 + 1 : i0 + 3, j0 + 1 : j0 + 3]
            expected = np.einsum("i,j,ijc->c", [1 - v, v], [1 - u, u], four)
            # OpenCV knows source positions to 1/32 pixel, and rounds the result to a whole number.
            assert np.abs(square[i, j] - expected).max() <= np.ptp(four, axis=(0, 1)).max() / 32 + 1, (i, j)


@pytest.mark.parametrize("step", [*range(1, 16), 25, 49, 99])
@pytest.mark.parametrize(("width", "height"), [(256, 144), (2, 256), (64, 86)])
def test_picking_the_middles_of_pixels_is_bilinear_sampling(step: int, width: int, height: int) -> None:
    if step * step * width * height > 10**7:
        width, height = 10, 6
    image = np.random.default_rng(step).integers(0, 256, (height * step, width * step, 3), np.uint8)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(_bilinear(image, width, height), expected)
