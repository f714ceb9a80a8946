"""Faces followed from frame to frame, so that each is covered in the frames as well in which it is not found.

A track is a row of sightings. Everything from the score `faint` on may continue one; whether it is covered is decided by
its best sighting, also by one that comes later, so that a face which comes into sight is covered from the first trace
of it. A track that begins where another was lost is linked to it, and the gap between them is covered; the lost one may
still go on by itself, since the new one may be somebody else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.geometry import Floats, box_iou
from blazeface.privacy.rules import RULES, CoverRules
from blazeface.tracking.tracker import associate

Box = tuple[float, float, float, float]


@dataclass
class Track:
    """Sightings of one face, in order: frame numbers, times in seconds, boxes in pixels, scores.

    confirmed: it is covered. strong, evidence: sightings that could confirm it, and seconds of them, each frame counted with
    its score; established: they are enough (see the rules). link: the track that was lost where this one began, and how
    many sightings it had then. heirs: those that are linked to this one.
    """

    number: int
    frames: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    confirmed: bool = False
    strong: int = 0
    evidence: float = 0.0
    established: bool = False
    link: tuple[Track, int] | None = None
    heirs: list[Track] = field(default_factory=list, repr=False)

    def see(
        self, frame: int, time: float, box: Sequence[float], score: float, step: float, rules: CoverRules
    ) -> None:
        """Take a sighting; step: seconds since the frame before."""
        self.frames.append(frame)
        self.times.append(time)
        self.boxes.append((box[0], box[1], box[2], box[3]))
        self.scores.append(score)
        if score >= rules.score:
            self.confirmed = True
            self.strong += 1
            self.evidence += step * score
            self.established = self.strong >= rules.established and self.evidence >= rules.evidence

    @property
    def continued(self) -> bool:
        """Another track has gone on where this one was lost, and this one was not seen any more."""
        return any(heir.confirmed and heir.times[0] > self.times[-1] for heir in self.heirs)

    def larger_before(self, index: int, rules: CoverRules) -> Box | None:
        """The largest box of the moments before a sighting that is much smaller, as that of a face half hidden is."""
        first = bisect_left(self.times, self.times[index] - rules.memory - 1e-9)
        largest = max(self.boxes[first : index + 1], key=side)
        return largest if side(self.boxes[index]) < rules.shrunk * side(largest) else None

    def velocity_at_end(self, memory: float) -> tuple[float, float]:
        """Sides a second, (x, y), over the last `memory` seconds; (0, 0) for a single sighting."""
        first = bisect_left(self.times, self.times[-1] - memory - 1e-9)
        return _velocity(self, first, len(self.times) - 1)

    def velocity_at_start(self, memory: float) -> tuple[float, float]:
        last = bisect_left(self.times, self.times[0] + memory + 1e-9) - 1
        return _velocity(self, 0, last)


class CoverTracks:
    """The tracks of one video. width, height: of its pictures. `ended`: no further frame will come.

    keep: keep all tracks; without it those are let go of that no cover can come from any more, `look_ahead` seconds
    after that.
    """

    def __init__(
        self,
        width: int,
        height: int,
        rules: CoverRules = RULES,
        keep: bool = True,
        look_ahead: float = 0.0,
        next_number: int = 1,
    ):
        self.width, self.height, self.rules = width, height, rules
        self.tracks: list[Track] = []
        self.known_until = 0.0
        self.next_number = next_number
        self.ended = False
        self._keep, self._look_ahead = keep, look_ahead
        self._alive: list[Track] = []
        self._first = True

    def add(self, frame: int, time: float, faces: Detections) -> None:
        """The candidates of the next frame; time: in seconds, it grows."""
        rules = self.rules
        step = 0.0 if self._first else time - self.known_until
        self.known_until, self._first = time, False
        alive = self._alive = [t for t in self._alive if time - t.times[-1] <= self._patience(t)]
        expected = np.array([self._expected(track, time) for track in alive]).reshape(-1, 4)
        chosen = faces[faces.scores >= rules.faint]
        chosen = chosen[self._credible(chosen, expected[[track.established for track in alive]])]
        chosen = chosen[apart(chosen.boxes.tolist(), chosen.scores.tolist(), rules)]
        of_track, of_face = associate(expected, chosen.boxes, rules.overlap)
        continued = dict(zip(of_face.tolist(), of_track.tolist(), strict=True))
        lost = [track for place, track in enumerate(alive) if place not in set(of_track.tolist())]
        for n, (box, score) in enumerate(zip(chosen.boxes.tolist(), chosen.scores.tolist(), strict=True)):
            if n in continued:
                track = alive[continued[n]]
            else:
                before = self._lost_near(lost, box, time)
                if before is not None and time - before.times[-1] <= rules.regain + 1e-9:
                    lost.remove(before)
                    track = before
                else:
                    track = self._begun(before)
            track.see(frame, time, box, score, step, rules)
        if not self._keep:
            oldest = time - rules.bridge - self._look_ahead
            for track in self.tracks:
                if track.times[-1] < oldest:  # or a chain of links would keep all that ever was
                    track.link = None
            self.tracks = [t for t in self.tracks if t.times[-1] >= oldest]

    def _begun(self, before: Track | None) -> Track:
        """A new track; before: the lost one that it is linked to."""
        track = Track(self.next_number, link=None if before is None else (before, len(before.times)))
        self.next_number += 1
        if before is not None:
            before.heirs.append(track)
        self._alive.append(track)
        self.tracks.append(track)
        return track

    def _patience(self, track: Track) -> float:
        """Seconds for which a track that is not seen may be taken up again; noise is soon forgotten."""
        return self.rules.bridge if track.confirmed else self.rules.brief

    def _credible(self, faces: Detections, established: Floats) -> NDArray[np.bool_]:
        """Which candidates count: large ones of no high score only where an established track, (K, 4) boxes, expects its face."""
        rules, sides = self.rules, faces.boxes[:, 2:] - faces.boxes[:, :2]
        large = sides.max(axis=1, initial=0) > rules.large * min(self.width, self.height)
        doubtful = large & (faces.scores < rules.large_score)
        continuing = box_iou(established, faces.boxes).max(axis=0, initial=0) >= rules.overlap
        return np.asarray(~doubtful | continuing)

    def _expected(self, track: Track, time: float) -> Box:
        vx, vy = track.velocity_at_end(self.rules.memory)
        seconds = min(time - track.times[-1], self.rules.coast)
        return moved(track.boxes[-1], vx * seconds, vy * seconds)

    def _lost_near(self, lost: list[Track], box: Sequence[float], time: float) -> Track | None:
        """The lost track that is nearest to a box, if one is within reach and of a like size."""
        best, nearest = None, 1.0
        for track in lost:
            own, other = side(track.boxes[-1]), side(box)
            if max(own, other) > self.rules.ratio * min(own, other):
                continue
            limit = self.rules.reach + self.rules.speed * (time - track.times[-1])
            # It may have gone on, and it may have turned back.
            distance = min(_apart(box, place) for place in (self._expected(track, time), track.boxes[-1])) / limit
            if distance <= nearest:
                best, nearest = track, distance
        return best


def apart(boxes: Sequence[Sequence[float]], scores: Sequence[float], rules: CoverRules) -> list[int]:
    """The places of those candidates, best first, that are not the same face as a better one."""
    kept: list[int] = []
    for n, box in enumerate(boxes):
        covered = (share_inside(box, _least_cover(boxes[better], scores[better], rules)) for better in kept)
        if scores[n] >= rules.sure or all(share < rules.inside for share in covered):
            kept.append(n)
    return kept


def share_inside(box: Sequence[float], region: Sequence[float]) -> float:
    """The share of a box's area that lies in a region."""
    across = max(0.0, min(box[2], region[2]) - max(box[0], region[0]))
    down = max(0.0, min(box[3], region[3]) - max(box[1], region[1]))
    return across * down / max((box[2] - box[0]) * (box[3] - box[1]), 1e-9)


