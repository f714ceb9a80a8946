"""HEIF and AVIF: how the picture is to be turned, and HEIC decoded by an optional library."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from blazeface.errors import BlazeFaceError, install_command
from blazeface.geometry import Image

NO_HEIC = f"HEIC pictures need a library more: {install_command('heic')}"

HEIC_SUFFIXES = (".heic", ".heif")

_HEIC_BRANDS = (b"hei", b"hev", b"mif", b"msf")
_MOST_BOXES = 10_000


def is_avif(data: bytes) -> bool:
    return data[4:11] == b"ftypavi"


def is_heic(data: bytes) -> bool:
    """By the brands of HEIF (ISO/IEC 23008-12) that are no AVIF."""
    return data[4:8] == b"ftyp" and data[8:11] in _HEIC_BRANDS


def heic_library() -> Any | None:
    """The optional library that decodes HEIC; None where there is none."""
    for name in ("pi_heif", "pillow_heif"):
        with suppress(ImportError):
            return importlib.import_module(name)
    return None


def decode_heic(data: bytes) -> Image:
    """A HEIC as BGR uint8 (H, W, 3), upright. Raises BlazeFaceError, without the file's name, when it cannot be read."""
    library = heic_library()
    if library is None:
        raise BlazeFaceError(NO_HEIC)
    try:
        found = library.open_heif(data, bgr_mode=True, convert_hdr_to_8bit=True)
        image = np.array(
            found
        )  # a copy: the library frees its own pixels with `found`, whatever arrays still show them
    except Exception as error:  # the library documents no exception types
        raise BlazeFaceError("not a picture, or a damaged one") from error
    return np.ascontiguousarray(image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def turned(image: Image, data: bytes) -> Image:
    """A picture, as its codec decoded it, turned and mirrored as the file's properties of its primary item ask.

    irot turns by quarters against the clock, imir mirrors top to bottom (0) or left to right (1), in the order in
    which they belong to the item (ISO/IEC 23008-12, 6.5.10 and 6.5.12). EXIF's orientation does not count there.
    """
    for kind, value in _properties(data):
        if kind == b"irot":
            image = np.rot90(image, value & 3)
        elif kind == b"imir":
            image = image[:, ::-1] if value & 1 else image[::-1]
    return np.ascontiguousarray(image)


def _properties(data: bytes) -> list[tuple[bytes, int]]:
    """irot and imir of the primary item: kind and first byte; none where the boxes are broken."""
    try:
        meta = next(content for kind, content in _boxes(data) if kind == b"meta")[4:]
        parts = dict(_boxes(meta))
        primary = _primary(parts[b"pitm"])
        inner = dict(_boxes(parts[b"iprp"]))
        known = list(_boxes(inner[b"ipco"]))
        return [
            (kind, content[0])
            for number in _associated(inner[b"ipma"], primary)
            if 0 < number <= len(known)
            for kind, content in [known[number - 1]]
            if kind in (b"irot", b"imir")
        ]
    except (KeyError, StopIteration, IndexError, struct.error):
        return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in a part of a file (ISO/IEC 14496-12, 4.2)."""
    position = 0
    for _ in range(_MOST_BOXES):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        end = len(data) if length == 0 else position + max(length, head)
        yield kind, data[position + head : end]
        position = end


def _primary(pitm: bytes) -> int:
    return int(struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)[0])


def _associated(ipma: bytes, item: int) -> list[int]:
    """Numbers, from 1, of the properties of an item (ISO/IEC 23008-12, 9.3.1)."""
    wide_items, wide_numbers = ipma[0] >= 1, ipma[3] & 1
    (entries,) = struct.unpack_from(">I", ipma, 4)
    position = 8
    for _ in range(min(entries, _MOST_BOXES)):
        (found,) = struct.unpack_from(">I" if wide_items else ">H", ipma, position)
        position += 4 if wide_items else 2
        count = ipma[position]
        form, mask = (f">{count}H", 0x7FFF) if wide_numbers else (f">{count}B", 0x7F)
        numbers = [number & mask for number in struct.unpack_from(form, ipma, position + 1)]
        position += 1 + struct.calcsize(form)
        if found == item:
            return numbers
    return []
