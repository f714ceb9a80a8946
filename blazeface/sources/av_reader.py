"""Reading video files through PyAV: exact rates, the container's own time of each frame, upright, in BT.709's colours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import most_pixels
from blazeface.files.staged import require_regular_file
from blazeface.sources.allowed import FILE_OPTIONS, check_frame_size, why_not_opened
from blazeface.sources.colour import copy_loss, to_bgr
from blazeface.sources.container_bytes import display_matrix, has_foreign_bytes, is_cut
from blazeface.sources.frames import Frame, steady_time
from blazeface.sources.orientation import Orientation, of_display_matrix, of_rotation, upright
from blazeface.sources.source import AudioTrack, Progress
from blazeface.sources.timestamps import continuous

WITHOUT_STAMPS = frozenset({"h264", "hevc", "mjpeg", "m4v"})
"""Containers that store no time stamps (FFmpeg makes some up): their frames follow the rate."""

RESUMING = "matroska,webm"
"""The container in which FFmpeg looks for the next sound part behind a damaged one, and says nothing."""

MAX_BETWEEN = 128
"""Bytes between two packets of such a file: their own headers, and that of a cluster. More may be a damaged part."""

TS_DISCONT = 0x200
"""FFmpeg's flag of formats whose stamps may begin again (AVFMT_TS_DISCONT)."""

NO_VIDEO = "not a video, or a damaged one"

COVER = av.stream.Disposition.attached_pic
"""The mark of a picture that stands for the whole file, such as a song's cover."""


class AvReader:
    """A video file (see `source.VideoSource`). Raises BlazeFaceError when it is no video.

    start: the byte at which it begins, in a file that holds something else before it (a motion photo).
    """

    def __init__(self, path: str, start: int = 0):
        require_regular_file(path)
        self._path = path
        self._shown = printable(path)
        self._from = start
        whole = os.path.abspath(path)  # a relative "a:b.mp4" would pass for a protocol
        self._address = f"subfile,,start,{start},end,{os.path.getsize(path)},,:{whole}" if start else whole
        try:
            self._container = open_container(self._address)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, (PermissionError, IsADirectoryError)) else None
            raise BlazeFaceError(f"{self._shown}: {reason or why_not_opened(path) or NO_VIDEO}") from error
        try:
            self._stream = _video_stream(self._container, self._shown)
            check_frame_size(path, self._stream.codec_context.width, self._stream.codec_context.height)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        # A later frame may be larger than the first: the decoder refuses it then.
        self._stream.codec_context.options = {"max_pixels": str(most_pixels())}
        rate = self._stream.guessed_rate or self._stream.average_rate or self._stream.base_rate
        self.rate = Fraction(rate) if rate else Fraction(25)
        self.tick = Fraction(self._stream.time_base or 1 / self.rate)
        self._end = self._promised_end()
        movie = self._container.format.name.startswith("mov,")
        self._matrix = display_matrix(path, self._stream.id, start) if movie else None
        self.audio: AudioTrack | None = None
        self.pixel_aspect = Fraction(1)
        self.copy_loss: str | None = None
        self._interlaced = False
        self.length: int | None = self._stream.frames or (round(self._end * self.rate) if self._end else None)
        self._progress = Progress()

    def frames(self) -> Iterator[Frame]:
        stamped = self._container.format.name not in WITHOUT_STAMPS
        first: Fraction | None = None
        last: Fraction | None = None
        shown = Fraction(0)
        for count, picture in enumerate(self._whole_pictures()):
            stamp = picture.pts * self.tick if stamped and picture.pts is not None else None
            if first is None:
                first = stamp or Fraction(0)
                self._describe(picture, first)
            last = steady_time(None if stamp is None else stamp - first, last, self.rate, self.tick)
            shown = (picture.duration or 0) * self.tick
            yield Frame(upright(to_bgr(picture), self._orientation(picture)), count, last, self._path)
        if last is None or first is None:
            raise BlazeFaceError(f"{self._shown}: holds no frame that can be read")
        self._progress.ended = True
        fault = self._fault(first + last + max(1 / self.rate, shown))  # the last may stand for a while
        if fault is not None:
            raise BlazeFaceError(f"{self._shown}: damaged: {fault}")

    def __enter__(self) -> AvReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _describe(self, picture: Any, start: Fraction) -> None:
        """What is known with the first picture, which stands at `start` seconds in the container."""
        if self._container.streams.audio:
            # AVI has decoding times alone, which FFmpeg delays by what it thinks the decoder reorders.
            start = self._decoding_start if self._container.format.name == "avi" else start
            self.audio = AudioTrack(self._path, self._address, start, self._progress)
        aspect = Fraction(self._stream.sample_aspect_ratio or 0) or Fraction(1)
        self.pixel_aspect = 1 / aspect if self._orientation(picture).swaps_sides else aspect
        interlaced = "it is interlaced, and deinterlaced in the copy" if self._interlaced else None
        losses = [copy_loss(picture), interlaced, _left_out(self._container, self._stream)]
        lost = "; ".join(loss for loss in losses if loss is not None)
        self.copy_loss = f"{self._shown}: {lost}" if lost else None

    def _orientation(self, picture: Any) -> Orientation:
        """How a decoded frame is to be turned and mirrored.

        Of other containers the rotation alone: PyAV's side data, which would say more, keep frames alive in a cycle.
        """
        if self._matrix is not None and picture.rotation % 360 in (0, 90, 180, 270):
            return of_display_matrix(self._matrix)
        return of_rotation(picture.rotation)

    def _fault(self, reached: Fraction) -> str | None:
        """What of the file is missing or could not be decoded, its pictures having been read up to `reached`."""
        if self._end is not None and self._end - reached > Fraction(1, 2):
            cut = is_cut(self._path, self._container.format.name, self._from)
            if cut or cut is None:
                return f"it ends after {float(reached):.2f} of {float(self._end):.2f} seconds"
        if self._lost and has_foreign_bytes(self._path, self._from):
            return f"frames are missing for {float(self._lost):.2f} seconds"
        if self._broken:
            return f"{self._broken} of its frames could not be decoded"
        return None

    def _whole_pictures(self) -> Iterator[Any]:
        """Decoded pictures, from the first interlaced one on deinterlaced: faces in two halves of a frame, each from another
        moment, are found less well."""
        graph: Any = None
        form: tuple[Any, ...] = ()
        for picture in self._pictures():
            self._interlaced = self._interlaced or picture.interlaced_frame
            if not self._interlaced:
                yield picture
                continue
            now = (picture.width, picture.height, picture.format.name)
            if now != form:
                yield from _drained(graph, self.tick)
                graph, form = _deinterlacer(picture, self.tick), now
            graph.push(picture)
            yield from _ready(graph, self.tick)
        yield from _drained(graph, self.tick)

    def _pictures(self) -> Iterator[Any]:
        """Decoded pictures; a packet that does not decode is counted and passed over."""
        self._broken = 0
        self._lost = Fraction(0)
        resuming = self._container.format.name == RESUMING
        packets = continuous(self._container.demux())
        self._decoding_start = Fraction(0)
        first = True
        reached: int | None = None
        newest: int | None = None
        hole = begun = False
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
            if first and packet.dts is not None:
                self._decoding_start, first = packet.dts * self.tick, False
            if packet.pts is not None:
                # Bytes between packets, and a leap in time: suspicious, and looked into at the end.
                gap = Fraction(0) if newest is None else (packet.pts - newest) * self.tick - 1 / self.rate
                if resuming and hole and gap > 1 / (2 * self.rate):
                    self._lost += gap
                newest, hole = packet.pts if newest is None else max(newest, packet.pts), False
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self._broken += begun or packet.is_keyframe  # a recording may begin between two key frames
                continue
            begun = begun or bool(pictures)
            yield from pictures

    def _promised_end(self) -> Fraction | None:
        """Seconds at which the header says the video ends (a sound track may last longer than the pictures)."""
        stream, container = self._stream, self._container
        if container.format.flags & TS_DISCONT:
            return None  # FFmpeg makes it up from the file's last stamps
        if container.format.name == "avi" and stream.frames:  # its duration is cut to the length of the file
            return Fraction(stream.frames) / self.rate
        if stream.duration:
            return Fraction((stream.start_time or 0) + stream.duration) * self.tick
        if container.duration and len(container.streams) == 1:
            return Fraction(container.duration, av.time_base)
        return None


