"""Sound brought from one file into another: packet by packet as it is, or encoded anew where that does not fit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import av

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.sources.av_reader import open_container
from blazeface.sources.source import AudioTrack
from blazeface.sources.timestamps import continuous

PROBED = 8
"""Packets of a track that a container must take in a trial: some refuse the header, others the first packet."""

MOST_MOVED = Fraction(6, 100)
"""Seconds by which the end of these may have moved when they are read back."""

AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""Samples per second that AAC knows (ISO/IEC 14496-3, table 1.18)."""


class AudioCopy:
    """All sound tracks of a file, moved so that the first picture stands at 0, with their marks and languages.

    target: the container it goes to, open and without a packet yet. encode: tracks that it does not take are encoded
    as AAC. left_out: what is said of tracks that are not copied, None where all are. Raises BlazeFaceError where
    there is no sound that the target can hold. What of a track cannot be read is left out.
    """

    def __init__(self, sound: AudioTrack, target: Any, encode: bool = False):
        shown = printable(sound.path)
        self._start = sound.start
        self.progress = sound.progress
        self._waiting: tuple[Fraction, Any] | None = None
        try:
            self._container = open_container(sound.address)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise BlazeFaceError(f"{shown}: its sound cannot be read") from error
        self._tracks: dict[int, _Track] = {}
        refused = []
        for number, stream in enumerate(self._container.streams.audio, 1):
            track = _track(sound.address, stream, target, encode)
            if track is None:
                refused.append(f"{number} ({_name_of(stream)})")
            else:
                self._tracks[stream.index] = track
        self.left_out = _sentence(shown, refused, len(self._container.streams.audio), target.format.name)
        if not self._tracks:
            self._container.close()
            raise BlazeFaceError(self.left_out or f"{shown}: has no sound that can be copied")
        self._packets = self._shifted()

    def packets(self, until: Fraction | None) -> Iterator[Any]:
        """The packets that begin before a time, in seconds (None: all that are left), each once and in order."""
        while True:
            found, self._waiting = self._waiting or next(self._packets, None), None
            if found is None:
                return
            if until is not None and found[0] >= until:
                self._waiting = found
                return
            yield found[1]

    def close(self) -> None:
        self._container.close()

    def _shifted(self) -> Iterator[tuple[Fraction, Any]]:
        """The packets at and after the first picture, with their new times in seconds."""
        packets = continuous(self._container.demux())
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                break
            track = self._tracks.get(packet.stream.index)
            if track is None or packet.pts is None or packet.dts is None:
                continue  # a track that is left out, the end of one, or a packet without a time
            shift = round(self._start / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            time = packet.pts * packet.time_base
            yield from ((time, made) for made in track.take(packet))
        for track in self._tracks.values():
            yield from ((track.end, made) for made in track.finish())


class _Track:
    """A track that is copied as it is."""

    def __init__(self, source: Any, made: Any):
        self._made = made
        self._last: int | None = None
        self.end = Fraction(0)  # where the last part that was made begins, in seconds
        made.metadata.clear()  # who recorded it, and where
        if source.language and source.language != "und":
            made.metadata["language"] = source.language
        made.disposition = source.disposition

    def take(self, packet: Any) -> Iterator[Any]:
        """The packets to write for one that was read."""
        if packet.pts < 0 or packet.dts < 0 or (self._last is not None and packet.dts <= self._last):
            return  # before the first picture; or times that stand still, which no container takes
        self._last = packet.dts
        packet.stream = self._made
        yield packet

    def finish(self) -> Iterator[Any]:
        return iter(())


class _EncodedTrack(_Track):
    """A track that is decoded and encoded as AAC."""

    def __init__(self, source: Any, made: Any):
        super().__init__(source, made)
        context = made.codec_context
        self._resampler = av.AudioResampler("fltp", context.layout, context.sample_rate)

    def take(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            if frame.pts is not None and frame.pts >= 0:
                yield from self._encoded(frame)

    def finish(self) -> Iterator[Any]:
        yield from self._encoded(None)
        yield from self._made.encode(None)

    def _encoded(self, frame: Any) -> Iterator[Any]:
        for part in self._resampler.resample(frame):
            if part is not None:
                self.end = Fraction(part.pts or 0) * (part.time_base or 0)
                yield from self._made.encode(part)


def _track(address: str, source: Any, target: Any, encode: bool) -> _Track | None:
    """The track in the target that a source's is written to; None where it does not fit."""
    if _fits(address, source.index, target.format.name):
        return _Track(source, _add_like(source, target))
    context = source.codec_context
    if not encode or context is None or "aac" not in target.supported_codecs:
        return None
    rate = min(AAC_RATES, key=lambda known: abs(known - context.sample_rate))
    layout = "mono" if context.channels == 1 else "stereo" if context.channels == 2 else context.layout.name
    try:
        made = target.add_stream("aac", rate=rate, layout=layout)
    except (av.error.FFmpegError, ValueError):
        return None
    return _EncodedTrack(source, made)


def _fits(address: str, index: int, container: str) -> bool:
    """Whether a container takes a track, tried in memory: the list of codecs it takes is right by name alone.

    What was written is read back: AVI takes AAC that comes from an AVI, but loses its times.
    """
    file = io.BytesIO()
    try:
        with open_container(address) as source, av.open(file, "w", format=container) as target:
            stream = source.streams[index]
            made = _add_like(stream, target)
            sized = (packet for packet in source.demux(stream) if packet.size and packet.dts is not None)
            first: Fraction | None = None
            end = Fraction(0)
            for packet in islice(sized, PROBED):
                first = packet.dts * packet.time_base if first is None else first
                end = (packet.dts + (packet.duration or 0)) * packet.time_base - first
                packet.stream = made
                target.mux(packet)
            target.start_encoding()
        file.seek(0)
        reading: Any = av.open(file)
        with reading as written:
            packets = [packet for packet in written.demux(audio=0) if packet.size and packet.dts is not None]
            if not packets:
                return first is None
            last = packets[-1]
            found = (last.dts + (last.duration or 0) - packets[0].dts) * last.time_base
            return bool(abs(found - end) < MOST_MOVED)
    except Exception:  # muxers raise many types for a stream that does not fit
        return False


def _add_like(source: Any, target: Any) -> Any:
    """A track in the target for packets of a source's."""
    made = target.add_stream_from_template(source)
    context = made.codec_context
    if context.layout.name == f"{context.channels} channels" and context.channels <= 2:  # as AVI leaves it unsaid
        context.layout = "mono" if context.channels == 1 else "stereo"
    return made


def _name_of(stream: Any) -> str:
    context = stream.codec_context
    return "unknown" if context is None else str(context.name)


def _sentence(shown: str, refused: list[str], count: int, container: str) -> str | None:
    if not refused:
        return None
    which = "its sound" if count == 1 else f"its sound track{'s' * (len(refused) > 1)}"
    names = refused[0].partition(" ")[2] if count == 1 else ", ".join(refused)
    return f"{shown}: {which} {names} cannot be copied into .{'mkv' if container == 'matroska' else container}"
