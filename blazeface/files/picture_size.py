"""The size of a picture from its first bytes, to refuse a gigantic one before it fills the memory."""

from __future__ import annotations

import math
import re
import struct

CODESTREAM = b"\xff\x4f\xff\x51"
"""Start of JPEG 2000's pixels (ITU T.800, A.5.1): width and height follow after four bytes."""

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_BEYOND_PIXELS = re.compile(rb"\xff[\x01-\xcf\xd9-\xfe]")
"""A marker other than a restart or a second beginning, which the pixels may hold."""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the header claims, for all formats that OpenCV reads; None for broken ones, and for others."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(data, ">II", 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _pair(data, "<HH", 6)
        if data.startswith(b"BM"):
            short = data[14:18] == b"\x0c\0\0\0"  # OS/2's header counts in 16 bits
            width, height = _pair(data, "<HH" if short else "<ii", 18)
            return abs(width), abs(height)
        if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            return _tiff_size(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
        if data.startswith(b"\0\0\0\x0cjP  \r\n\x87\n"):
            claims = _pairs(data, b"ihdr", 4)[::-1], _pairs(data, CODESTREAM, 8)
            return _some(max(claims, key=_area))
        if data.startswith(CODESTREAM):
            return _pair(data, ">II", 8)
        if data[4:8] == b"ftyp":
            return _some(_pairs(data, b"ispe", 8))
        if data[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"PF", b"Pf"):
            return _pnm_size(data)
        if data.startswith(b"P7"):
            return _named_numbers(data, rb"^WIDTH\s+(\d{1,15})\s", rb"^HEIGHT\s+(\d{1,15})\s")
        if data.startswith((b"#?RADIANCE", b"#?RGBE")):
            return _named_numbers(data, rb"\s[+-]X (\d{1,15})\s", rb"\s?[+-]Y (\d{1,15})\s")
        if data.startswith(b"\x59\xa6\x6a\x95"):
            return _pair(data, ">II", 4)
    except struct.error:
        pass
    return None


def jpeg_scans(data: bytes) -> int:
    """How many scans a JPEG has: each goes over the whole picture once more, however few bytes it has itself."""
    return _jpeg_scans_and_end(data)[0]


def is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG breaks off in its pixels: OpenCV before 4.11 fills the rest with grey and says nothing."""
    scans, ended = _jpeg_scans_and_end(data)
    return scans > 0 and not ended


def _jpeg_scans_and_end(data: bytes) -> tuple[int, bool]:
    """Counts the SOS markers of the first picture (ITU T.81, B.1.1.4) and looks for its EOI: in the pixels, FF stands before
    00 or a restart alone, and segments are stepped over."""
    position, scans = 2, 0
    while data.startswith(b"\xff\xd8") and (mark := _BEYOND_PIXELS.search(data, position)):
        kind, position = data[mark.end() - 1], mark.end()
        if kind == 0xD9:
            return scans, True
        scans += kind == 0xDA
        if kind != 0x01:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans, False


def is_cut_png(data: bytes) -> bool:
    """Whether a PNG has a chunk that reaches beyond the file: OpenCV would take memory for all that it promises."""
    position = 8
    while data.startswith(b"\x89PNG\r\n\x1a\n") and position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += 12 + length
        if position > len(data):
            return True
    return False


def _pair(data: bytes, form: str, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, offset)
    return int(first), int(second)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Steps over the segments to the frame header (ITU T.81, table B.1: SOF0 to SOF15 save DHT, JPG and DAC).

    As libjpeg does, it passes over bytes that belong to no segment, and over markers that have none (table B.2).
    """
    position = 2
    while mark := _MARKER.search(data, position):
        kind, position = data[mark.end() - 1], mark.end()
        if kind == 0x01 or 0xD0 <= kind <= 0xD7:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2 or kind in (0xD8, 0xD9, 0xDA):  # a second picture, the end or the pixels, before any frame
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = _pair(data, ">HH", position + 3)
            return width, height
        position += length
    return None


def _some(size: tuple[int, ...]) -> tuple[int, int] | None:
    return (size[0], size[1]) if size else None


def _area(size: tuple[int, ...]) -> int:
    return math.prod(size) if size else 0


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """RFC 9649: the canvas of an extended file (2.7), else the frame header of VP8L (3.4) or VP8 (RFC 6386, 9.1)."""
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _pair(data, "<HH", 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _pairs(data: bytes, mark: bytes, offset: int) -> tuple[int, ...]:
    """Of all pairs of numbers `offset` bytes behind a mark, that of the largest product; () without one."""
    found: list[tuple[int, int]] = []
    position = data.find(mark)
    while 0 <= position <= len(data) - offset - 8 and len(found) < 1000:
        found.append(_pair(data, ">II", position + offset))
        position = data.find(mark, position + 4)
    return max(found, key=_area, default=())


def _pnm_size(data: bytes) -> tuple[int, int] | None:
    """The first two numbers behind the mark; comments run from # to the end of their line."""
    numbers = re.sub(rb"#[^\r\n]*", b" ", data[2:4096]).split()[:2]
    if len(numbers) < 2 or not all(number.isdigit() and len(number) < 16 for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])


def _named_numbers(data: bytes, width: bytes, height: bytes) -> tuple[int, int] | None:
    """Two numbers of a header of text."""
    found = [re.search(pattern, data[:4096], re.MULTILINE) for pattern in (width, height)]
    return (int(found[0][1]), int(found[1][1])) if found[0] and found[1] else None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Entries 256 and 257 (ImageWidth, ImageLength) of the first directory (TIFF 6.0, section 2; BigTIFF)."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    if start > len(data):
        return None
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    first, width, value = (start + 8, 20, 12) if big else (start + 2, 12, 8)
    found: dict[int, int] = {}
    for entry in range(first, first + width * min(count, 65_535), width):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + value)
    return (found[256], found[257]) if len(found) == 2 else None
