"""Writing video files through PyAV: H.264 where its encoder is there, exact rates and time stamps.

The picture size is kept to the pixel: H.264 with 4:2:0 colour needs even sides, so an odd one gets 4:4:4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import av
import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.geometry import Image
from blazeface.sources.audio import AudioCopy
from blazeface.sources.colour import BT601, BT709
from blazeface.sources.frames import COARSE_TICK
from blazeface.sources.source import AudioTrack

CODECS = {".webm": ("libvpx-vp9", "libvpx")}
DEFAULT_CODECS = ("libx264", "libopenh264", "mpeg4")

LIMITED = 1
"""FFmpeg's number for luma from 16 to 235."""

MAX_TICKS = 1_000_000
"""Ticks per second that a container is asked for at most."""

MPEG4_TICKS = 65_535
"""The largest number that MPEG-4 Part 2 can write as its ticks per second (16 bits)."""


EACH_SECOND = {"flush_packets": "1", "cluster_time_limit": "1000"}
FRAGMENTS = {"flush_packets": "1", "movflags": "hybrid_fragmented", "frag_duration": "1000000"}
RECORDING = {
    ".mp4": FRAGMENTS,
    ".m4v": FRAGMENTS,
    ".mov": FRAGMENTS,
    ".mkv": EACH_SECOND,
    ".webm": EACH_SECOND,
    ".avi": {"flush_packets": "1"},
}
"""What a recording is written with, so that all but its last second plays whenever the process dies. (An MP4 is in
fragments until it is finished, and then an ordinary one.)"""

AT_ONCE = {
    "libx264": {"tune": "zerolatency"},
    "libvpx-vp9": {"lag-in-frames": "0"},
    "libvpx": {"lag-in-frames": "0"},
}
"""Of a recording as well: an encoder that looks ahead holds back ten frames and more, which are many seconds of a slow camera."""


class AvWriter:
    """Writes one video (see `video_writer.VideoWriter`) to `part`; `path` names it in errors."""

    def __init__(
        self,
        part: Path,
        path: Path,
        width: int,
        height: int,
        rate: Fraction,
        tick: Fraction,
        sound: AudioTrack | None = None,
        pixel_aspect: Fraction = Fraction(1),
        encode_sound: bool = False,
        recording: bool = False,
    ):
        self._shown = printable(str(path))
        self._rate = rate
        self._last = -1
        self._sound: AudioCopy | None = None
        self.soundless: str | None = None
        suffix = path.suffix.lower()
        with self._saying():
            codec = _first_codec(CODECS.get(suffix, DEFAULT_CODECS), odd=bool(width % 2 or height % 2))
            self._tick = common_tick(suffix, rate, tick, MPEG4_TICKS if codec == "mpeg4" else MAX_TICKS)
            self._container = av.open(str(part), "w", options=RECORDING.get(suffix, {}) if recording else {})
            try:
                self._stream = self._add_stream(codec, width, height, AT_ONCE.get(codec, {}) if recording else {})
                self._stream.sample_aspect_ratio = pixel_aspect
                if sound is not None:
                    self._copy(sound, encode_sound)
            except BaseException:
                self.close()
                raise

    def write(self, image: Image, time: Fraction) -> None:
        pts = round(time / self._tick)
        if pts <= self._last:
            return  # more frames than the container has ticks
        self._last = pts
        self._mux_sound(time)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "bgr24").reformat(
            format=self._stream.pix_fmt, dst_colorspace=self._matrix, dst_color_range=LIMITED
        )
        frame.colorspace, frame.color_range = self._matrix, LIMITED
        frame.pts = pts
        frame.time_base = self._tick
        frame.duration = round(1 / self._rate / self._tick)
        self._encode(frame)

    def finish(self) -> None:
        self._encode(None)
        ended = self._sound is not None and self._sound.progress.ended
        self._mux_sound(None if ended else (self._last + 1) * self._tick + 1 / self._rate)
        with self._saying():
            self._container.close()

    def close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        with suppress(
            av.error.FFmpegError, OSError
        ):  # an unfinished video is closed because of an error that is already being raised
            self._container.close()

    def _encode(self, frame: Any) -> None:
        with self._saying():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    def _copy(self, sound: AudioTrack, encode: bool) -> None:
        try:
            self._sound = AudioCopy(sound, self._container, encode)
            self.soundless = self._sound.left_out
        except BlazeFaceError as fault:
            self.soundless = str(fault)

    def _mux_sound(self, until: Fraction | None) -> None:
        """What is heard up to a time goes into the file before the picture of that time; None: all that is left."""
        if self._sound is not None:
            with self._saying():
                for packet in self._sound.packets(until):
                    # What a container has against one packet must not cost the pictures.
                    with suppress(av.error.ArgumentError, av.error.InvalidDataError):
                        self._container.mux(packet)

    def _add_stream(self, codec: str, width: int, height: int, more: dict[str, str]) -> Any:
        stream: Any = self._container.add_stream(codec, rate=self._rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if codec == "libx264" and (width % 2 or height % 2) else "yuv420p"
        stream.time_base = self._tick
        context = stream.codec_context
        context.time_base = self._tick
        # Without B-frames the decoding order is the time order: lengths stay exact at a varying rate, and
        # AVI, which has no other place for times, stays right.
        context.max_b_frames = 0
        # The matrix that players take for granted at this size, and said as well, so that all of them undo it.
        self._matrix = BT709 if max(width, height) >= 1280 or min(width, height) > 576 else BT601
        context.colorspace = context.color_primaries = context.color_trc = self._matrix
        context.color_range = LIMITED
        if codec == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"} | more
        elif codec.startswith("libvpx"):
            stream.options = {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "6"} | more
        else:
            stream.bit_rate = max(200_000, round(width * height * float(self._rate) * 0.2))
        return stream

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BlazeFaceError(f"{self._shown}: cannot be written: {reason}") from error


def common_tick(suffix: str, rate: Fraction, tick: Fraction, most: int = MAX_TICKS) -> Fraction:
    """A unit of time in which the times that `frames.steady_time` makes of the source's ticks are whole.

    Where it would be finer than 1/most seconds, one in which at least a steady rate comes out even.
    """
    if suffix == ".avi":
        return 1 / rate  # an AVI counts frames
    ticks = lcm(rate.numerator, tick.denominator) if tick >= COARSE_TICK else tick.denominator
    if ticks > most:
        ticks = most - most % rate.numerator if rate.numerator <= most else most
    return Fraction(1, ticks)


def _first_codec(names: tuple[str, ...], odd: bool) -> str:
    for name in names:
        if odd and name == "libopenh264":
            continue  # it knows 4:2:0 alone
        try:
            av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        return name
    raise ValueError(f"this PyAV has no encoder for it (needs {' or '.join(names)})")
