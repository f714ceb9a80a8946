"""Crops: labels must land where the pixels land."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.data.crops import Crop, CropRecipe, draw_aim, draw_crop, draw_view, join_mosaic, move_labels
from blazeface.data.samples import Sample
from blazeface.geometry import letterbox_image, network_view


def make_sample(boxes: list[list[float]], ignore: list[bool] | None = None) -> Sample:
    count = len(boxes)
    array = np.array(boxes, np.float32).reshape(count, 4)
    middle = (array[:, None, :2] + array[:, None, 2:]) / 2
    return Sample(
        Path("x.jpg"),
        "test",
        array,
        np.repeat(middle, 6, axis=1),
        np.full((count, 6), 2, np.uint8),
        np.array(ignore if ignore is not None else [False] * count, bool),
    )


def dotted_picture(points: np.ndarray, height: int = 300, width: int = 400) -> np.ndarray:
    """A black picture with a soft white dot at each point."""
    y, x = np.mgrid[:height, :width] + 0.5
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 4.0**2)) for px, py in points)
    return np.repeat((np.clip(light, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def center_of_light(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()])


@pytest.mark.parametrize("scale", [0.3, 0.45, 0.8, 1.7])
@pytest.mark.parametrize("angle", [0, 30, -45])
def test_warp_moves_pixels_where_the_matrix_says(scale: float, angle: float) -> None:
    point = np.array([210.25, 140.75])
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    linear = np.array([[cos, -sin], [sin, cos]])
    matrix = np.concatenate([linear, (np.array([60.3, 66.8]) - linear @ point)[:, None]], axis=1)
    crop = network_view(dotted_picture(point[None]), matrix, (128, 128))
    assert center_of_light(crop) == pytest.approx([60.3, 66.8], abs=0.05)


def test_warp_resamples_like_the_letterbox() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8)
    matrix = np.array([[0.25, 0, 0], [0, 0.25, 0]])
    expected, _ = letterbox_image(image, 64)
    assert np.abs(network_view(image, matrix, (64, 64)).astype(int) - expected.astype(int)).max() <= 1


def test_move_labels_literal() -> None:
    # A quarter turn about the origin: (x, y) -> (-y, x); sides change places.
    matrix = np.array([[0.0, -1.0, 10.0], [1.0, 0.0, 0.0]])
    boxes, keypoints = move_labels(
        np.array([[2, 4, 6, 10]], np.float32), np.array([[[2, 4], [6, 10]]], np.float32), matrix
    )
    assert boxes.tolist() == [[0, 2, 6, 6]]
    assert keypoints.tolist() == [[[6, 2], [0, 6]]]


@given(st.floats(-180, 180), st.floats(0.1, 5))
def test_a_square_box_keeps_its_size_when_rolled(angle: float, scale: float) -> None:
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    matrix = np.array([[cos, -sin, 3.0], [sin, cos, 4.0]])
    boxes, _ = move_labels(np.array([[10, 20, 50, 60]], np.float32), np.zeros((1, 6, 2), np.float32), matrix)
    assert boxes[0, 2] - boxes[0, 0] == pytest.approx(40 * scale, rel=1e-4)
    assert boxes[0, 3] - boxes[0, 1] == pytest.approx(40 * scale, rel=1e-4)


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4]))
def test_the_chosen_face_lies_whole_in_the_view_unless_moved_to_fill_it(seed: int, tiles: int) -> None:
    sample = make_sample([[100, 80, 180, 170]])
    recipe = CropRecipe(fill=0.0, elsewhere=0.0, rotation=0.0, any_roll=0.0)
    matrix = draw_view((300, 400), sample, 128, (128 // tiles, 128 // tiles), recipe, np.random.default_rng(seed))
    boxes, _ = move_labels(sample.boxes, sample.keypoints, matrix)
    size = 128 / tiles
    side = math.sqrt((boxes[0, 2] - boxes[0, 0]) * (boxes[0, 3] - boxes[0, 1]))
    fit = size / 400
    assert side <= max(0.9 * size, 0.7 * fit * math.sqrt(80 * 90)) + 1e-3
    assert ((boxes[0, :2] + boxes[0, 2:]) / 2 > 0).all()
    assert ((boxes[0, :2] + boxes[0, 2:]) / 2 < size).all()
    assert np.linalg.det(matrix[:, :2]) ** 0.5 >= 0.7 * fit - 1e-9


@pytest.mark.parametrize(
    ("hard", "elsewhere", "share"), [(0.5, 0.0, 0.75), (1.0, 0.0, 1.0), (0.0, 0.0, 0.5), (0.5, 1.0, 0.0)]
)
def test_views_are_aimed_at_hard_faces_more_often(hard: float, elsewhere: float, share: float) -> None:
    sample = make_sample([[100, 80, 180, 170], [300, 80, 380, 170]])
    sample = replace(sample, hard=sample.boxes[1:])
    recipe, rng = CropRecipe(hard=hard, elsewhere=elsewhere), np.random.default_rng(0)
    aims = [draw_aim(sample, recipe, rng) for _ in range(2000)]
    at_hard = [aim is not None and aim.tolist() == [300, 80, 380, 170] for aim in aims]
    assert np.mean(at_hard) == pytest.approx(share, abs=0.03)


def test_labels_of_a_crop_follow_its_pixels() -> None:
    point = np.array([240.0, 130.0])
    sample = make_sample([[200, 90, 280, 170]])
    image = dotted_picture(point[None])
    for seed in range(30):
        crop = draw_crop(
            image, sample, 128, (128, 128), CropRecipe(elsewhere=0, covered=0), np.random.default_rng(seed)
        )
        if crop.visibility[0, 2] and (np.abs(crop.keypoints[0, 2] - 64) < 44).all():
            assert center_of_light(crop.image) == pytest.approx(crop.keypoints[0, 2], abs=0.6)


def test_faces_cut_off_or_too_small_are_ignored_and_far_ones_dropped() -> None:
    recipe = CropRecipe(
        smallest=0.9, largest=0.9, fill=0.0, elsewhere=0.0, rotation=0.0, any_roll=0.0, magnify=100, learnable=0.2
    )
    # The chosen face fills the view: its neighbour is cut, a speck inside is too small, one is far away.
    sample = make_sample([[100, 100, 200, 200], [40, 100, 110, 200], [140, 140, 150, 150], [900, 900, 950, 950]])
    rng = np.random.default_rng(0)
    for _ in range(50):
        crop = draw_crop(np.zeros((1000, 1000, 3), np.uint8), sample, 128, (128, 128), recipe, rng)
        assert len(crop.boxes) < 4
        sides = crop.boxes[:, 2] - crop.boxes[:, 0]
        middles = (crop.boxes[:, 0] + crop.boxes[:, 2]) / 2
        assert (crop.ignore[sides < 0.2 * 128]).all()
        assert (crop.ignore[middles < 0]).all()
        if len(crop.boxes) == 3 and not crop.ignore[0]:
            return
    pytest.fail("the chosen face never came out as a face beside its neighbour")


def test_a_picture_without_a_face_gives_a_crop_without_one() -> None:
    image = np.full((100, 200, 3), 90, np.uint8)
    crop = draw_crop(image, make_sample([]), 128, (128, 128), CropRecipe(), np.random.default_rng(1))
    assert crop.boxes.shape == (0, 4)
    assert crop.keypoints.shape == (0, 6, 2)
    assert crop.image.max() == 90


def test_mosaic_puts_labels_into_their_tiles() -> None:
    recipe = CropRecipe(fill=0.0)
    image = np.full((100, 100, 3), 50, np.uint8)
    sample = make_sample([[30, 30, 70, 70]])
    crops = [draw_crop(image, sample, 128, (32, 32), recipe, np.random.default_rng(i)) for i in range(16)]
    whole = join_mosaic(crops)
    assert whole.image.shape == (128, 128, 3)
    assert len(whole.boxes) == sum(len(crop.boxes) for crop in crops)
    row = 0
    for i, crop in enumerate(crops):
        x, y = 32 * (i % 4), 32 * (i // 4)
        assert (whole.image[y : y + 32, x : x + 32] == crop.image).all()
        for box, ignored in zip(crop.boxes, crop.ignore, strict=True):
            if not ignored:
                assert whole.boxes[row] == pytest.approx(box + np.array([x, y, x, y]))
            row += 1


def test_an_ignore_region_ends_at_its_tile_and_a_face_does_not() -> None:
    """Beyond the tile a neighbour hides what is not known; of a face the whole box is learnt."""
    boxes = np.array([[-6, 10, 40, 20], [-6, 10, 40, 20]], np.float32)
    crop = Crop(
        image=np.zeros((32, 32, 3), np.uint8),
        boxes=boxes,
        keypoints=np.zeros((2, 6, 2), np.float32),
        visibility=np.zeros((2, 6), np.uint8),
        ignore=np.array([True, False]),
    )
    whole = join_mosaic([crop] * 4)
    assert whole.boxes[2:4].tolist() == [[32, 10, 64, 20], [26, 10, 72, 20]]  # the tile at the top right
    assert whole.boxes[4:6].tolist() == [[0, 42, 32, 52], [-6, 42, 40, 52]]  # and that below the first


def test_a_keypoint_beyond_its_tile_is_not_visible() -> None:
    """A neighbour hides it, though it would lie within the whole input; a face has keypoints at its box's corners."""
    sample = make_sample([[100, 80, 180, 170]])
    x1, y1, x2, y2 = sample.boxes[0]
    sample.keypoints[0] = [(x1, y1), (x2, y1), (x1, y2), (x2, y2), (x1 - 20, y1), (x2 + 20, y2)]
    image = np.zeros((300, 400, 3), np.uint8)
    hidden = kept = 0
    for seed in range(40):
        crop = draw_crop(image, sample, 128, (32, 32), CropRecipe(elsewhere=0), np.random.default_rng(seed))
        inside = ((crop.keypoints >= 0) & (crop.keypoints < 32)).all(axis=2)
        assert np.array_equal(crop.visibility > 0, inside)
        hidden += int((~inside & (np.abs(crop.keypoints - 64) < 64).all(axis=2)).sum())
        kept += int(inside.sum())
    assert hidden > 10 and kept > 10


def test_mosaic_joins_keypoints_and_visibility_in_order() -> None:
    sample = make_sample([[30, 30, 70, 70]])
    crops = [
        draw_crop(
            np.full((100, 100, 3), 50, np.uint8),
            sample,
            128,
            (64, 64),
            CropRecipe(elsewhere=0),
            np.random.default_rng(i),
        )
        for i in range(4)
    ]
    whole = join_mosaic(crops)
    corners = [(0, 0), (64, 0), (0, 64), (64, 64)]
    expected = np.concatenate([crop.keypoints + corner for crop, corner in zip(crops, corners, strict=True)])
    assert np.allclose(whole.keypoints, expected)
    assert np.array_equal(whole.visibility, np.concatenate([crop.visibility for crop in crops]))
    assert np.array_equal(whole.ignore, np.concatenate([crop.ignore for crop in crops]))
