"""Displacements and what they show, on made pictures and made networks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.anchors import anchor_centers
from blazeface.blend import blend, hard_nms
from blazeface.detections import Detections
from blazeface.evaluation.jitter import (
    Displacement,
    displace,
    draw_displacements,
    face_points,
    found_points,
    jitter,
)
from blazeface.spec import NAMED_SPECS

SPEC = NAMED_SPECS["front-128"]
REDUCTIONS = {"blend": blend, "hard_nms": hard_nms}
FACE = np.array([40.0, 40, 88, 88])


def test_apply_by_hand() -> None:
    moved = Displacement(1.5, (10, 20), (1, -2)).apply(np.array([[10.0, 20], [12, 16]]))
    assert moved.tolist() == [[11, 18], [14, 12]]


@given(st.floats(0.98, 1.02), st.floats(-30, 30), st.floats(-30, 30))
def test_undo_takes_back(scale: float, x: float, y: float) -> None:
    points = np.array([[[0.0, 0], [3, 500]], [[-8, 2], [7, 7]]])
    displacement = Displacement(scale, (64, 32), (x, y))
    np.testing.assert_allclose(displacement.undo(displacement.apply(points)), points, atol=1e-9)


@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.4, 0.25), (-7.75, 3.3)])
def test_a_picture_moves_as_its_points_do(shift: tuple[float, float]) -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    cv2.rectangle(image, (40, 30), (59, 49), (255, 255, 255), -1)  # pixels 40..59, 30..49: centre (50, 40)
    displacement = Displacement(1.02, (60, 45), shift)
    weight = displace(image, displacement)[..., 0].astype(float)
    y, x = np.mgrid[0:90, 0:120] + 0.5
    centre = [(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()]
    np.testing.assert_allclose(centre, displacement.apply(np.array([50.0, 40])), atol=0.03)


def test_displacements_stay_in_range_and_repeat() -> None:
    drawn = draw_displacements(np.random.default_rng(1), 500, 256, 512, 128)
    shifts = np.abs([one.shift for one in drawn])
    assert 15 < shifts.max() <= 16  # 4 input pixels of 512 / 128 picture pixels each
    scales = [one.scale for one in drawn]
    assert 0.98 <= min(scales) < 0.982 and 1.018 < max(scales) <= 1.02
    assert {one.center for one in drawn} == {(256, 128)}
    assert drawn == draw_displacements(np.random.default_rng(1), 500, 256, 512, 128)


def test_jitter_by_hand() -> None:
    still = np.tile(np.arange(16.0).reshape(1, 8, 2), (5, 1, 1))
    assert jitter(still, 10) == 0
    moving = np.zeros((2, 8, 2))
    moving[1] = [6, 8]  # each copy lies 5 from the mean of both
    assert jitter(moving, 10) == pytest.approx(0.5)
    moving[1, 4:] = 0  # half of the points stand still
    assert jitter(moving, 10) == pytest.approx(0.5 / 2**0.5)


def test_the_detection_on_the_face_is_taken() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
    keypoints = np.stack([np.zeros((6, 2)), np.ones((6, 2))]).astype(np.float32)
    found = Detections(boxes, np.array([0.9, 0.5], np.float32), keypoints)
    points = face_points(found, np.array([22.0, 20, 42, 40]))
    assert points is not None
    assert points.tolist() == [[20, 20], [40, 40]] + [[1, 1]] * 6
    assert face_points(found, np.array([60.0, 60, 90, 90])) is None
    assert face_points(found[:0], np.array([60.0, 60, 90, 90])) is None


class MadeNetwork:
    """Some anchors around the white square of a picture see it, each with an error of its own."""

    spec = SPEC
    input_multiple: int | None = None

    def __init__(self, error: float) -> None:
        self.error, self.runs = error, 0
        self.rng = np.random.default_rng(2)

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.runs += 1
        centers = anchor_centers(SPEC.anchor_maps) * SPEC.input_size
        logits = np.full((len(batch), len(centers)), -20.0, np.float32)
        values = np.zeros((len(batch), len(centers), 4 + 2 * 6), np.float32)
        for i, image in enumerate(batch):
            weight = image[0] - image[0].min()
            if not weight.any():
                continue
            y, x = np.mgrid[0:128, 0:128] + 0.5
            middle = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
            side = np.sqrt(weight.sum() / weight.max())
            near = np.argsort(((centers - middle) ** 2).sum(axis=1))[:16]
            logits[i, near] = self.rng.uniform(2, 3, 16)
            errors = self.rng.normal(0, self.error, (16, 2))
            values[i, near, :2] = values[i, near, 4:6] = middle - centers[near] + errors
            values[i, near, 2:4] = side
            values[i, near, 6:] = np.tile(middle - centers[near] + errors, 5)
        return logits, values * (SPEC.decode_scale / SPEC.input_size)


def picture() -> np.ndarray:
    image = np.zeros((128, 128, 3), np.uint8)
    image[40:88, 40:88] = 255
    return image


def test_a_network_that_follows_the_picture_does_not_jitter() -> None:
    displacements = draw_displacements(np.random.default_rng(3), 20, 128, 128, 128)
    network = MadeNetwork(0)
    points = found_points(picture(), FACE, displacements, network, 0.5, REDUCTIONS)
    assert network.runs == 1
    for found in points.values():
        assert found.shape == (20, 8, 2)
        np.testing.assert_allclose(found.mean(axis=0)[:3], [[40, 40], [88, 88], [64, 64]], atol=0.1)
        assert jitter(found, 20) < 0.005


def test_blending_sixteen_errors_leaves_a_quarter() -> None:
    displacements = draw_displacements(np.random.default_rng(3), 200, 128, 128, 128)
    points = found_points(picture(), FACE, displacements, MadeNetwork(1), 0.5, REDUCTIONS)
    assert jitter(points["hard_nms"], 20) == pytest.approx(2**0.5 / 20, rel=0.15)
    assert jitter(points["blend"], 20) / jitter(points["hard_nms"], 20) == pytest.approx(0.25, abs=0.05)


def test_a_copy_without_the_face_is_left_out_for_all() -> None:
    displacements = [Displacement(1, (64, 64), (0, 0)), Displacement(1, (64, 64), (300, 0))]

    def empty(*args: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 6, 2))

    points = found_points(picture(), FACE, displacements, MadeNetwork(0), 0.5, REDUCTIONS)
    assert [len(found) for found in points.values()] == [1, 1]
    points = found_points(picture(), FACE, displacements, MadeNetwork(0), 0.5, {"blend": blend, "none": empty})
    assert [len(found) for found in points.values()] == [0, 0]
