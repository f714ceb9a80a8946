"""What the first bytes of a picture file say: its size, and how it is turned."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.files.picture_size import picture_size
from blazeface.files.pictures import read_picture

HEAD = 1 << 16
"""Bytes in which nearly every file says its size; the rest is read where they do not."""

READERS = 8
"""Threads: they wait for the disk."""

UPRIGHT = 1
ON_ITS_SIDE = (5, 6, 7, 8)
"""EXIF orientations (CIPA DC-008, 4.6.5, tag 274)."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Header:
    """size: (width, height) in pixels as the picture is read, upright. orientation: EXIF's, 1 to 8."""

    size: Size
    orientation: int = UPRIGHT

    @property
    def stored(self) -> Size:
        """(width, height) as the pixels lie in the file."""
        return self.size[::-1] if self.orientation in ON_ITS_SIDE else self.size


def read_headers(paths: Sequence[Path]) -> list[Header | None]:
    """The header of each picture; None for one that is missing or broken."""
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(read_header, paths, chunksize=64)
        return list(tqdm(found, "reading sizes", len(paths), leave=False, unit="", delay=2, disable=None))


def read_header(path: Path) -> Header | None:
    """The header of a picture, from its first bytes where they tell; None for one that is missing or broken."""
    try:
        with path.open("rb") as file:
            data = file.read(HEAD)
            size = picture_size(data)
            if size is None:
                data += file.read()
                size = picture_size(data)
    except (OSError, ValueError):
        return None
    if size is not None and data.startswith(b"\xff\xd8"):
        orientation = jpeg_orientation(data)
        return Header(size[::-1] if orientation in ON_ITS_SIDE else size, orientation)
    if size is not None and not (b"eXIf" in data or b"EXIF" in data or data[4:8] == b"ftyp" or b"Exif" in data):
        return Header(size)
    # Whether other formats are turned depends on what reads them.
    try:
        height, width = read_picture(str(path)).shape[:2]
    except BlazeFaceError:
        return None
    return Header((width, height))


def jpeg_orientation(data: bytes) -> int:
    """EXIF's orientation of a JPEG, 1 to 8; 1 where it has none."""
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        kind, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        if kind == 0xE1 and segment.startswith(b"Exif\0\0"):
            return _tiff_orientation(segment[6:])
        if kind == 0xDA:
            break
        position += 2 + length
    return UPRIGHT


def _tiff_orientation(data: bytes) -> int:
    """Tag 274 of the first directory of a TIFF (TIFF 6.0, section 2)."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    try:
        if order is None:
            return UPRIGHT
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", data, entry)
            if tag == 274:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
