"""Opening a video for writing: the best library that is installed, and a file that appears whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from blazeface.files.staged import staged_file
from blazeface.geometry import Image
from blazeface.sources.opening import have_av
from blazeface.sources.source import AudioTrack

WRITABLE_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")


class VideoWriter(Protocol):
    """write(image, time): append a BGR picture that is shown from `time` on, in seconds from the first.
    finish(): complete the file. close(): let go of it, finished or not. soundless: why the sound that was to be
    copied is left out, None where it is not.
    """

    @property
    def soundless(self) -> str | None: ...

    def write(self, image: Image, time: Fraction) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_video_writer(
    path: Path,
    width: int,
    height: int,
    rate: Fraction,
    tick: Fraction,
    sound: AudioTrack | None = None,
    replace: bool = True,
    pixel_aspect: Fraction = Fraction(1),
    encode_sound: bool = False,
    recording: bool = False,
) -> Iterator[VideoWriter]:
    """Write a video of the size given; it gets its name when the block ends without an exception.

    rate: frames per second. tick: unit of the times that will come, in seconds. The suffix, one of
    WRITABLE_VIDEOS, decides the container. sound: whose sound is copied; only PyAV can. replace: as in
    `staged_file`. pixel_aspect: width of a pixel over its height. encode_sound: sound that the container does not
    take is encoded as AAC. recording: of something that does not come again: it is written so that what is there plays
    at any moment, and stays where the block is left by an exception or the process is killed. Raises BlazeFaceError when it cannot be written.
    """
    with staged_file(path, replace, recording) as part:
        writer = _writer(part, path, width, height, rate, tick, sound, pixel_aspect, encode_sound, recording)
        try:
            yield _Fitting(writer, width, height)
            writer.finish()
        finally:
            writer.close()


class _Fitting:
    """Passes pictures on in one size, as a video file has: a stream that changes its own on the way is scaled into
    the first one, its shape kept, black beside it.
    """

    def __init__(self, writer: VideoWriter, width: int, height: int):
        self._writer = writer
        self._size = (width, height)
        self.finish, self.close = writer.finish, writer.close

    @property
    def soundless(self) -> str | None:
        return self._writer.soundless

    def write(self, image: Image, time: Fraction) -> None:
        if image.shape[1::-1] != self._size:
            image = fitted(image, *self._size)
        self._writer.write(image, time)


def fitted(image: Image, width: int, height: int) -> Image:
    """A BGR picture scaled into the middle of a black one (height, width, 3)."""
    scale = min(width / image.shape[1], height / image.shape[0])
    across, down = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    left, top = (width - across) // 2, (height - down) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + down, left : left + across] = cv2.resize(
        image, (across, down), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return canvas


def _writer(
    part: Path,
    path: Path,
    width: int,
    height: int,
    rate: Fraction,
    tick: Fraction,
    sound: AudioTrack | None,
    pixel_aspect: Fraction,
    encode_sound: bool,
    recording: bool,
) -> VideoWriter:
    # Imported here: each writer loads a library that the other does not need.
    if have_av():
        from blazeface.sinks.av_writer import AvWriter

        return AvWriter(part, path, width, height, rate, tick, sound, pixel_aspect, encode_sound, recording)
    from blazeface.sources.cv2_reader import Cv2Writer

    return Cv2Writer(part, path, width, height, rate, tick, pixel_aspect)
