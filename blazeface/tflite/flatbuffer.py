"""Flatbuffers, with the tables of `schema`: bytes in and out. https://flatbuffers.dev/internals/

Reading trusts no byte: every offset is checked against the size of the file, and all that is copied out of it against a
limit, since a small file can name the same bytes over and over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from blazeface.tflite.schema import MARK, NUMBERS, TABLES, Field

MAX_ENTRIES = 1_000_000
"""Of one vector, bytes aside."""

ALIGNMENT = 16
"""Bytes: runtimes map the file into memory and compute on the weights where they lie."""


class Damaged(ValueError):
    """An offset leads out of the file, or a vector has more entries than the file has room for."""


class Source:
    """The bytes of a file, and how many more may be copied out of them: of an undamaged file, each about once."""

    def __init__(self, data: bytes):
        self.data = data
        self._left = 4 * len(data) + (1 << 16)

    def root(self, table: str) -> Table:
        """The table that the file begins with."""
        if len(self.data) < 8:
            raise Damaged("it is too short")
        return Table(self, int.from_bytes(self.data[:4], "little"), table)

    def number(self, kind: str, place: int) -> float:
        """The scalar at a byte; kind: a letter of `schema.NUMBERS`."""
        if not 0 <= place <= len(self.data) - struct.calcsize(f"<{kind}"):
            raise Damaged(f"an offset leads to byte {place}")
        value: float = struct.unpack_from(f"<{kind}", self.data, place)[0]
        return value

    def count_copied(self, count: int) -> None:
        """Count bytes against the limit."""
        self._left -= count
        if self._left < 0:
            raise Damaged("its tables name the same bytes over and over")


class Table:
    """One table; fields are asked for by their names in `schema.TABLES`. Raises Damaged."""

    def __init__(self, source: Source, start: int, name: str):
        self._source, self._start = source, start
        self._fields = {field.name: field for field in TABLES[name]}
        self._vtable = start - int(source.number("i", start))
        self._size = int(source.number("H", self._vtable))

    def number(self, name: str) -> float:
        """A scalar, its default where it is left out."""
        field = self._fields[name]
        place = self._place(field)
        return field.default if place is None else self._source.number(field.type, place)

    def integer(self, name: str) -> int:
        """An integer."""
        return int(self.number(name))

    def scalars(self) -> dict[str, Any]:
        """All scalars, by name."""
        kinds: dict[str, type] = {"f": float, "?": bool}
        scalars = (field for field in self._fields.values() if field.type in NUMBERS)
        return {field.name: kinds.get(field.type, int)(self.number(field.name)) for field in scalars}

    def table(self, name: str, kind: str = "") -> Table | None:
        """A table within this one; kind: which, where the field is a union."""
        field = self._fields[name]
        place = self._place(field)
        return None if place is None else Table(self._source, self._follow(place), kind or field.type)

    def tables(self, name: str, most: int = MAX_ENTRIES) -> Iterator[Table]:
        """A vector of at most so many tables."""
        field = self._fields[name]
        start, count = self._vector(field, 4, most)
        self._source.count_copied(4 * count)
        for place in range(start, start + 4 * count, 4):
            yield Table(self._source, self._follow(place), field.type[1:-1])

    def numbers(self, name: str) -> tuple[Any, ...]:
        """A vector of scalars, empty where there is none."""
        field = self._fields[name]
        width = struct.calcsize(f"<{field.type[1:-1]}")
        start, count = self._vector(field, width, MAX_ENTRIES)
        self._source.count_copied(width * count)
        return struct.unpack_from(f"<{count}{field.type[1:-1]}", self._source.data, start)

    def content(self, name: str) -> memoryview:
        """A vector of bytes, empty where there is none; nothing is copied."""
        start, count = self._vector(self._fields[name], 1, len(self._source.data))
        return memoryview(self._source.data)[start : start + count]

    def text(self, name: str) -> str:
        """A string; bytes that are no UTF-8 are shown as escapes."""
        raw = self.content(name)
        self._source.count_copied(len(raw))
        return bytes(raw).decode("utf-8", "backslashreplace")

    def _place(self, field: Field) -> int | None:
        slot = 4 + 2 * field.number
        if slot + 2 > self._size:
            return None
        distance = int(self._source.number("H", self._vtable + slot))
        return self._start + distance if distance else None

    def _vector(self, field: Field, width: int, most: int) -> tuple[int, int]:
        """Its first byte, and how many entries it has."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self._follow(place)
        count = int(self._source.number("I", start))
        if count > most or start + 4 + count * width > len(self._source.data):
            raise Damaged(
                f"a list of {count} entries at byte {start} leads out of the file, or has more than {most}"
            )
        return start + 4, count

    def _follow(self, place: int) -> int:
        return place + int(self._source.number("I", place))


def pack(values: Mapping[str, Any], share: bool = False) -> bytes:
    """A whole .tflite file from the fields of its table Model. The same values give the same bytes.

    A table within it is a mapping of its fields, a vector a sequence, a union the pair of its table's name and fields; a
    field that is left out, or None, has its default. share: equal vectors of numbers and equal strings are written once.
    """
    from flatbuffers import Builder

    builder = Builder(1 << 16)
    written: dict[Any, int] | None = {} if share else None
    builder.Finish(_pack_table(builder, "Model", values, written), MARK)
    return bytes(builder.Output())


def _pack_table(builder: Any, name: str, values: Mapping[str, Any], written: dict[Any, int] | None = None) -> int:
    fields = [field for field in TABLES[name] if values.get(field.name) is not None]
    # What a table refers to is written before the table.
    places = {
        field.name: _pack_content(builder, field, values[field.name], written)
        for field in fields
        if field.type not in NUMBERS
    }
    builder.StartObject(len(TABLES[name]))
    for field in fields:
        if field.type in NUMBERS:
            prepend = getattr(builder, f"Prepend{NUMBERS[field.type]}Slot")
            prepend(field.number, values[field.name], field.default)
        elif places[field.name] is not None:
            builder.PrependUOffsetTRelativeSlot(field.number, places[field.name], 0)
    return int(builder.EndObject())


def _pack_content(builder: Any, field: Field, value: Any, written: dict[Any, int] | None) -> int | None:
    if written is not None and field.type != "[B]" and (field.type == "text" or field.type[1:-1] in NUMBERS):
        key = field.type, value if field.type == "text" else tuple(value)
        if key not in written:
            written[key] = _pack_content(builder, field, value, None) or 0
        return written[key]
    match field.type:
        case "text":
            return int(builder.CreateString(value))
        case "union":
            kind, fields = value
            return _pack_table(builder, kind, fields, written)
        case "[B]":
            return _pack_bytes(builder, bytes(value)) if len(value) else None
        case kind if not kind.startswith("["):
            return _pack_table(builder, kind, value, written)
        case kind if kind[1:-1] in NUMBERS:
            import numpy as np

            return int(builder.CreateNumpyVector(np.asarray(value, np.dtype(kind[1:-1]))))
    places = [_pack_table(builder, field.type[1:-1], entry, written) for entry in value]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return int(builder.EndVector())


def _pack_bytes(builder: Any, data: bytes) -> int:
    """Bytes at an aligned place."""
    builder.StartVector(1, len(data), ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())
