"""What a copy of a picture keeps of it beside the pixels: its colour profile; and what is said of the rest."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

PROFILE_FORMATS = (".jpg", ".jpeg", ".jpe", ".png", ".webp")
"""Suffixes of the formats that a profile is written into."""

_MARK = b"ICC_PROFILE\0"
_PART = 65_000
"""Bytes of a profile in one segment of a JPEG."""

_LARGEST = 2**24


def colour_profile(data: bytes) -> bytes | None:
    """The ICC profile of RGB in a picture file (JPEG, PNG, WebP, TIFF, AVIF, HEIC); None where there is none."""
    profile: bytes | None = None
    with suppress(struct.error, IndexError, zlib.error):
        if data.startswith(b"\xff\xd8"):
            profile = b"".join(part for _, part in sorted(_jpeg_parts(data)))
        elif data.startswith(b"\x89PNG"):
            profile = next((_inflated(content) for kind, content in _png_chunks(data) if kind == b"iCCP"), None)
        elif data[8:12] == b"WEBP":
            profile = next((content for kind, content in _webp_chunks(data) if kind == b"ICCP"), None)
        elif data.startswith((b"II*\0", b"MM\0*")):
            profile = _tiff_values(data).get(34675)
        elif data[4:8] == b"ftyp":
            place = data.find(b"colrprof", 0, 2**16)
            (size,) = struct.unpack_from(">I", data, place - 4) if place > 0 else (0,)
            profile = data[place + 8 : place - 4 + size]
    whole = (
        profile is not None and profile[16:20] == b"RGB " and int.from_bytes(profile[:4], "big") <= len(profile)
    )
    return profile if whole else None


def with_profile(data: bytes, profile: bytes) -> bytes | None:
    """A JPEG, PNG or WebP with an ICC profile put in; None for other formats.

    JPEG: ICC.1, B.4; PNG: iCCP before the pixels; WebP: RFC 9649, 2.7.1.4.
    """
    if data.startswith(b"\xff\xd8"):
        parts = [profile[at : at + _PART] for at in range(0, len(profile), _PART)]
        segments = b"".join(
            b"\xff\xe2" + struct.pack(">H", 16 + len(part)) + _MARK + bytes([n, len(parts)]) + part
            for n, part in enumerate(parts, 1)
        )
        head = 2
        while data[head : head + 2] == b"\xff\xe0":  # behind JFIF's own
            head += 2 + struct.unpack_from(">H", data, head + 2)[0]
        return data[:head] + segments + data[head:]
    if data.startswith(b"\x89PNG"):
        content = b"iCCP" + b"icc\0\0" + zlib.compress(profile)
        return (
            data[:33]
            + struct.pack(">I", len(content) - 4)
            + content
            + struct.pack(">I", zlib.crc32(content))
            + data[33:]
        )
    if data[8:12] == b"WEBP":
        chunks = dict(_webp_chunks(data))
        if b"VP8X" in chunks:
            canvas = bytes([chunks.pop(b"VP8X")[0] | 0x20]) + data[21:30]
        else:
            canvas = bytes([0x20, 0, 0, 0]) + _webp_canvas(chunks)
        body = b"".join(
            _webp_chunk(kind, content)
            for kind, content in [(b"VP8X", canvas), (b"ICCP", profile), *chunks.items()]
        )
        return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    return None


def copy_losses(data: bytes, suffix: str) -> list[str]:
    """What a copy of a picture file in a format lacks: clauses that go behind "its"; none for nothing."""
    losses = []
    with suppress(struct.error, IndexError):
        if _has_alpha(data):
            losses.append("transparency is left out of the copy")
        bits = _bits(data)
        if bits > 8:
            losses.append(f"{bits} bits become 8 in the copy")
    if suffix.lower() not in PROFILE_FORMATS and colour_profile(data) is not None:
        losses.append("colour profile is left out of the copy")
    return losses


def _has_alpha(data: bytes) -> bool:
    if data.startswith(b"\x89PNG"):
        return data[25] in (4, 6) or any(kind == b"tRNS" for kind, _ in _png_chunks(data))
    if data[8:12] == b"WEBP":
        return (
            bool(data[20] & 0x10) if data[12:16] == b"VP8X" else data[12:16] == b"VP8L" and bool(data[24] & 0x10)
        )
    if data.startswith((b"II*\0", b"MM\0*")):
        return 338 in _tiff_values(data)
    return data[4:8] == b"ftyp" and b"auxiliary:alpha" in data[: 2**16]


def _bits(data: bytes) -> int:
    if data.startswith(b"\x89PNG"):
        return data[24]
    if data.startswith((b"II*\0", b"MM\0*")):
        order = "<" if data.startswith(b"II") else ">"
        return int(struct.unpack_from(order + "H", _tiff_values(data).get(258, b"\x08\0\x08"[order == ">" :]))[0])
    if data[:2] in (b"P5", b"P6"):
        numbers = [word for word in data[2:256].split() if word.isdigit()][:3]
        return 16 if len(numbers) == 3 and int(numbers[2]) > 255 else 8
    place = data.find(b"av1C", 0, 2**16) if data[4:8] == b"ftyp" else -1
    if place > 0 and data[place + 6] & 0x40:
        return 12 if data[place + 6] & 0x20 else 10
    return 8


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] not in (0xDA, 0xD9):
        (length,) = struct.unpack_from(">H", data, position + 2)
        content = data[position + 4 : position + 2 + length]
        if data[position + 1] == 0xE2 and content.startswith(_MARK):
            yield content[12], content[14:]
        position += 2 + length


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks before the pixels."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return
        yield kind, data[position + 8 : position + 8 + length]
        position += 12 + length


def _inflated(content: bytes) -> bytes:
    inflated: bytes = zlib.decompressobj().decompress(content[content.index(b"\0") + 2 :], _LARGEST)
    return inflated


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _webp_canvas(chunks: dict[bytes, bytes]) -> bytes:
    """Width and height less one, 24 bits each (RFC 6386, 9.1; RFC 9649, 3.4)."""
    if b"VP8 " in chunks:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", chunks[b"VP8 "], 6))
    else:
        (bits,) = struct.unpack_from("<I", chunks[b"VP8L"], 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides: bytes = int(width - 1).to_bytes(3, "little") + int(height - 1).to_bytes(3, "little")
    return sides


def _tiff_values(data: bytes) -> dict[int, bytes]:
    """The first directory's values of bytes and shorts (TIFF 6.0, section 2), as they lie in the file."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    found = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        size = number * {1: 1, 3: 2, 7: 1}.get(kind, 0)
        place = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
        found[tag] = data[place : place + min(size, _LARGEST)]
    return found
