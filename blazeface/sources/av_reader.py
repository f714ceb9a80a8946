"""Reading video files through PyAV: exact frame rates, the container's own time of each frame, rotation applied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file
from blazeface.geometry import Image
from blazeface.sources.frames import Frame, steady_time
from blazeface.sources.source import AudioTrack

WITHOUT_STAMPS = frozenset({"avi", "h264", "hevc", "mjpeg", "m4v"})
"""Containers that store no time stamps (FFmpeg makes some up): their frames follow the rate."""

RESUMING = "matroska,webm"
"""The container in which FFmpeg looks for the next sound part behind a damaged one, and says nothing."""

MAX_BETWEEN = 128
"""Bytes between two packets of such a file: their own headers, and that of a cluster."""

NO_VIDEO = "not a video, or a damaged one"


class AvReader:
    """A video file (see `source.VideoSource`). Raises BlazeFaceError when it is no video."""

    def __init__(self, path: str):
        require_regular_file(path)
        self._path = path
        self._shown = printable(path)
        try:
            self._container = av.open(os.path.abspath(path))  # a relative "a:b.mp4" would pass for a protocol
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, (PermissionError, IsADirectoryError)) else None
            raise BlazeFaceError(f"{self._shown}: {reason or NO_VIDEO}") from error
        try:
            self._stream = _video_stream(self._container, self._shown)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        rate = self._stream.guessed_rate or self._stream.average_rate or self._stream.base_rate
        self.rate = Fraction(rate) if rate else Fraction(25)
        self.tick = Fraction(self._stream.time_base or 1 / self.rate)
        self._end = self._promised_end()
        self.audio: AudioTrack | None = None
        self.length: int | None = self._stream.frames or (round(self._end * self.rate) if self._end else None)

    def frames(self) -> Iterator[Frame]:
        stamped = self._container.format.name not in WITHOUT_STAMPS
        first: Fraction | None = None
        last: Fraction | None = None
        shown = Fraction(0)
        for count, picture in enumerate(self._pictures()):
            stamp = picture.pts * self.tick if stamped and picture.pts is not None else None
            if first is None:
                first = stamp or Fraction(0)
                if self._container.streams.audio:
                    self.audio = AudioTrack(self._path, first)
            last = steady_time(None if stamp is None else stamp - first, last, self.rate, self.tick)
            shown = (picture.duration or 0) * self.tick
            yield Frame(_upright(picture), count, last, self._path)
        if last is None or first is None:
            raise BlazeFaceError(f"{self._shown}: holds no frame that can be read")
        reached = first + last + max(1 / self.rate, shown)  # the last may stand for a while
        if self._end is not None and self._end - reached > Fraction(1, 2):
            raise BlazeFaceError(
                f"{self._shown}: damaged: it ends after {float(reached):.2f} of {float(self._end):.2f} seconds"
            )
        if self._lost:
            raise BlazeFaceError(f"{self._shown}: damaged: frames are missing for {float(self._lost):.2f} seconds")
        if self._broken:
            raise BlazeFaceError(f"{self._shown}: damaged: {self._broken} of its frames could not be decoded")

    def __enter__(self) -> AvReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _pictures(self) -> Iterator[Any]:
        """Decoded pictures; a packet that does not decode is counted and passed over."""
        self._broken = 0
        self._lost = Fraction(0)
        resuming = self._container.format.name == RESUMING
        packets = self._container.demux() if resuming else self._container.demux(self._stream)
        reached: int | None = None
        newest: int | None = None
        hole = False
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError):  # the rest of the file cannot be taken apart
                self._broken += 1
                return
            hole = hole or (reached is not None and packet.pos is not None and packet.pos - reached > MAX_BETWEEN)
            reached = packet.pos + packet.size if packet.pos is not None and packet.size else reached
            if packet.stream is not self._stream:
                continue
            if packet.pts is not None:
                # Bytes that belong to no packet, and a leap in time: a still picture has the one without the other.
                gap = Fraction(0) if newest is None else (packet.pts - newest) * self.tick - 1 / self.rate
                if resuming and hole and gap > 1 / (2 * self.rate):
                    self._lost += gap
                newest, hole = packet.pts if newest is None else max(newest, packet.pts), False
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self._broken += 1

    def _promised_end(self) -> Fraction | None:
        """Seconds at which the header says the video ends (a sound track may last longer than the pictures)."""
        stream, container = self._stream, self._container
        if container.format.name == "avi" and stream.frames:  # its duration is cut to the length of the file
            return Fraction(stream.frames) / self.rate
        if stream.duration:
            return Fraction((stream.start_time or 0) + stream.duration) * self.tick
        if container.duration and len(container.streams) == 1:
            return Fraction(container.duration, av.time_base)
        return None


def _video_stream(container: Any, shown: str) -> Any:
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:  # the cover of a song
            return stream
    raise BlazeFaceError(f"{shown}: {'holds no video that can be read' if len(container.streams) else NO_VIDEO}")


def _upright(picture: Any) -> Image:
    """BGR uint8 (H, W, 3), turned as the container says (`rotation` is in degrees against the clock)."""
    image: Image = picture.to_ndarray(format="bgr24")
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
