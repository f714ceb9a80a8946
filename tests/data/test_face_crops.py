"""Crops of the second stage: labels stay on what they name, whatever is done to the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.crop import CropSpec
from blazeface.data.face_crops import Jitter, cut_faces, jittered, mirrored
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError

POINTS = np.array([[90, 100], [130, 104], [112, 120], [110, 140], [75, 105], [150, 110]], np.float32)


def dotted(path: Path, known: int = 2) -> Sample:
    """A dark picture with a bright dot on each keypoint of its one face; a region to ignore beside it."""
    image = np.full((240, 220, 3), 30, np.uint8)
    for x, y in POINTS:
        cv2.circle(image, (round(float(x) - 0.5), round(float(y) - 0.5)), 4, (255, 255, 255), -1)
    cv2.imwrite(str(path), image)
    boxes = np.array([[70, 70, 150, 160], [0, 0, 30, 30]], np.float32)
    visibility = np.array([[known] * 6, [2] * 6], np.uint8)
    return Sample(path, "made", boxes, np.stack([POINTS, POINTS]), visibility, np.array([False, True]))


def test_every_lesson_has_its_keypoints_on_the_dots(tmp_path: Path) -> None:
    crops = cut_faces([dotted(tmp_path / "a.png")], quiet=True)
    assert len(crops) == 1 and crops.images.shape == (1, 104, 104, 3)
    hits = 0
    for seed in range(40):
        image, points, visibility = jittered(crops, 0, CropSpec(), Jitter(), np.random.default_rng(seed))
        assert image.shape == (64, 64, 3) and visibility.tolist() == [2] * 6
        for x, y in points[:4]:
            if 0.05 < x < 0.95 and 0.05 < y < 0.95:
                around = image[int(y * 64), int(x * 64)].astype(int)
                hits += around.max() > np.median(image) + 40
    assert hits > 0.85 * 160  # covers hide a few, coarse pictures blur a few


def test_a_lesson_is_known_by_its_number(tmp_path: Path) -> None:
    crops = cut_faces([dotted(tmp_path / "a.png")], quiet=True)
    one, again = (jittered(crops, 0, CropSpec(), Jitter(), np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(one[part], again[part]) for part in range(3))


def test_without_jitter_eyes_are_level_and_the_box_is_centred(tmp_path: Path) -> None:
    crops = cut_faces([dotted(tmp_path / "a.png")], quiet=True)
    still = Jitter(0, 0, 0)
    _, points, _ = jittered(crops, 0, CropSpec(), still, np.random.default_rng(0))
    assert points[0, 1] == pytest.approx(points[1, 1], abs=1e-5)
    # The box's centre is (110, 115), its side sqrt(80 * 90); eyes 40.2 pixels apart in a crop of 1.5 sides.
    assert abs(points[1, 0] - points[0, 0]) == pytest.approx(40.2 / (1.5 * 84.853), abs=1e-3)


def test_mirrored_swaps_right_and_left() -> None:
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    points = np.array([[0.1, 0.2], [0.9, 0.2], [0.4, 0.5], [0.5, 0.8], [0.0, 0.3], [1.0, 0.3]])
    turned, moved, visibility = mirrored(image, points, np.array([2, 1, 2, 2, 0, 1], np.uint8))
    assert np.array_equal(turned[:, 0], image[:, 3])
    np.testing.assert_allclose(moved[0], [0.1, 0.2])
    np.testing.assert_allclose(moved[2], [0.6, 0.5])
    assert visibility.tolist() == [1, 2, 2, 2, 1, 0]


def test_faces_of_unknown_keypoints_and_broken_pictures_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.png").write_bytes(b"junk")
    broken = Sample(
        tmp_path / "broken.png",
        "",
        *(getattr(dotted(tmp_path / "a.png"), n) for n in ("boxes", "keypoints", "visibility", "ignore")),
    )
    with pytest.raises(BlazeFaceError, match="no face with known keypoints"):
        cut_faces([broken, dotted(tmp_path / "b.png", known=0)], quiet=True)
    assert "broken.png" in capsys.readouterr().err
