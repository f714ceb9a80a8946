"""Clips: whatever gives frames one after the other, and the choice of the library that reads it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import NamedTuple, Protocol

from blazeface.video.frames import Frame
from blazeface.video.inputs import Input


class Sound(NamedTuple):
    """A file whose sound is wanted, and the second of it at which its first picture stands."""

    path: str
    start: Fraction


class Clip(Protocol):
    """An opened video file, camera or stream.

    rate: frames per second, exact; where frames come unevenly, a typical value.
    tick: unit of the frames' times in seconds. length: number of frames as promised, None if unknown.
    frames() gives them in order and raises BlazeFaceError after the last that could be read when
    there should have been more. sound: its sound, where it may have one that can be copied. What clips tell is right
    from the first frame on.
    """

    @property
    def rate(self) -> Fraction: ...

    @property
    def tick(self) -> Fraction: ...

    @property
    def length(self) -> int | None: ...

    @property
    def sound(self) -> Sound | None: ...

    def frames(self) -> Iterator[Frame]: ...


def have_av() -> bool:
    """Whether PyAV is installed, which keeps exact frame rates and time stamps and writes H.264."""
    return importlib.util.find_spec("av") is not None


def open_clip(
    item: Input,
    timeout: float,
    stop: Callable[[], bool],
    reconnect: float = 0.0,
    say: Callable[[str], None] = lambda sentence: None,
) -> AbstractContextManager[Clip]:
    """Open a video file, picture sequence, camera or stream.

    timeout: seconds that a camera or stream may keep silent. stop: asked while waiting; True ends the
    clip. reconnect: seconds for which a camera or stream that was lost is opened anew; say takes the sentences about
    that. Raises BlazeFaceError, on opening or reading, for what is missing, damaged, silent or no video.
    """
    # Imported here: each reader loads a library that the others do not need.
    if item.kind in ("camera", "stream"):
        from blazeface.video.live import open_camera, open_stream

        return (open_camera if item.kind == "camera" else open_stream)(item, timeout, stop, reconnect, say)
    if item.kind == "sequence":
        from blazeface.video.sequence import SequenceReader

        return SequenceReader(item.address)
    if have_av():
        from blazeface.video.av_reader import AvReader

        return AvReader(item.address)
    from blazeface.video.cv2_video import Cv2Reader

    return Cv2Reader(item.address)
