"""A face at 200 places: where it comes to lie, and what is reported of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation_material import face, to_record
from slow_rules import Picture

from blazeface.detections import Detections
from blazeface.evaluation.robustness.centred import (
    ASTRONAUT,
    centred_scores,
    place_face,
    places,
    single_faces,
    summary,
)
from blazeface.evaluation.robustness.clips import clip_scores
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image

PICTURE = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"


def test_places_are_a_cell_around_the_middle_and_four_corners() -> None:
    found = places()
    assert found.shape == (200, 2) and len(np.unique(found.round(6), axis=0)) == 200
    around = found[:100] - 0.5
    assert around.min() == pytest.approx(-1 / 16) and around.max() == pytest.approx(0.4 / 8)
    for corner in ((0.5, 0.5), (0.375, 0.375), (0.375, 0.625), (0.625, 0.375), (0.625, 0.625)):
        assert np.abs(found - corner).sum(axis=1).min() == pytest.approx(0, abs=1e-9)
    # With the face, all of it stays in the picture.
    assert found.min() - 0.175 > 0 and found.max() + 0.175 < 1


@pytest.mark.parametrize("scale", [1, 3])
def test_the_face_lies_where_the_label_says(scale: int) -> None:
    image = np.zeros((100 * scale, 140 * scale, 3), np.uint8)
    image[20 * scale : 40 * scale, 60 * scale : 80 * scale] = 255
    box = np.array([60, 20, 80, 40]) * scale
    made, label = place_face(image, box, np.array([0.5, 0.4375]))
    assert made.shape == (320, 320, 3)
    assert label == pytest.approx([160 - 56, 140 - 56, 160 + 56, 140 + 56])
    rows, columns = np.nonzero(made[:, :, 0] > 127)
    extent = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert extent == pytest.approx(label, abs=1.01)


def test_a_large_picture_is_halved_without_aliasing() -> None:
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[::2] = 255  # sampled as they are, they would come out black or white
    made, label = place_face(stripes, np.array([500, 500, 1400, 1400]), np.array([0.5, 0.5]))
    assert 110 < made.mean() < 145 and made.std() < 40
    assert label == pytest.approx([104, 104, 216, 216])


def test_the_edge_is_repeated_beyond_the_picture() -> None:
    image = np.full((20, 20, 3), 90, np.uint8)
    assert (place_face(image, np.array([0, 0, 20, 20]), np.array([0.5, 0.5]))[0] == 90).all()


def test_scores_are_those_of_the_detection_that_found_the_face() -> None:
    boxes = iter(np.concatenate([places() * 320 - 56, places() * 320 + 56], axis=1))

    def detect(images: list[Image]) -> list[Detections]:
        """A better score elsewhere; on the face .7, though not in the first picture."""
        rows = []
        for image in images:
            assert image.shape == (320, 320, 3)
            box = next(boxes)
            first = np.allclose(box[:2], places()[0] * 320 - 56)
            found = np.array([[0, 0, 30, 30], box - 100 * first], np.float32)
            rows.append(Detections(found, np.array([0.9, 0.7], np.float32), np.zeros((2, 6, 2), np.float32)))
        return rows

    scores = centred_scores(np.zeros((50, 50, 3), np.uint8), np.array([10, 10, 30, 30]), detect)
    assert scores[0] == 0 and scores[1:] == pytest.approx(0.7)
    assert summary([scores]) == {"faces": 1, "places": 200, "lowest": 0.0, "median": pytest.approx(0.7, abs=1e-5)}
    assert summary([]) == {"faces": 0, "places": 200, "lowest": None, "median": None}


def test_single_faces_are_whole_large_and_evenly_chosen() -> None:
    one, two = face(0, 0, 40), (face(0, 0, 40), face(50, 50, 40))
    small, ignored = (face(0, 0, 20),), (face(0, 0, 40, ignore=True),)
    others = [Picture(100, 100, labels, ()) for labels in (two, small, ignored, ())]
    made = [to_record(Picture(100, 100, (one,), ()), "web", f"{i}.png") for i in range(20)]
    found = single_faces([*(to_record(picture, "web") for picture in others), *made])
    assert [sample.path.name for sample in found] == [f"{i}.png" for i in range(0, 20, 2)]
    portraits = [to_record(Picture(100, 100, (one,), ()), "lfw", "portrait.png")]
    assert [sample.path.name for sample in single_faces(made + portraits)] == ["portrait.png"]


def test_the_astronaut_is_labelled_where_her_face_is() -> None:
    image = read_picture(str(PICTURE))
    from blazeface.detector import FaceDetector

    found = FaceDetector("back-256").detect(image)
    x1, y1, x2, y2 = ASTRONAUT
    assert found.boxes[0] == pytest.approx([x1, y1, x2, y2], abs=8)


def test_a_clip_is_held_where_its_best_score_is_over_one_half() -> None:
    scores = iter([[0.9, 0.6], [0.5], [], [0.51]] * 5)

    def detect(images: list[Image]) -> list[Detections]:
        rows = []
        for _ in images:
            row = next(scores)
            count = len(row)
            boxes = np.tile(np.array([0, 0, 9, 9], np.float32), (count, 1))
            rows.append(Detections(boxes, np.array(row, np.float32), np.zeros((count, 6, 2), np.float32)))
        return rows

    found = clip_scores([np.zeros((9, 9, 3), np.uint8)] * 20, detect)
    assert found == {"frames": 20, "over": 0.5, "lowest": 0.0, "median": pytest.approx(0.505, abs=1e-5)}
    assert clip_scores([], detect) == {"frames": 0, "over": None, "lowest": None, "median": None}