def with_margin(box: Sequence[float], rules: CoverRules, score: float | None = None) -> Box:
    """A box with the margins of the rules. score: of a face that is seen there, by which they differ; None where it is not."""
    across, down = rules.margin_across, rules.margin_down
    if score is not None:
        across, down = (rules.certain_across, down) if score >= rules.certain else (across, rules.doubtful_down)
    across, down = across * (box[2] - box[0]), down * (box[3] - box[1])
    return box[0] - across, box[1] - down, box[2] + across, box[3] + down


def _least_cover(box: Sequence[float], score: float, rules: CoverRules) -> Box:
    """The cover of a face that is seen, without what a doubtful one has more."""
    return with_margin(box, rules, score if score >= rules.certain else None)


def side(box: Sequence[float]) -> float:
    """Side of a square of the box's area, in pixels, at least a tiny one."""
    return max(sqrt(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)), 1e-6)


def moved(box: Sequence[float], across: float, down: float) -> Box:
    """A box displaced by some of its own sides."""
    unit = side(box)
    x, y = across * unit, down * unit
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def _apart(a: Sequence[float], b: Sequence[float]) -> float:
    """Distance of the middles of two boxes, in the mean of their sides."""
    return hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / (side(a) + side(b))


def _velocity(track: Track, first: int, last: int) -> tuple[float, float]:
    seconds = track.times[last] - track.times[first]
    if seconds <= 0:
        return 0.0, 0.0
    a, b = track.boxes[first], track.boxes[last]
    unit = 2 * seconds * side(b)
    return (b[0] + b[2] - a[0] - a[2]) / unit, (b[1] + b[3] - a[1] - a[3]) / unit
