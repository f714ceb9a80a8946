"""Numbered pictures as a video: img_%04d.jpg stands for img_0000.jpg, img_0001.jpg and so on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import SEQUENCE

RATE = Fraction(25)
"""Frames per second that are assumed: pictures do not say."""


class SequenceReader:
    """The pictures of a pattern in the order of their numbers (see `source.VideoSource`); numbers may be missing.

    A picture that cannot be read keeps its place in time, and is reported at the end. Raises BlazeFaceError when no
    picture fits the pattern.
    """

    def __init__(self, pattern: str):
        self.rate = RATE
        self.tick = 1 / RATE
        self._pattern = pattern
        self._paths = numbered(pattern)
        self.audio = None
        self.pixel_aspect = Fraction(1)
        self.copy_loss: str | None = None
        self.length: int | None = len(self._paths)
        if not self._paths:
            raise BlazeFaceError(f"{printable(pattern)}: there is no such numbered picture")

    def frames(self) -> Iterator[Frame]:
        faults = []
        for count, path in enumerate(self._paths):
            try:
                image = read_picture(path)
            except BlazeFaceError as fault:
                faults.append(str(fault))
                continue
            yield Frame(image, count, count / self.rate, self._pattern)
        if faults:
            others = f" (and {len(faults) - 1} more of this sequence)" if len(faults) > 1 else ""
            raise BlazeFaceError(faults[0] + others)

    def __enter__(self) -> SequenceReader:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def numbered(pattern: str) -> list[str]:
    """Paths that fit a pattern with one %d, %4d or %04d in its last part, by number; %04d wants four digits or more."""
    folder, name = os.path.split(pattern)
    found = SEQUENCE.search(name)
    if found is None:
        return []
    width = re.sub(r"\D", "", found[0])
    digits = rf"(\d{{{int(width)},}})" if width.startswith("0") and int(width) else r"(\d+)"
    form = re.compile(re.escape(name[: found.start()]) + digits + re.escape(name[found.end() :]))
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise BlazeFaceError(f"{printable(pattern)}: cannot be listed: {error.strerror}") from error
    numbers = sorted((int(match[1]), name) for name in names if (match := form.fullmatch(name)))
    return [os.path.join(folder, name) for _, name in numbers]
