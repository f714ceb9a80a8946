"""Video files through OpenCV alone, for installations without PyAV. What OpenCV can keep:

- reading: every frame up to the first damaged one, the rotation, mirrors of MP4 and MOV, and times to a millisecond;
- writing: the length, and the rate to within 0.001 frames per second (30000/1001 becomes 2997/100).
  A varying rate becomes a steady one by repeating and leaving out frames. MPEG-4 in place of H.264,
  Motion JPEG in AVI; pixels that are not square become square; pictures of an odd width or height are refused, since OpenCV would crop them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.names import printable
from blazeface.files.opencv_log import SILENT, set_log_level
from blazeface.files.staged import require_regular_file
from blazeface.geometry import Image
from blazeface.sources.allowed import check_frame_size, file_options, why_not_opened
from blazeface.sources.container_bytes import display_matrix
from blazeface.sources.frames import Frame, steady_time
from blazeface.sources.orientation import Orientation, of_display_matrix, upright
from blazeface.sources.source import NoSound

CODECS = {".avi": "MJPG", ".webm": "VP80"}
DEFAULT_CODEC = "mp4v"

INSTALL_AV = install_command("video")


def silence_opencv() -> None:
    """Keep OpenCV and its FFmpeg from printing their own complaints; ours name the file and the fault."""
    set_log_level(SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Cv2Reader:
    """A video file (see `source.VideoSource`). Raises BlazeFaceError when it is no video."""

    def __init__(self, path: str):
        require_regular_file(path)
        self._path = path
        self._shown = printable(path)
        try:
            path.encode()  # OpenCV crashes on a name that is not UTF-8
        except UnicodeEncodeError as error:
            raise BlazeFaceError(
                f"{self._shown}: OpenCV cannot open such a name; PyAV can: {INSTALL_AV}"
            ) from error
        silence_opencv()
        with file_options():
            self._capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise BlazeFaceError(f"{self._shown}: {why_not_opened(path) or 'not a video, or a damaged one'}")
        size = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        check_frame_size(path, *map(round, size))
        self.rate = exact_rate(self._capture.get(cv2.CAP_PROP_FPS)) or Fraction(25)
        self.tick = Fraction(1, 1000)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.audio = NoSound(f"OpenCV reads no sound; PyAV does: {INSTALL_AV}")
        self._orientation = self._own_orientation()
        self.pixel_aspect = self._pixel_aspect()
        self.copy_loss: str | None = None
        if self.pixel_aspect != 1:
            aspect = f"{self.pixel_aspect.numerator}:{self.pixel_aspect.denominator}"
            self.copy_loss = f"{self._shown}: its pixels of {aspect} become square ones in the copy; PyAV keeps them: {INSTALL_AV}"
        self.length: int | None = round(count) if 0 < count < 2**40 else None

    def frames(self) -> Iterator[Frame]:
        first: Fraction | None = None
        last: Fraction | None = None
        count = 0
        while True:
            read, image = self._capture.read()
            if not read:
                break
            stamp = Fraction(round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1000), 1_000_000)
            if first is None:
                first = stamp
            last = steady_time(stamp - first, last, self.rate, self.tick)
            yield Frame(upright(image, self._orientation), count, last, self._path)  # type: ignore[arg-type]
            count += 1
        if last is None:
            raise BlazeFaceError(f"{self._shown}: holds no frame that can be read")
        reached = last + 1 / self.rate
        if self.length is not None:
            end = self.length / self.rate
            if end - reached > Fraction(1, 2):
                raise BlazeFaceError(
                    f"{self._shown}: damaged: it could be read for {float(reached):.2f} of {float(end):.2f} seconds"
                )

    def _own_orientation(self) -> Orientation:
        """How frames are to be turned and mirrored here: OpenCV, which turns them by itself, knows no mirrors."""
        matrix = display_matrix(self._path, None)
        if matrix is None or np.linalg.det(matrix[:2, :2]) >= 0:
            return Orientation(1)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        return of_display_matrix(matrix)

    def _pixel_aspect(self) -> Fraction:
        across, down = (round(self._capture.get(key)) for key in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        aspect = Fraction(across, down) if across > 0 and down > 0 else Fraction(1)
        turned = self._orientation == 1 and round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
        return 1 / aspect if turned or self._orientation.swaps_sides else aspect

    def __enter__(self) -> Cv2Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()


class Cv2Writer:
    """Writes one video (see `video_writer.VideoWriter`) to `part`; `path` names it in errors."""

    def __init__(
        self,
        part: Path,
        path: Path,
        width: int,
        height: int,
        rate: Fraction,
        tick: Fraction,
        pixel_aspect: Fraction = Fraction(1),
    ):
        self._shown = printable(str(path))
        # OpenCV cannot say that pixels are not square, so they are made square: the longer way, in even sides.
        self._scaled: tuple[int, int] | None = None
        if pixel_aspect != 1:
            width = 2 * round(width * max(pixel_aspect, Fraction(1)) / 2)
            height = 2 * round(height / min(pixel_aspect, Fraction(1)) / 2)
            self._scaled = (width, height)
        if width % 2 or height % 2:
            raise BlazeFaceError(
                f"{self._shown}: OpenCV cannot write a video of {width} x {height} uncropped; PyAV can: {INSTALL_AV}"
            )
        try:
            str(part).encode()
        except UnicodeEncodeError as error:
            raise BlazeFaceError(
                f"{self._shown}: OpenCV cannot write such a name; PyAV can: {INSTALL_AV}"
            ) from error
        silence_opencv()
        self.soundless = None
        self._rate = rate
        self._count = 0
        code = cv2.VideoWriter.fourcc(*CODECS.get(path.suffix.lower(), DEFAULT_CODEC))
        self._writer = cv2.VideoWriter(str(part), cv2.CAP_FFMPEG, code, float(rate), (width, height))
        if not self._writer.isOpened():
            raise BlazeFaceError(f"{self._shown}: cannot be written as a video by OpenCV")

    def write(self, image: Image, time: Fraction) -> None:
        if self._scaled is not None:
            image = cv2.resize(image, self._scaled, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        due = round(time * self._rate) + 1
        for _ in range(due - self._count):  # none when the frames come faster than the rate
            self._writer.write(image)
        self._count = max(due, self._count)

    def finish(self) -> None:
        self._writer.release()

    def close(self) -> None:
        self._writer.release()


def exact_rate(rate: float) -> Fraction | None:
    """A frame rate that was stored as a float: 29.97002997 is 30000/1001; None for one that cannot be."""
    if not 0.01 <= rate <= 1000:
        return None
    return Fraction(rate).limit_denominator(1001)
