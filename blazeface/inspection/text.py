"""Text fields of a model file as printable strings."""

from __future__ import annotations

from pathlib import Path

from blazeface.errors import BlazeFaceError

MAX_BYTES = 2 << 30
"""Neither format can be larger: their offsets have 31 bits."""

MAX_SHOWN = 200


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises BlazeFaceError where it cannot be read, or is too large to be a model."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BlazeFaceError(f"{path}: expected at most {MAX_BYTES >> 30} GiB, found {size} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error


def as_text(value: bytes) -> str:
    """Text as it is, if it is printable; else how many bytes there are, and their beginning."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(letter.isprintable() or letter in "\n\t" for letter in text):
        return text
    return f"{len(value)} bytes: {value[:24]!r}{'...' if len(value) > 24 else ''}"
