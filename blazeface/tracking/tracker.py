"""Tracking: the same face keeps the same number from frame to frame, and its points are steadied.

Faces of a frame go to the tracks whose expected boxes they overlap most. A face that is not found for a moment is
still given, where it was last seen, so that a missed frame does not show; it is taken up again for some time after
that. A number is given once in the life of a tracker.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.geometry import Floats, box_iou
from blazeface.tracking.one_euro import OneEuro, Points, next_velocity

MIN_OVERLAP = 0.2
"""IoU of a face with the box in which its track expects it, from which it is taken for the same."""

VELOCITY_CUTOFF = 0.7
"""Hz, of the filter over the speeds by which a face is expected somewhere."""

ESTABLISHED = 3
"""Frames after which a face is held when it vanishes; a single false one is not drawn out."""


class Tracker:
    """Follows the faces of one video; see `update`.

    smooth: how points are steadied; None leaves them as they were found. hold: seconds for which a face that is not
    found is still given. remember: seconds for which it is still recognised where it vanished.
    """

    def __init__(self, smooth: OneEuro | None = None, hold: float = 0.25, remember: float = 1.0):
        self._smooth = smooth
        self._filter = smooth or OneEuro()  # always run, so that there is one way through
        self._hold = hold
        self._remember = max(remember, hold)
        self._tracks: _Tracks | None = None
        self._next_id = 1

    def update(self, faces: Detections, time: float) -> Detections:
        """The faces of the next frame -> the same with track ids, steadied, and with those held that just vanished.

        time: of the frame, in seconds; it grows. A held face has the box, the points and the score of when it was
        last found.
        """
        found = _points(faces)
        tracks = self._known(time, found.shape[1])
        gaps = np.maximum(time - tracks.seen, 1e-6)
        of_track, of_face = associate(tracks.expected(np.minimum(gaps, self._hold)), faces.boxes)
        new = np.setdiff1d(np.arange(len(faces)), of_face)
        lost = np.setdiff1d(np.arange(len(tracks)), of_track)

        was, gap, points = tracks[of_track], gaps[of_track], found[of_face]
        sizes, count = _sizes(points), len(of_track)
        filtered, opening = self._filter.step(points, was.filtered, was.opening, sizes, gap)
        velocity = next_velocity(points, was.measured, was.velocity, sizes, gap, cutoff=VELOCITY_CUTOFF)
        seen, frames = np.full(count, time), was.frames + 1
        old = _Tracks(was.ids, filtered, opening, velocity, points, faces.scores[of_face], seen, frames)
        begun = self._begin(found[new], faces.scores[new], time)
        present = _join(old, begun)
        absent = tracks[lost]
        self._tracks = _join(present, absent)
        held = absent[time - absent.seen <= self._hold]
        covered = box_iou(held.boxes(), present.boxes()).max(axis=1, initial=0.0) > MIN_OVERLAP
        held = held[(held.frames >= ESTABLISHED) & ~covered]
        given = _join(present, held)
        given = given[np.argsort(-given.scores, kind="stable")]
        return self._detections(given)

    def forget(self) -> None:
        """Let go of all tracks, as where nothing is in its place any more; their numbers stay used up."""
        self._tracks = None

    def _known(self, time: float, points: int) -> _Tracks:
        """The tracks of the last frame, less those that are out of sight for too long."""
        if self._tracks is None:
            self._tracks = self._begin(np.zeros((0, points, 2)), np.zeros(0, np.float32), time)
        return self._tracks[time - self._tracks.seen <= self._remember]

    def _begin(self, points: Points, scores: NDArray[np.float32], time: float) -> _Tracks:
        count = len(points)
        ids = np.arange(self._next_id, self._next_id + count, dtype=np.int64)
        self._next_id += count
        rest, seen = np.zeros_like(points), np.full(count, time)
        return _Tracks(ids, points, rest, rest, points, scores, seen, np.ones(count, np.int64))

    def _detections(self, tracks: _Tracks) -> Detections:
        points = (tracks.measured if self._smooth is None else tracks.filtered).astype(np.float32)
        boxes = np.ascontiguousarray(points[:, :2].reshape(-1, 4))
        return Detections(boxes, tracks.scores, np.ascontiguousarray(points[:, 2:]), tracks.ids)


def associate(
    expected: Floats, boxes: Floats, least: float = MIN_OVERLAP
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which box belongs to which track: the pair that overlaps most first, each taken once.

    expected (T, 4), boxes (N, 4) -> positions of tracks and of their boxes, equally many. Pairs of an
    IoU below `least` are none.
    """
    overlap = box_iou(expected, boxes.astype(np.float64))
    pairs = []
    while overlap.size and overlap.max() >= least:
        track, face = divmod(int(overlap.argmax()), overlap.shape[1])
        pairs.append((track, face))
        overlap[track] = -1
        overlap[:, face] = -1
    chosen = np.array(pairs, np.intp).reshape(-1, 2)
    return chosen[:, 0], chosen[:, 1]


@dataclass(frozen=True)
class _Tracks:
    """T tracks. Points (T, 2 + K, 2) are the box's two corners, then the keypoints. opening: the filter's velocities,
    in which a single step counts for little; velocity: what the face really did, by which it is expected."""

    ids: NDArray[np.int64]
    filtered: Points
    opening: Points
    velocity: Points
    measured: Points
    scores: NDArray[np.float32]
    seen: Points
    frames: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> _Tracks:
        return _Tracks(*(getattr(self, field.name)[index] for field in fields(self)))

    def boxes(self) -> Points:
        boxes: Points = self.measured[:, :2].reshape(-1, 4)
        return boxes

    def expected(self, seconds: Points) -> Points:
        """Boxes (T, 4) some seconds after they were last seen, if the faces keep their velocity."""
        center = self.velocity[:, :2].mean(axis=1, keepdims=True)  # the corners' own would stretch the box
        moved: Points = self.measured[:, :2] + center * (_sizes(self.measured) * seconds)[:, None, None]
        return moved.reshape(-1, 4)


def _join(first: _Tracks, second: _Tracks) -> _Tracks:
    return _Tracks(
        *(np.concatenate([getattr(first, field.name), getattr(second, field.name)]) for field in fields(_Tracks))
    )


def _points(faces: Detections) -> Points:
    return np.concatenate([faces.boxes.reshape(-1, 2, 2), faces.keypoints], axis=1).astype(np.float64)


def _sizes(points: Points) -> Points:
    """Side of a square of the box's area, in pixels: (T,)."""
    sides = np.maximum(points[:, 1] - points[:, 0], 0)
    size: Points = np.sqrt(sides[:, 0] * sides[:, 1])
    return size
