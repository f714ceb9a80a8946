"""Makers of odd and broken videos, from a whole one of twelve frames, a tenth of a second each, with one face in each."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import bad_pictures
import numpy as np

FRAMES = 12
SIDE = 192


def film(path: Path, codec: str = "libx264") -> Path:
    """The portrait, walking to the right; every fourth frame can be read by itself."""
    portrait = np.asarray(bad_pictures.portrait().resize((SIDE, SIDE)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.gop_size, stream.max_b_frames = "yuv420p", 4, 0
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(portrait, number, axis=1), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def without_frames(path: Path) -> Path:
    """Headers and nothing else."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    return path


def named(whole: Path, path: Path) -> Path:
    shutil.copyfile(whole, path)
    return path


def half(whole: Path, path: Path) -> Path:
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def hurt(whole: Path, path: Path, packet: int) -> Path:
    """One packet, and the header behind it, overwritten."""
    with av.open(str(whole)) as container:
        places = [
            (found.pos, found.size) for found in container.demux(video=0) if found.size and found.pos is not None
        ]
    data = bytearray(whole.read_bytes())
    start, size = places[packet]
    data[start : start + size] = b"U" * size
    path.write_bytes(data)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path
