"""Stamps that begin again are joined, all tracks by the same time."""

from dataclasses import dataclass, replace
from fractions import Fraction

from blazeface.sources.timestamps import continuous


@dataclass
class Stream:
    index: int
    type: str


@dataclass
class Packet:
    stream: Stream
    dts: int | None
    pts: int | None
    duration: int
    time_base: Fraction


VIDEO, SOUND, WORDS = Stream(0, "video"), Stream(1, "audio"), Stream(2, "subtitle")
TICK, SAMPLE = Fraction(1, 90_000), Fraction(1, 48_000)


def clip(start: int, seconds: int) -> list[Packet]:
    """25 pictures and 50 packets of sound a second, from a second on; pictures are shown two frames after decoding."""
    packets = []
    for n in range(25 * seconds):
        dts = 90_000 * start + 3600 * n
        packets.append(Packet(VIDEO, dts, dts + 7200, 3600, TICK))
        packets += [
            Packet(SOUND, at, at, 960, SAMPLE) for at in (48_000 * start + 960 * (2 * n + k) for k in (0, 1))
        ]
    return packets


def test_what_does_not_begin_again_stays_with_its_gaps() -> None:
    packets = clip(1000, 2) + clip(5000, 2)
    assert list(continuous([replace(packet) for packet in packets])) == packets


def test_joined_files_go_on_where_the_first_ended() -> None:
    joined = list(continuous(clip(1000, 2) + clip(7, 3) + clip(7, 1)))
    assert joined == clip(1000, 6)


def test_a_clock_of_33_bits_that_wraps_goes_on() -> None:
    whole = clip(95_440, 4)  # 2^33 / 90000 is 95443.7
    wrapped = [replace(packet) for packet in whole]
    for packet in wrapped:
        if packet.dts * packet.time_base * 90_000 >= 2**33:  # type: ignore[operator]
            back = round(2**33 * TICK / packet.time_base)
            packet.dts, packet.pts = packet.dts - back, packet.pts - back  # type: ignore[operator]
    assert wrapped != whole
    found = list(continuous(wrapped))
    assert [packet for packet in found if packet.stream is VIDEO] == [p for p in whole if p.stream is VIDEO]
    assert all(abs(a.dts - b.dts) <= 2 for a, b in zip(found, whole, strict=True))


def test_other_tracks_and_packets_without_a_time_are_passed_on() -> None:
    words = Packet(WORDS, None, 90_000, 0, TICK)
    bare = Packet(VIDEO, None, None, 0, TICK)
    assert list(continuous([words, bare])) == [Packet(WORDS, None, 90_000, 0, TICK), bare]


def test_small_steps_back_are_no_new_beginning() -> None:
    packets = [Packet(VIDEO, dts, dts, 3600, TICK) for dts in (0, 3600, 3600, 1800, 7200)]
    assert [packet.dts for packet in continuous(packets)] == [0, 3600, 3600, 1800, 7200]
