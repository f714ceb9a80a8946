"""Numbers that stay, faces that are held, and the steadiness of real videos."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface import FaceDetector
from blazeface.detections import Detections
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker, associate

VIDEOS = Path(__file__).parents[2] / ".." / "shared" / "videos"


def face(left: float, top: float = 0.0, side: float = 20.0, score: float = 0.9) -> Detections:
    return faces((left, top, side, score))


def faces(*rows: tuple[float, float, float, float]) -> Detections:
    """(left, top, side, score) of each, best first."""
    squares = np.array(rows, np.float32).reshape(-1, 4)
    boxes = np.column_stack([squares[:, :2], squares[:, :2] + squares[:, 2:3]])
    keypoints = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 6, axis=1)
    return Detections(boxes, squares[:, 3].copy(), keypoints.astype(np.float32))


def ids(found: Detections) -> list[int]:
    assert found.track_ids is not None
    return [int(n) for n in found.track_ids]


def test_a_walking_face_keeps_its_number_and_a_new_one_gets_the_next() -> None:
    tracker = Tracker()
    for n in range(20):
        assert ids(tracker.update(face(5.0 * n), n / 25)) == [1]
    assert ids(tracker.update(faces((100, 0, 20, 0.9), (300, 0, 20, 0.8)), 20 / 25)) == [1, 2]


def test_without_smoothing_faces_are_given_as_they_were_found() -> None:
    tracker = Tracker()
    for n in range(5):
        found = face(3.3 * n)
        given = tracker.update(found, n / 25)
        np.testing.assert_array_equal(given.boxes, found.boxes)
        np.testing.assert_array_equal(given.keypoints, found.keypoints)
        np.testing.assert_array_equal(given.scores, found.scores)


def test_with_smoothing_a_resting_face_moves_less() -> None:
    tracker = Tracker(OneEuro())
    lefts = [float(tracker.update(face(100 + (n % 2)), n / 25).boxes[0, 0]) for n in range(50)]
    assert np.ptp(lefts[25:]) < 0.4


def test_two_faces_keep_their_numbers_whatever_their_order() -> None:
    tracker = Tracker()
    for n in range(10):
        left, right = (0, 0, 20, 0.9 - 0.1 * (n % 2)), (100, 0, 20, 0.85)
        found = tracker.update(faces(*sorted([left, right], key=lambda row: -row[3])), n / 25)
        assert ids(found) == ([2, 1] if n % 2 else [1, 2])
        assert found.boxes[:, 0].tolist() == ([100, 0] if n % 2 else [0, 100])


def test_faces_that_pass_each_other_keep_their_numbers() -> None:
    """One goes to the right, one lower to the left; they overlap when they meet."""
    tracker = Tracker()
    for n in range(41):
        found = tracker.update(faces((4.0 * n, 0, 40, 0.9), (160 - 4.0 * n, 22, 40, 0.8)), n / 25)
        assert ids(found) == [1, 2]


def test_a_fast_face_is_expected_where_it_is_going() -> None:
    tracker = Tracker()
    left = 0.0
    for n in range(40):
        left += min(0.5 * n, 16)  # in the end by 16 of its 20 pixels a frame: alone, that overlaps by a ninth
        assert ids(tracker.update(face(left), n / 25)) == [1]


def test_a_face_is_held_for_a_moment_and_taken_up_again() -> None:
    tracker = Tracker(hold=0.25, remember=1.0)
    for n in range(5):
        tracker.update(face(50), n / 25)
    seen = [tracker.update(Detections.empty(), n / 25) for n in range(5, 15)]
    assert [len(found) for found in seen] == [1] * 6 + [0] * 4  # last found at 4/25; held up to 0.25 s later
    np.testing.assert_array_equal(seen[0].boxes, face(50).boxes)
    assert ids(seen[5]) == [1]
    assert ids(tracker.update(face(53), 20 / 25)) == [1]


def test_a_face_that_comes_back_too_late_is_a_new_one() -> None:
    tracker = Tracker(remember=1.0)
    for n in range(5):
        tracker.update(face(50), n / 25)
    assert ids(tracker.update(face(50), 4 / 25 + 1.01)) == [2]


def test_a_face_seen_once_is_not_held() -> None:
    tracker = Tracker()
    tracker.update(face(50), 0.0)
    assert len(tracker.update(Detections.empty(), 0.04)) == 0


def test_a_held_face_makes_room_for_one_in_its_place() -> None:
    tracker = Tracker(hold=1.0)
    for n in range(5):
        tracker.update(faces((50, 0, 20, 0.9), (58, 0, 20, 0.5)), n / 25)
    found = tracker.update(face(51), 0.2)
    assert len(found) == 1


def test_forgetting_uses_no_number_twice() -> None:
    tracker = Tracker()
    tracker.update(face(50), 0.0)
    tracker.forget()
    assert ids(tracker.update(face(50), 0.04)) == [2]


def test_pairs_are_taken_best_first() -> None:
    expected = np.array([[0, 0, 10, 10], [4, 0, 14, 10]], float)
    boxes = np.array([[5, 0, 15, 10], [50, 0, 60, 10], [1, 0, 11, 10]], float)
    tracks, found = associate(expected, boxes)
    assert sorted(zip(tracks.tolist(), found.tolist(), strict=True)) == [(0, 2), (1, 0)]
    assert [len(part) for part in associate(np.zeros((0, 4)), boxes)] == [0, 0]
    assert [len(part) for part in associate(expected, np.zeros((0, 4)))] == [0, 0]


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(0, 60), st.floats(0, 1)), max_size=5),
        max_size=15,
    ),
    st.booleans(),
)
def test_whatever_comes(frames: list[list[tuple[float, float, float, float]]], smooth: bool) -> None:
    """No number twice in a frame, none again once another was given later; every face found is given."""
    tracker = Tracker(OneEuro() if smooth else None)
    highest = 0
    alive: set[int] = set()
    for n, rows in enumerate(frames):
        found = faces(*sorted(rows, key=lambda row: -row[3]))
        now = ids(tracker.update(found, n / 25))
        assert len(now) == len(set(now))
        assert len(now) >= len(found)
        new = set(now) - alive
        assert all(number > highest for number in new)
        highest = max([highest, *now])
        alive |= new


def jitter(runs: dict[int, list[tuple[int, np.ndarray]]]) -> float:
    """R.m.s. of the second differences of points over the distance between the eyes, where a face was found in three
    frames in a row: motion that is even from frame to frame adds nothing."""
    squares = []
    for run in runs.values():
        eyes = np.median([np.linalg.norm(points[2] - points[3]) for _, points in run])
        for (first, a), (_, b), (last, c) in zip(run, run[1:], run[2:], strict=False):
            if last - first == 2:
                squares.append((((a - 2 * b + c) / eyes) ** 2).sum(axis=1))
    return float(np.sqrt(np.mean(squares)))


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the shared videos are not beside this repository")
@pytest.mark.parametrize("name", ["again.mkv", "bird.mkv", "eat.mkv"])
def test_smoothing_halves_the_jitter_of_a_real_video(name: str) -> None:
    pytest.importorskip("av")
    from blazeface.sources.av_reader import AvReader

    detector = FaceDetector()
    trackers = [Tracker(hold=0.0), Tracker(OneEuro(), hold=0.0)]
    runs: list[dict[int, list[tuple[int, np.ndarray]]]] = [defaultdict(list), defaultdict(list)]
    with AvReader(str(VIDEOS / name)) as source:
        for frame in source.frames():
            found = detector.detect(frame.image)
            for tracker, run in zip(trackers, runs, strict=True):
                tracked = tracker.update(found, float(frame.time))
                for n, number in enumerate(ids(tracked)):
                    points = np.concatenate([tracked.boxes[n].reshape(2, 2), tracked.keypoints[n]])
                    run[number].append((frame.index, points))
    raw, steady = (jitter(run) for run in runs)
    assert steady <= 0.5 * raw
