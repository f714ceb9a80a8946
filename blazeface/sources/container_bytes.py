"""Headers of video containers: whether all announced bytes are there, and the rotation of a track.

Sizes are added up without decoding anything.

A header that promises a longer video than there is proves no damage: capture programs and editors write such headers.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 2_000_000
"""Elements that are looked at, at most: beyond them a file passes for whole."""


def is_cut(path: str, container: str, start: int = 0) -> bool | None:
    """Whether a file ends before its container says; None for a container that does not say.

    container: the name of FFmpeg's demuxer. start: where in the file it begins.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            if container.startswith("mov,"):
                return _boxes_end(file, start, size) > size
            if container.startswith("matroska"):
                return _matroska_end(file, start, size)[0] > size
            if container == "avi":
                return _chunks_end(file, start, size) > size
            if container == "flv":
                return _tags_end(file, start, size) > size
            if container == "asf":
                return _asf_size(file, start) > size - start
        except struct.error:  # the file ends within a header
            return True
    return None


def has_foreign_bytes(path: str, start: int = 0) -> bool:
    """Whether a Matroska file holds bytes where an element should begin: a damaged part that demuxers pass over."""
    with open(path, "rb") as file:
        try:
            return _matroska_end(file, start, os.path.getsize(path))[1]
        except struct.error:
            return False


def lacks_index(path: str) -> bool:
    """Whether an ISO base media file has no movie box, without which its frames cannot be told apart."""
    with open(path, "rb") as file:
        try:
            return all(kind != b"moov" for kind, _, _ in _boxes(file, 0, os.path.getsize(path)))
        except struct.error:
            return True


def display_matrix(path: str, track: int | None, start: int = 0) -> NDArray[np.float64] | None:
    """How a track of an ISO base media file is shown, (3, 3): its own matrix (ISO/IEC 14496-12, 8.3.2), then the movie's.

    track: its number; None: the first one of pictures. None where the file says nothing, or has no such track.
    """
    movie: NDArray[np.float64] | None = None
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            for kind, begin, end in _boxes(file, start, size):
                if kind != b"moov":
                    continue
                for inner, place, stop in _boxes(file, begin, end):
                    if inner == b"mvhd":
                        movie = _matrix(file, place, 36 if _version(file, place) == 0 else 48)
                    for last, at, _ in _boxes(file, place, stop) if inner == b"trak" else ():
                        short = _version(file, at) == 0
                        if last != b"tkhd":
                            continue
                        number = _read(file, ">I", at + (12 if short else 20))[0]
                        if number == track or (track is None and _holds_pictures(file, place, stop)):
                            own = _matrix(file, at, 40 if short else 52)
                            return own if movie is None else own @ movie
        except struct.error:
            pass
    return None


