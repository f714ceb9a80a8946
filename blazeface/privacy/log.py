"""What was covered, noted frame by frame while it is covered: the material of the report and its contact sheet."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from blazeface.geometry import Image, view_matrix, warp
from blazeface.privacy.covers import Cover, Kind
from blazeface.privacy.tracks import CoverTracks
from blazeface.sources.frames import Frame

THUMBNAIL = 96
"""Pixels along the side of the small picture of a track."""

MOST_THUMBNAILS = 2000
"""Beyond these the pictures of the surest tracks are let go of."""

KINDS: tuple[Kind, ...] = ("seen", "bridged", "held")


class Row(NamedTuple):
    """A cover of one frame: whole pixels outwards, a kind of KINDS, the score of the sighting (0: none)."""

    frame: int
    x1: int
    y1: int
    x2: int
    y2: int
    kind: Kind
    score: float


class Rows:
    """Rows in little memory: hours of video have millions."""

    def __init__(self) -> None:
        self._numbers, self._scores = array("i"), array("f")

    def __len__(self) -> int:
        return len(self._scores)

    def __iter__(self) -> Iterator[Row]:
        return (self[n] for n in range(len(self)))

    def __getitem__(self, n: int) -> Row:
        n %= len(self)
        frame, x1, y1, x2, y2, kind = self._numbers[6 * n : 6 * n + 6]
        return Row(frame, x1, y1, x2, y2, KINDS[kind], self._scores[n])

    def append(self, frame: int, cover: Cover) -> None:
        x1, y1, x2, y2 = (min(max(value, -1e9), 1e9) for value in cover.box)
        box = floor(x1), floor(y1), ceil(x2), ceil(y2)
        self._numbers.extend((frame, *box, KINDS.index(cover.kind)))
        self._scores.append(cover.score)


@dataclass
class SourceLog:
    """One source. sizes: (first frame, width, height) of each row of frames of one size. times: of its frames, seconds.

    paths: the rows of a track; it has a second path where it gives two covers to a frame. unknown: frames that were covered
    whole. people: the number of the person that each track belongs to. done: its copy is complete.
    """

    source: str
    alone: bool = False
    sizes: list[tuple[int, int, int]] = field(default_factory=list)
    times: array[float] = field(default_factory=lambda: array("d"))
    paths: dict[tuple[int, int], Rows] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    people: dict[int, int] = field(default_factory=dict)
    done: bool = False

    @property
    def bare(self) -> bool:
        """Whether it has frames and nothing is covered in any of them."""
        return bool(self.times) and not (self.paths or self.unknown)


class CoverLog:
    """Notes what is covered in a run. thumbnails: keep a small picture of each track too, from its surest sighting."""

    def __init__(self, thumbnails: bool = False):
        self.sources: list[SourceLog] = []
        self.thumbnails: dict[int, Image] = {}
        self._wanted = thumbnails
        self._best: dict[tuple[int, int], tuple[float, Image]] = {}
        self._next_person = 1

    def begin(self, source: str) -> None:
        self.sources.append(SourceLog(source))

    def add(self, frame: Frame, covers: Sequence[Cover] | None) -> None:
        """The covers of the next frame of the source that was begun last; None where all of it was covered."""
        log, height, width = self.sources[-1], *frame.image.shape[:2]
        log.alone = frame.alone
        if not log.sizes or log.sizes[-1][1:] != (width, height):
            log.sizes.append((frame.index, width, height))
        log.times.append(float(frame.time))
        if covers is None:
            log.unknown.append(frame.index)
            return
        so_far: Counter[int] = Counter()
        for cover in covers:
            key = cover.track, so_far[cover.track]
            so_far[cover.track] += 1
            log.paths.setdefault(key, Rows()).append(frame.index, cover)
            if self._wanted and cover.kind == "seen":
                self._picture(frame.image, cover)

    def end(self, parts: Sequence[CoverTracks]) -> None:
        """The source that was begun last is done; parts: its tracks, of which those that are linked are one person."""
        log = self.sources[-1]
        log.done = True
        taken: set[int] = set()
        for track in (track for part in parts for track in part.tracks if track.confirmed):
            before = None if track.link is None else track.link[0]
            number = None if before is None else log.people.get(before.number)
            if before is None or number is None or before.number in taken or before.times[-1] >= track.times[0]:
                number = self._next_person
                self._next_person += 1
            else:
                taken.add(before.number)
            log.people[track.number] = number
        self._keep_pictures(log)

    def _picture(self, image: Image, cover: Cover) -> None:
        key = len(self.sources), cover.track
        known = self._best.get(key)
        if known is None or cover.score > known[0]:
            self._best[key] = cover.score, thumbnail(image, cover.box)

    def _keep_pictures(self, log: SourceLog) -> None:
        """Pictures of tracks become pictures of people."""
        best: dict[int, float] = {}
        for (_, track), (score, picture) in self._best.items():
            person = log.people.get(track)
            if person is not None and score > best.get(person, -1.0):
                best[person], self.thumbnails[person] = score, picture
        self._best.clear()
        while len(self.thumbnails) > MOST_THUMBNAILS:
            self.thumbnails.pop(next(iter(self.thumbnails)))


def thumbnail(image: Image, box: Sequence[float]) -> Image:
    """The surroundings of a box as a picture of THUMBNAIL x THUMBNAIL, grey beyond the picture's edge."""
    half = max(box[2] - box[0], box[3] - box[1], 2.0) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return warp(image, view_matrix(np.array([x, y]), 2 * half, 0.0, THUMBNAIL), THUMBNAIL, fill=(90, 90, 90))
