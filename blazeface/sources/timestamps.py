"""The time stamps of packets, joined where they begin again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

RESTART = Fraction(1, 2)
"""Seconds by which a stream must run back to have begun again: joined files leave smaller steps between their tracks."""


def continuous(packets: Iterable[Any]) -> Iterator[Any]:
    """The packets of a container, their stamps moved where all of them begin again.

    That happens in joined transport streams, in HLS, and where a 33-bit clock wraps. What follows goes on where the
    track that ran back first had ended; all tracks are moved by the same time, so that they stay together. A leap
    forward is a gap, and stays. Needs the packets of all tracks, in the order of the file, so that reading pictures
    and copying sound come to the same times.
    """
    ends: dict[int, Fraction] = {}
    shift = Fraction(0)
    for packet in packets:
        if packet.dts is None or packet.stream.type not in ("video", "audio"):
            if packet.pts is not None and shift:
                packet.pts += round(shift / packet.time_base)
            yield packet
            continue
        start = packet.dts * packet.time_base
        end = ends.get(packet.stream.index)
        if end is not None and start + shift < end - RESTART:
            shift = end - start
        ticks = round(shift / packet.time_base)
        if ticks:
            packet.dts += ticks
            if packet.pts is not None:
                packet.pts += ticks
        ends[packet.stream.index] = start + shift + (packet.duration or 0) * packet.time_base
        yield packet