def open_container(address: str) -> Any:
    """A file, or a part of one ("subfile,..."), in libavformat, as one of the containers that open nothing else."""
    return av.open(address, options=FILE_OPTIONS, metadata_errors="replace")  # titles may be in any encoding


def _deinterlacer(picture: Any, tick: Fraction) -> Any:
    """A filter graph for pictures like this one: of each frame with two fields it makes a whole one, at the first's time."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format.name, time_base=tick
    )
    yadif = graph.add("yadif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(yadif)
    yadif.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: Any, tick: Fraction) -> Iterator[Any]:
    """The pictures that a graph has finished, with their stamps in ticks: the filter counts halves of them."""
    while True:
        try:
            picture = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        halves = picture.time_base / tick
        if picture.pts is not None:
            picture.pts = round(picture.pts * halves)
        picture.duration = round((picture.duration or 0) * halves)
        picture.time_base = tick
        yield picture


def _drained(graph: Any, tick: Fraction) -> Iterator[Any]:
    """What a graph still holds; it takes no more."""
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, tick)


def _left_out(container: Any, stream: Any) -> str | None:
    """What a copy of a stream of pictures and of all sound leaves out of a file, as a clause; None for nothing."""
    others = [other for other in container.streams if other is not stream and other.type != "audio"]
    covers = _covers(container)
    # The still picture of an animated AVIF is a stream of one frame.
    videos = [other for other in others if other.type == "video" and other not in covers and other.frames != 1]
    chapters = container.chapters()
    data = [other for other in others if other.type == "data"]
    if chapters and container.format.name.startswith("mov,"):
        data = data[1:]  # the titles of the chapters
    named = {
        f"{len(videos)} other video streams" if len(videos) > 1 else "other video stream": videos,
        "cover picture": covers,
        "subtitles": [other for other in others if other.type == "subtitle"],
        "chapters": chapters,
        "data tracks (time code, position, sensors)": data,
        "attachments": [other for other in others if other.type == "attachment"],
    }
    words = [name for name, there in named.items() if there]
    if not words:
        return None
    listed = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    single = words in (["other video stream"], ["cover picture"])
    return f"its {listed} {'is' if single else 'are'} left out of the copy"


def _video_stream(container: Any, shown: str) -> Any:
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & COVER  # None: a codec that FFmpeg lacks
    ]
    if streams:  # an animated AVIF has its still picture as a stream of one frame before the moving one
        return next((stream for stream in streams if stream.frames != 1), streams[0])
    if container.streams.audio and len(container.streams.video) == len(_covers(container)):
        raise BlazeFaceError(f"{shown}: holds sound, and no video")
    raise BlazeFaceError(f"{shown}: {'holds no video that can be read' if len(container.streams) else NO_VIDEO}")


def _covers(container: Any) -> list[Any]:
    return [stream for stream in container.streams.video if stream.disposition & COVER]
