"""The door to writing a video: the best library that is installed, and a file that appears whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2

from blazeface.files.whole import beside
from blazeface.geometry import Image
from blazeface.video.clips import have_av

WRITABLE_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")


class VideoWriter(Protocol):
    """write(image, time): append a BGR picture that is shown from `time` on, in seconds from the first.
    finish(): complete the file. close(): let go of it, finished or not.
    """

    def write(self, image: Image, time: Fraction) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_video_writer(
    path: Path, width: int, height: int, rate: Fraction, tick: Fraction
) -> Iterator[VideoWriter]:
    """Write a video of the size given; it gets its name when the block ends without an exception.

    rate: frames per second. tick: unit of the times that will come, in seconds. The suffix, one of
    WRITABLE_VIDEOS, decides the container. Raises BlazeFaceError when it cannot be written.
    """
    with beside(path) as part:
        writer = _writer(part, path, width, height, rate, tick)
        try:
            yield _Resizing(writer, width, height)
            writer.finish()
        finally:
            writer.close()


class _Resizing:
    """Passes pictures on in one size: a stream may change its own on the way."""

    def __init__(self, writer: VideoWriter, width: int, height: int):
        self._writer = writer
        self._size = (width, height)
        self.finish, self.close = writer.finish, writer.close

    def write(self, image: Image, time: Fraction) -> None:
        if image.shape[1::-1] != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        self._writer.write(image, time)


def _writer(part: Path, path: Path, width: int, height: int, rate: Fraction, tick: Fraction) -> VideoWriter:
    # Imported here: each writer loads a library that the other does not need.
    if have_av():
        from blazeface.video.av_writer import AvWriter

        return AvWriter(part, path, width, height, rate, tick)
    from blazeface.video.cv2_video import Cv2Writer

    return Cv2Writer(part, path, width, height, rate, tick)
