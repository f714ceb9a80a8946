"""Sound copied from one file into another as it is, packet by packet, neither decoded nor encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.sources.source import AudioTrack


class AudioCopy:
    """The first sound track of a file, moved so that the first picture stands at 0.

    target: the container it goes to, open and without a packet yet. Raises BlazeFaceError where there is no sound
    that the target can hold. What of the track cannot be read is left out.
    """

    def __init__(self, sound: AudioTrack, target: Any):
        shown = printable(sound.path)
        self._start = sound.start
        self._waiting: Any = None
        try:
            self._container = av.open(sound.path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise BlazeFaceError(f"{shown}: its sound cannot be read") from error
        try:
            source = self._container.streams.audio[0]
            name = source.codec_context.name
            if name not in target.supported_codecs:
                raise BlazeFaceError(f"{shown}: its sound ({name}) does not fit into .{target.format.name}")
            self._stream = target.add_stream_from_template(source)
            self._stream.metadata.clear()  # who recorded it, and where
            self._packets = self._container.demux(source)
        except BlazeFaceError:
            self._container.close()
            raise
        except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            self._container.close()
            raise BlazeFaceError(f"{shown}: its sound cannot be copied") from error

    def packets(self, until: Fraction) -> Iterator[Any]:
        """The packets that begin before a time, in seconds, each once and in order."""
        while True:
            packet, self._waiting = self._waiting or self._next(), None
            if packet is None:
                return
            if packet.pts * packet.time_base >= until:
                self._waiting = packet
                return
            yield packet

    def close(self) -> None:
        self._container.close()

    def _next(self) -> Any:
        """The next packet at or after the first picture, at its new time; None at the end."""
        while True:
            try:
                packet = next(self._packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                return None
            if packet.pts is None or packet.dts is None:
                continue  # the end of the track, or a packet without a time
            shift = round(self._start / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            if packet.pts >= 0 and packet.dts >= 0:
                packet.stream = self._stream
                return packet
