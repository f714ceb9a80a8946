"""The size of a picture from its first bytes, to refuse a gigantic one before it fills the memory."""

from __future__ import annotations

import struct


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the header of a PNG, JPEG, GIF, BMP or TIFF claims; None for others and for broken ones."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(data, ">II", 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _pair(data, "<HH", 6)
        if data.startswith(b"BM"):
            width, height = _pair(data, "<ii", 18)
            return abs(width), abs(height)
        if data.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(data)
    except struct.error:
        pass
    return None


def _pair(data: bytes, form: str, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, offset)
    return int(first), int(second)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Steps over the segments to the frame header (ITU T.81, table B.1: SOF0 to SOF15 save DHT, JPG and DAC)."""
    position = 2
    while True:
        mark, kind, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF or length < 2:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = _pair(data, ">HH", position + 5)
            return width, height
        position += 2 + length


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Entries 256 and 257 (ImageWidth, ImageLength) of the first directory (TIFF 6.0, section 2)."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    found: dict[int, int] = {}
    for entry in range(count):
        tag, kind = struct.unpack_from(order + "HH", data, start + 2 + 12 * entry)
        if tag in (256, 257):
            form = "H" if kind == 3 else "I"
            (found[tag],) = struct.unpack_from(order + form, data, start + 10 + 12 * entry)
    return (found[256], found[257]) if len(found) == 2 else None
