"""The covers of one source, frame by frame: from what is looked for now, or was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.geometry import Image
from blazeface.privacy.cover import CoverStyle, cover_all, cover_boxes
from blazeface.privacy.covers import Cover, by_second, covers_at
from blazeface.privacy.log import CoverLog
from blazeface.privacy.rules import RULES, CoverRules
from blazeface.privacy.tracks import CoverTracks, Track
from blazeface.sources.frames import Frame

MOST_WAITING = 2**29
"""Bytes that the frames which wait for a look ahead may take: at more the oldest goes on early."""


class Covers(Protocol):
    """Where the covers of a frame lie; None where nobody knows, and all of it has to be covered.

    index, time: the frame's number and its seconds from the first. width, height: of its picture.
    """

    def covers(self, index: int, time: float, width: int, height: int) -> list[Cover] | None: ...


class Coverer:
    """Takes the candidates of each frame in order, and gives the covers of any of those frames.

    Where pictures change their size nothing is where it was: the tracks begin anew. keep, look_ahead: as of CoverTracks.
    """

    def __init__(self, rules: CoverRules = RULES, keep: bool = True, look_ahead: float = 0.0):
        self._rules, self._keep, self._look_ahead = rules, keep, look_ahead
        self._parts: list[_Part] = []
        self._known = -1
        self._unknown: set[int] = set()

    @property
    def parts(self) -> list[CoverTracks]:
        """The tracks: one set for each row of frames of one size."""
        return [part.tracks for part in self._parts]

    def add(self, index: int, time: float, width: int, height: int, faces: Detections | None) -> None:
        """The candidates of the next frame; None where they could not be looked for."""
        self._known = index
        if not self._parts or not self._parts[-1].fits(width, height):
            if self._parts:
                self._parts[-1].tracks.ended = True
            keep = self._keep
            tracks = CoverTracks(width, height, self._rules, keep, self._look_ahead, self._next_number())
            self._parts = [*(self._parts if keep else self._parts[-1:]), _Part(index, tracks)]
        if faces is None:
            self._unknown.add(index)
            faces = Detections.empty()
        self._parts[-1].tracks.add(index, time, faces)

    def end(self) -> None:
        """No further frame will come."""
        for part in self._parts:
            part.tracks.ended = True
            part.seconds = by_second(part.tracks)

    def covers(self, index: int, time: float, width: int, height: int) -> list[Cover] | None:
        part = next((part for part in reversed(self._parts) if part.first <= index), None)
        if index > self._known or index in self._unknown or part is None or not part.fits(width, height):
            return None
        among = None if part.seconds is None else part.seconds.get(int(time), [])
        return covers_at(part.tracks, time, among)

    def _next_number(self) -> int:
        return self._parts[-1].tracks.next_number if self._parts else 1


class _Part:
    def __init__(self, first: int, tracks: CoverTracks):
        self.first, self.tracks = first, tracks
        self.seconds: dict[int, list[Track]] | None = None

    def fits(self, width: int, height: int) -> bool:
        return (width, height) == (self.tracks.width, self.tracks.height)


@dataclass(frozen=True)
class Covering:
    """How the faces of a run are covered.

    how: in what way. rules: where and for how long. shown: the score from which faces are recorded and shown in the
    window as found, which is another matter. delay: seconds for which a live frame is kept, to look ahead. given: the
    covers of a report, which are applied without looking. log: takes note of what is covered, for a report.
    """

    how: CoverStyle
    rules: CoverRules = RULES
    shown: float = 0.0
    delay: float = 0.0
    given: Mapping[str, Covers] | None = None
    log: CoverLog | None = None

    def given_for(self, source: str) -> Covers | None:
        """What a report says of a source, where there is a report. Raises BlazeFaceError when it says nothing of it."""
        if self.log is not None:
            self.log.begin(source)
        if self.given is None:
            return None
        if source not in self.given:
            raise BlazeFaceError(f"{printable(source)}: the covers given say nothing of it")
        return self.given[source]

    def recorded(self) -> Coverer:
        """For a file that is looked through before it is covered."""
        return Coverer(self.rules)

    def live(self) -> Coverer:
        return Coverer(self.rules, keep=self.log is not None, look_ahead=self.delay)

    def of_picture(self, frame: Frame, candidates: Detections | None) -> Covers:
        coverer = self.recorded()
        coverer.add(0, 0.0, *size_of(frame), candidates)
        coverer.end()
        if self.log is not None:
            self.log.end(coverer.parts)
        return coverer

    def covered(self, frame: Frame, image: Image, covers: Covers | None) -> Image:
        """The image of a frame with its faces covered; all of it where nobody knows where they are."""
        width, height = size_of(frame)
        boxes = None if covers is None else covers.covers(frame.index, float(frame.time), width, height)
        if self.log is not None:
            self.log.add(frame, boxes)
        return (
            cover_all(image, self.how) if boxes is None else cover_boxes(image, (c.box for c in boxes), self.how)
        )


def size_of(frame: Frame) -> tuple[int, int]:
    """Width and height."""
    return frame.image.shape[1], frame.image.shape[0]


def is_due(oldest: Frame, newest: Frame, waiting: int, delay: float) -> bool:
    """Whether the oldest of the frames that wait is to go on: it is old enough, or they take too much memory."""
    return float(newest.time - oldest.time) >= delay or waiting * oldest.image.nbytes > MOST_WAITING
