"""Augmentation: keypoints follow the flips, and the same seed gives the same crop."""

from __future__ import annotations

import albumentations as A
import numpy as np
import pytest

from blazeface.data.augment import Augmentation, augmentations, is_mirrored
from blazeface.data.crops import Crop


def make_crop() -> Crop:
    rng = np.random.default_rng(0)
    keypoints = np.array([[[40, 50], [70, 48], [55, 60], [56, 75], [30, 55], [85, 52]]], np.float32)
    return Crop(
        rng.integers(0, 256, (128, 128, 3), np.uint8),
        np.array([[28, 30, 88, 92]], np.float32),
        keypoints,
        np.array([[2, 2, 2, 2, 1, 0]], np.uint8),
        np.array([False]),
    )


def test_a_flip_mirrors_boxes_and_swaps_right_and_left() -> None:
    flipped = Augmentation([A.HorizontalFlip(p=1)])(make_crop(), 0)
    assert (flipped.image == make_crop().image[:, ::-1]).all()
    assert flipped.boxes.tolist() == [[40, 30, 100, 92]]
    # The right eye is now the mirrored left one; the ears' visibility changes places with them.
    assert flipped.keypoints[0].tolist() == [[58, 48], [88, 50], [73, 60], [72, 75], [43, 52], [98, 55]]
    assert flipped.visibility.tolist() == [[2, 2, 2, 2, 0, 1]]


def test_other_geometry_carries_the_labels_without_swapping() -> None:
    moved = Augmentation([A.Affine(translate_px={"x": (5, 5), "y": (-3, -3)}, p=1)])(make_crop(), 0)
    assert moved.boxes == pytest.approx(make_crop().boxes + np.array([5, -3, 5, -3]), abs=1e-3)
    assert moved.keypoints == pytest.approx(make_crop().keypoints + np.array([5, -3]), abs=1e-3)


def test_keypoints_pushed_out_of_sight_become_unknown() -> None:
    moved = Augmentation([A.Affine(translate_px={"x": (60, 60), "y": (0, 0)}, p=1)])(make_crop(), 0)
    assert moved.visibility.tolist() == [[2, 0, 2, 2, 1, 0]]


def test_light_leaves_labels_alone_and_the_seed_decides() -> None:
    augment = Augmentation(augmentations(128)[1:])
    results = [augment(make_crop(), seed) for seed in range(12)]
    assert all(np.allclose(result.boxes, make_crop().boxes, atol=1e-4) for result in results)
    assert any((result.image != make_crop().image).any() for result in results)
    again = [Augmentation(augmentations(128)[1:])(make_crop(), seed) for seed in range(12)]
    assert all((a.image == b.image).all() for a, b in zip(results, again, strict=True))


@pytest.mark.parametrize(
    "size, sigmas, longest", [(96, (0.375, 1.65), 7), (128, (0.5, 2.2), 9), (256, (1.0, 4.4), 19)]
)
def test_blurs_grow_with_the_input(size: int, sigmas: tuple[float, float], longest: int) -> None:
    (blurs,) = [transform for transform in augmentations(size) if isinstance(transform, A.OneOf)]
    gaussian, motion = blurs.transforms
    assert gaussian.sigma_limit == pytest.approx(sigmas)
    assert motion.blur_limit == (3, longest)


def test_a_crop_without_faces_passes_through() -> None:
    crop = make_crop()
    empty = Crop(crop.image, crop.boxes[:0], crop.keypoints[:0], crop.visibility[:0], crop.ignore[:0])
    result = Augmentation(augmentations(128))(empty, 3)
    assert result.boxes.shape == (0, 4)
    assert result.keypoints.shape == (0, 6, 2)


def test_is_mirrored() -> None:
    assert not is_mirrored(np.array([[5, 5], [6, 6], [4, 6]], np.float32))
    assert is_mirrored(np.array([[5, 5], [4, 5], [5, 6]], np.float32))
