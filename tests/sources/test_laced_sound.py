"""A Matroska file as mkvmerge writes it: varying rate, and several packets of sound in one block (laced)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from blazeface.errors import BlazeFaceError  # noqa: E402
from blazeface.sources.av_reader import AvReader  # noqa: E402
from blazeface.sources.container_bytes import has_foreign_bytes  # noqa: E402

TIMES = [*range(0, 400, 40), *range(920, 1200, 40)]
"""Milliseconds of the pictures: thirteen are left out in the middle, without damage."""

SOUND = 320
"""Bytes of 20 ms of sound, 8 kHz of 16 bits; six of them lie in each block."""


def element(name: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def laced(path: Path) -> Path:
    """PyAV writes an ordinary file; its tracks are taken over, and the blocks written anew."""
    plain = path.with_name("plain.mkv")
    with av.open(str(plain), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        noise = np.random.default_rng(5)  # so that a picture takes more bytes than the space between two
        pictures = []
        for time in TIMES:
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (48, 64, 3), np.uint8), "bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            pictures += [(time, bytes(packet)) for packet in stream.encode(frame)]
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), "s16", "mono")
        silence.sample_rate, silence.pts = 8000, 0
        container.mux(sound.encode(silence))
    data = plain.read_bytes()
    place = data.rindex(bytes.fromhex("1654AE6B"))  # the seek head names it before
    length = int.from_bytes(data[place + 4 : place + 12], "big") if data[place + 4] == 1 else None
    head = 12
    if length is None:  # a length of fewer bytes
        head = 4 + 9 - data[place + 4].bit_length()
        length = int.from_bytes(data[place + 4 : place + head], "big") & ((1 << 7 * (head - 4)) - 1)
    tracks = data[place : place + head + length]
    clusters = []
    for begin, end in ((0, 600), (600, 1200)):
        blocks = [(time, 0, b"\x81", b"\x80" + picture) for time, picture in pictures if begin <= time < end]
        blocks += [
            (time, 1, b"\x82", b"\x84\x05" + bytes(6 * SOUND))  # of equal size, five more
            for time in range(begin, end, 120)
        ]
        parts = [
            element("A3", track, (time - begin).to_bytes(2, "big"), rest)
            for time, _, track, rest in sorted(blocks)
        ]
        clusters.append(element("1F43B675", element("E7", begin.to_bytes(2, "big")), *parts))
    info = element("1549A966", element("2AD7B1", (1_000_000).to_bytes(3, "big")))
    head_bytes = element("1A45DFA3", element("4282", b"matroska"))
    path.write_bytes(head_bytes + element("18538067", info, tracks, *clusters))
    return path


def test_laced_sound_between_pictures_that_come_unevenly_is_no_damage(tmp_path: Path) -> None:
    path = laced(tmp_path / "a.mkv")
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(audio=0) if packet.size]
    assert len(places) >= 60 and len(set(places)) <= 11  # six packets begin where their block does
    with AvReader(str(path)) as source:
        assert [round(float(frame.time) * 1000) for frame in source.frames()] == TIMES
    assert not has_foreign_bytes(str(path))


def test_the_same_file_with_a_damaged_part_is_named(tmp_path: Path) -> None:
    path = laced(tmp_path / "a.mkv")
    data = path.read_bytes()
    with av.open(str(path)) as container:
        hurt = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][6]
    path.write_bytes(data[: hurt[0] - 12] + b"U" * (hurt[1] + 12) + data[hurt[0] + hurt[1] :])
    with (
        pytest.raises(BlazeFaceError, match=r"a\.mkv: damaged: frames are missing"),
        AvReader(str(path)) as source,
    ):
        list(source.frames())
