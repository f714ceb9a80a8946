"""The wire format of protobuf, read without a schema and without trust.

Source: "Encoding", protobuf.dev. Only what ONNX uses is known: variable-length integers, 32-bit and 64-bit numbers, and
bytes with a length; groups are refused. Every length is held against what is there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = int | bytes


class Malformed(ValueError):
    """The bytes are no protobuf message, or not of the expected kind."""


def fields(data: bytes) -> Iterator[tuple[int, Field]]:
    """Number and value of each field of a message, in the order of the file. Integers come unsigned, 32 and 64 bits as
    their 4 and 8 bytes. Raises Malformed."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise Malformed("a field without a number")
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if kind == BYTES:
            length, position = _varint(data, position)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise Malformed(f"a field of the unknown kind {kind}")
        if length > len(data) - position:
            raise Malformed(f"a field of {length} bytes where {len(data) - position} are left")
        yield number, data[position : position + length]
        position += length


def integer(value: Field) -> int:
    """A signed 64-bit integer (int32, int64, enum)."""
    if not isinstance(value, int):
        raise Malformed("bytes where a number is expected")
    return value - (1 << 64) if value >> 63 else value


def data_of(value: Field) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a number where bytes are expected")
    return value


def text(value: Field) -> str:
    return data_of(value).decode("utf-8", "backslashreplace")


def real(value: Field) -> float:
    data = data_of(value)
    if len(data) != 4:
        raise Malformed("expected a 32-bit number")
    return float(struct.unpack("<f", data)[0])


def integers(value: Field) -> list[int]:
    """A repeated integer: one, or many packed into bytes."""
    if isinstance(value, int):
        return [integer(value)]
    found, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        found.append(integer(number))
    return found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Malformed("a number that does not end")
        byte = data[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result & ((1 << 64) - 1), position
        shift += 7
