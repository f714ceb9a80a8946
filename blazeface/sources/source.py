"""VideoSource: the protocol of all readers of videos, cameras and streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from blazeface.sources.frames import Frame


@dataclass
class Progress:
    """ended: whether all pictures of a source have been given."""

    ended: bool = False


class AudioTrack(NamedTuple):
    """A file with sound to copy.

    path: its name, for sentences. address: what FFmpeg opens. start: the time in it, in seconds, of its first picture.
    progress: once all of its pictures have been given, sound that goes on after them is copied as well. (An object of
    its own, since the reader here would be a cycle: the garbage collector frees PyAV's parts in an order that crashes.)
    """

    path: str
    address: str
    start: Fraction
    progress: Progress


class NoSound(NamedTuple):
    """Why a source that may have sound gives none."""

    reason: str


class VideoSource(Protocol):
    """An opened video file, camera or stream.

    rate: frames per second, exact; a typical value where frames come unevenly. tick: unit of the frames' times, in
    seconds. length: number of frames that the container announces, None if unknown. audio: its sound to copy, or why
    there is none although it may have some; None for a source without. pixel_aspect: width of a pixel over its
    height. copy_loss: what a copy of its frames lacks, as a sentence without its full stop; None for nothing. All are
    final once the first frame has been given.

    frames() gives the frames in order, and raises BlazeFaceError after the last readable one when some are missing.
    """

    @property
    def rate(self) -> Fraction: ...

    @property
    def tick(self) -> Fraction: ...

    @property
    def length(self) -> int | None: ...

    @property
    def audio(self) -> AudioTrack | NoSound | None: ...

    @property
    def pixel_aspect(self) -> Fraction: ...

    @property
    def copy_loss(self) -> str | None: ...

    def frames(self) -> Iterator[Frame]: ...