def _boxes(file: IO[bytes], position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes in a part of a file: kind, and where the content of each begins and ends."""
    for _ in range(MAX_STEPS):
        if position + 8 > end:
            return
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,), head = _read(file, ">Q", position + 8), 16
        stop = end if length == 0 else position + max(length, head)
        yield kind, position + head, min(stop, end)
        position = stop


def _holds_pictures(file: IO[bytes], begin: int, end: int) -> bool:
    """Whether the boxes of a track say that it is one of video (its handler is "vide")."""
    return any(
        inner == b"hdlr" and _read(file, ">I", at + 8)[0] == int.from_bytes(b"vide", "big")
        for kind, place, stop in _boxes(file, begin, end)
        if kind == b"mdia"
        for inner, at, _ in _boxes(file, place, stop)
    )


def _version(file: IO[bytes], position: int) -> int:
    return _read(file, ">B", position)[0]


def _matrix(file: IO[bytes], box: int, offset: int) -> NDArray[np.float64]:
    """Nine numbers of 16.16 and, in the last column, 2.30 bits."""
    numbers = np.array(_read(file, ">9i", box + offset), np.float64).reshape(3, 3)
    matrix: NDArray[np.float64] = numbers / np.array([1 << 16, 1 << 16, 1 << 30])
    return matrix


def _read(file: IO[bytes], form: str, position: int) -> tuple[int, ...]:
    file.seek(position)
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _boxes_end(file: IO[bytes], position: int, size: int) -> int:
    """Where the last box of an ISO base media file ends (ISO/IEC 14496-12, 4.2)."""
    while position < size:
        (length,) = _read(file, ">I4x", position)
        if length == 1:
            (length,) = _read(file, ">8xQ", position)
        if length == 0:  # up to the end
            return size
        position += max(length, 8)
    return position


def _chunks_end(file: IO[bytes], position: int, size: int) -> int:
    """Where the last RIFF list of an AVI ends; large files have several (OpenDML)."""
    while position + 8 < size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or length in (
            0,
            0xFFFFFFFF,
        ):  # other data behind it, or a header that was never completed
            break
        position += 8 + length
    return position


def _tags_end(file: IO[bytes], position: int, size: int) -> int:
    """Where the last tag of a Flash video ends (its specification, version 10.1, annex E)."""
    (header,) = _read(file, ">5xI", position)
    position += header + 4
    for _ in range(MAX_STEPS):
        if position >= size:
            break
        (length,) = _read(file, ">I", position)
        position += 11 + (length & 0xFFFFFF) + 4
    return position


def _asf_size(file: IO[bytes], position: int) -> int:
    """The size that the file properties of an ASF file name (its specification, section 3.2)."""
    file.seek(position)
    header = file.read(4096)
    place = header.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    return int(struct.unpack_from("<Q", header, place + 40)[0]) if place >= 0 else 0


_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _TRACK_NUMBER = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xD7
_BLOCK_GROUP, _SIMPLE_BLOCK, _BLOCK = 0xA0, 0xA3, 0xA1
_INSIDE = {_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _BLOCK_GROUP}
"""Elements that hold others, which are looked at one by one."""

_KNOWN = {
    *(0x1A45DFA3, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF),
    *(0xE7, 0xA7, 0xAB, 0xAF, 0x5854, _SIMPLE_BLOCK),
    *(_BLOCK, 0x9B, 0xFA, 0xFB, 0xFD, 0xA2, 0xA4, 0x75A1, 0x75A2, 0x8E),
}
"""The elements of a Matroska file, its Segment, a Cluster and a BlockGroup (RFC 9559, section 5); others are foreign."""


def _matroska_end(file: IO[bytes], position: int, size: int) -> tuple[int, bool]:
    """Where the last element ends, and whether there are bytes that belong to none, or blocks of no track."""
    furthest = position
    tracks: set[int] = set()
    tracks_end = 0
    for _ in range(MAX_STEPS):
        if position >= size:
            break
        file.seek(position)
        head = file.read(20)
        name, name_length = _number(head, keep_mark=True)
        length, length_length = _number(head[name_length:])
        known = name in _KNOWN or name in _INSIDE or position < tracks_end
        if (
            not known
            or name_length > 4
            or length_length > 8
            or (length is None and name not in (_SEGMENT, _CLUSTER))
        ):
            return furthest, True
        begin = position + name_length + length_length
        content = head[name_length + length_length :]
        if name == _TRACKS:
            tracks_end = begin + (length or 0)
        elif name == _TRACK_NUMBER:
            tracks.add(int.from_bytes(content[: length or 0], "big"))
        elif name in (_SIMPLE_BLOCK, _BLOCK) and tracks and _number(content)[0] not in tracks:
            return furthest, True
        furthest = max(furthest, begin + (length or 0))
        position = begin if name in _INSIDE else begin + (length or 0)
    return furthest, False


def _number(data: bytes, keep_mark: bool = False) -> tuple[int | None, int]:
    """A number of variable length (RFC 8794, section 4) and its length in bytes; None for one of ones, "unknown"."""
    length = 9 - data[0].bit_length() if data and data[0] else 9
    number = int.from_bytes(data[:length], "big")
    if keep_mark:
        return number, length
    mask = (1 << 7 * length) - 1
    return (None if number & mask == mask else number & mask), length
