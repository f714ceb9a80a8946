"""VideoSource: what every reader of a video, a camera or a stream offers, whatever library is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, Protocol

from blazeface.sources.frames import Frame


class AudioTrack(NamedTuple):
    """A file with sound to copy, and the time in it, in seconds, of its first picture."""

    path: str
    start: Fraction


class VideoSource(Protocol):
    """An opened video file, camera or stream.

    rate: frames per second, exact; a typical value where frames come unevenly. tick: unit of the frames' times, in
    seconds. length: number of frames that the container announces, None if unknown. audio: its sound, where it may
    have one that can be copied. All four are final once the first frame has been given.

    frames() gives the frames in order, and raises BlazeFaceError after the last readable one when some are missing.
    """

    @property
    def rate(self) -> Fraction: ...

    @property
    def tick(self) -> Fraction: ...

    @property
    def length(self) -> int | None: ...

    @property
    def audio(self) -> AudioTrack | None: ...

    def frames(self) -> Iterator[Frame]: ...
