"""Reading flatbuffers, believing nothing: every offset is held against the size of the file.

The format (https://flatbuffers.dev/internals/): all little-endian. A table starts with the distance back to its list of
fields (its vtable), which holds two bytes per field: where it lies behind the table's start, or 0. Strings, vectors and
tables within tables are distances forward from where they stand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

WIDTHS = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
"""Bytes of each kind of number, by its letter in `struct`."""

MAX_ENTRIES = 1_000_000


class Damaged(ValueError):
    """An offset leads out of the file."""


class Table:
    """One table of a flatbuffer; fields are asked for by their place in the schema, from 0."""

    def __init__(self, data: bytes, start: int):
        self._data, self._start = data, start
        self._fields = start - int(self._number("i", start))
        self._size = int(self._number("H", self._fields))

    @classmethod
    def root(cls, data: bytes) -> Table:
        if len(data) < 8:
            raise Damaged("it is too short")
        return cls(data, int.from_bytes(data[:4], "little"))

    def number(self, field: int, kind: str, default: float = 0) -> float:
        """A number of one of WIDTHS."""
        place = self._place(field)
        return default if place is None else self._number(kind, place)

    def whole(self, field: int, kind: str, default: int = 0) -> int:
        """An integer of one of WIDTHS."""
        return int(self.number(field, kind, default))

    def table(self, field: int) -> Table | None:
        place = self._place(field)
        return None if place is None else Table(self._data, self._follow(place))

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables."""
        start, count = self._vector(field, 4)
        for place in range(start, start + 4 * count, 4):
            yield Table(self._data, self._follow(place))

    def numbers(self, field: int, kind: str) -> tuple[int, ...] | None:
        """A vector of integers; None where there is none."""
        if self._place(field) is None:
            return None
        start, count = self._vector(field, WIDTHS[kind])
        return struct.unpack_from(f"<{count}{kind}", self._data, start)

    def raw(self, field: int) -> memoryview:
        """A vector of bytes, empty where there is none; nothing is copied."""
        start, count = self._vector(field, 1, most=len(self._data))
        return memoryview(self._data)[start : start + count]

    def count(self, field: int) -> int:
        """How many numbers of four bytes a vector has."""
        return self._vector(field, 4)[1]

    def count_bytes(self, field: int) -> int:
        """How many bytes a vector of bytes has."""
        return self._vector(field, 1, most=len(self._data))[1]

    def text(self, field: int) -> str:
        return bytes(self.raw(field)).decode("utf-8", "backslashreplace")

    def _place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot + 2 > self._size:
            return None
        distance = int(self._number("H", self._fields + slot))
        return self._start + distance if distance else None

    def _vector(self, field: int, width: int, most: int = MAX_ENTRIES) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self._follow(place)
        count = int(self._number("I", start))
        if count > most or start + 4 + count * width > len(self._data):
            raise Damaged(f"a list of {count} entries at byte {start} leads out of the file")
        return start + 4, count

    def _follow(self, place: int) -> int:
        return place + int(self._number("I", place))

    def _number(self, kind: str, place: int) -> float:
        if not 0 <= place <= len(self._data) - WIDTHS[kind]:
            raise Damaged(f"an offset leads to byte {place}")
        value: float = struct.unpack_from(f"<{kind}", self._data, place)[0]
        return value
