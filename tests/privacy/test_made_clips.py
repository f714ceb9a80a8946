"""Made clips with known truth: what a detector that loses faces leaves open, which is nothing."""

import numpy as np
import pytest
from cover_material import found

from benchmarks.privacy.made import CLIPS, COUNT, HEIGHT, RATE, WIDTH, frames_of, truth_of
from benchmarks.privacy.measure import OPEN_BELOW, beside, ellipse_covered
from benchmarks.privacy.versus import ellipses, judged, our_boxes, rectangles
from blazeface.detections import Detections
from blazeface.detector import FaceDetector
from blazeface.privacy.rules import RULES

TIMES = [n / RATE for n in range(COUNT)]


def losing(clip: str, seed: int) -> list[Detections]:
    """What a detector gives that is off by a twentieth of the side, and blind for up to half a second at a time.

    The first frames of a face are among those that it misses.
    """
    rng = np.random.default_rng(seed)
    blind = np.zeros(COUNT, bool)
    for start in range(8, COUNT, 30):
        blind[start : start + rng.integers(1, 15)] = True
    seen, frames = False, []
    for n, boxes in enumerate(truth_of(clip)):
        faces = []
        for x1, y1, x2, y2 in boxes:
            side = max(x2 - x1, y2 - y1)
            x, y = (x1 + x2 - side) / 2 + rng.normal(0, side / 20), (y1 + y2 - side) / 2 + rng.normal(0, side / 20)
            faces.append((x, y, side * rng.uniform(0.95, 1.1), rng.uniform(RULES.score, 1)))
        late = not seen and boxes and rng.random() < 0.7
        seen = seen or (bool(boxes) and not late)
        frames.append(found() if blind[n] or late else found(*faces))
    return frames


@pytest.mark.parametrize("clip", [clip for clip in CLIPS if clip != "shaken"])
@pytest.mark.parametrize("seed", range(4))
def test_a_detector_that_loses_faces_leaves_none_open(clip: str, seed: int) -> None:
    boxes = our_boxes(losing(clip, seed), TIMES, WIDTH, HEIGHT, None)
    figures = judged((rectangles(covers, WIDTH, HEIGHT) for covers in boxes), truth_of(clip), [], 0.0)
    assert figures.faces > 60
    assert figures.worst == []


def test_a_face_that_is_shaken_is_covered_while_it_is_seen() -> None:
    """Where it swings within a gap nobody can know: there covers are wider, and no more is claimed."""
    frames = [found() if n % 3 == 0 else faces for n, faces in enumerate(losing("shaken", 0))]
    boxes = our_boxes(frames, TIMES, WIDTH, HEIGHT, None)
    truth = [boxes if len(faces) else [] for boxes, faces in zip(truth_of("shaken"), frames, strict=True)]
    assert judged((rectangles(covers, WIDTH, HEIGHT) for covers in boxes), truth, [], 0.0).open == 0


@pytest.mark.slow
@pytest.mark.parametrize("clip", CLIPS)
def test_the_shipped_model_leaves_none_open_in_what_a_person_could_be_known_by(clip: str) -> None:
    detector = FaceDetector("front-128", RULES.faint, min_face="auto")
    boxes = our_boxes([detector.detect(image) for image in frames_of(clip)], TIMES, WIDTH, HEIGHT, None)
    assert judged((rectangles(covers, WIDTH, HEIGHT) for covers in boxes), truth_of(clip), [], 0.0).worst == []


def test_the_share_of_an_ellipse_that_is_covered() -> None:
    mask = np.zeros((100, 100), bool)
    mask[:, :50] = True
    assert ellipse_covered(mask, (30, 30, 70, 70)) == pytest.approx(0.5, abs=0.02)
    assert ellipse_covered(mask, (0, 0, 50, 50)) == 1
    assert ellipse_covered(mask, (60, 0, 90, 50)) == 0
    assert ellipse_covered(mask, (90, 0, 130, 50)) == 0  # the part inside the picture counts
    assert ellipse_covered(mask, (200, 0, 230, 50)) == 1  # nothing of it to be seen
    assert OPEN_BELOW == 0.9


def test_what_is_covered_beside_faces() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:60, 20:60] = True
    assert beside(mask, []) == pytest.approx(0.16)
    assert beside(mask, [(20, 20, 60, 60)]) == pytest.approx(0.16 * (1 - np.pi / 4), abs=0.002)
    assert beside(mask, [(0, 0, 100, 100)]) == 0


def test_deface_covers_the_ellipse_in_the_box_with_three_tenths_added() -> None:
    mask = ellipses([[100.0, 100.0, 200.0, 200.0, 0.9]], WIDTH, HEIGHT)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (70, 230, 70, 230)
    assert mask.sum() == pytest.approx(np.pi * 80**2, rel=0.02)


def test_of_a_face_drawn_by_hand_nothing_is_asked_and_covering_it_is_not_needless() -> None:
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    ellipse = [40, 40, 60, 60]
    asked, drawn = judged([mask], [[ellipse]], [], 0.0), judged([mask], [[]], [ellipse], 0.0)
    assert (asked.faces, asked.open) == (1, 0) and (drawn.faces, drawn.open) == (0, 0)
    assert asked.needless == drawn.needless == pytest.approx(0.04 * (1 - np.pi / 4), abs=2e-4)
    bare = np.zeros((100, 100), bool)
    assert judged([bare], [[]], [ellipse], 0.0).open == 0 and judged([bare], [[ellipse]], [], 0.0).open == 1
