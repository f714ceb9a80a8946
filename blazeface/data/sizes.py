"""Labels held against the pictures: width, height and how a picture is turned.

Label tools differ: some see a photograph as it lies in the file, others upright as EXIF says; and pictures get shrunk after
they were labelled. What the labels say of width and height tells which.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from blazeface.data.labels import LabelledFace, Listed
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.picture_size import picture_size
from blazeface.files.pictures import read_picture
from blazeface.spec import KEYPOINT_MIRROR

HEAD = 1 << 16
"""Bytes in which nearly every file says its size; the rest is read where they do not."""

READERS = 8
"""Threads: they wait for the disk."""

UPRIGHT = 1
MIRRORED, ON_ITS_SIDE = (2, 4, 5, 7), (5, 6, 7, 8)
"""EXIF orientations (CIPA DC-008, 4.6.5, tag 274)."""

Size = tuple[int, int]
Outcome = Literal["same", "turned", "scaled", "other"]

SENTENCES: dict[Outcome, str] = {
    "turned": "they are of the picture as it lies in its file, and were turned with it",
    "scaled": "it was made smaller or larger since, and they were scaled with it",
    "other": "they are not used, its faces are taken neither as faces nor as background",
}


@dataclass(frozen=True)
class Header:
    """size: (width, height) in pixels as the picture is read, upright. orientation: EXIF's, 1 to 8."""

    size: Size
    orientation: int = UPRIGHT

    @property
    def stored(self) -> Size:
        """(width, height) as the pixels lie in the file."""
        return self.size[::-1] if self.orientation in ON_ITS_SIDE else self.size


def hold_all(listed: Sequence[Listed], paths: Sequence[Path], say: Callable[[str], None]) -> list[Listed]:
    """The labels in pixels of the upright pictures; see `held_against`. The pictures are opened where labels claim a size.

    say: takes a sentence for each kind of difference, with the first picture that has it.
    """
    asked = [i for i, each in enumerate(listed) if each.relative or each.size is not None]
    headers = dict(zip(asked, read_headers([paths[i] for i in asked]), strict=True))
    lying = _are_of_stored_pixels((listed[i], header) for i, header in headers.items())
    held = list(listed)
    first: dict[Outcome, tuple[int, Header]] = {}
    counts: Counter[Outcome] = Counter()
    for i, header in headers.items():
        held[i], outcome = held_against(listed[i], header, lying)
        counts[outcome] += 1
        if header is not None:
            first.setdefault(outcome, (i, header))
    for outcome, sentence in SENTENCES.items():
        if outcome in first:
            i, header = first[outcome]
            say(
                f"{printable(str(paths[i]))} is {header.size[0]} x {header.size[1]} upright, its labels are of"
                f" {_by(listed[i].size)}: {sentence} ({counts[outcome]:,} such pictures)"
            )
    return held


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


def _are_of_stored_pixels(pairs: Iterable[tuple[Listed, Header | None]]) -> bool:
    """Whether labels are of the pictures as they lie in their files, told from those where width and height differ."""
    turned = [
        _alike(listed.size, header.stored)
        for listed, header in pairs
        if header is not None and listed.size is not None and header.orientation in ON_ITS_SIDE
        if _alike(listed.size, header.stored) != _alike(listed.size, header.size)
    ]
    return bool(turned) and all(turned)


def held_against(listed: Listed, header: Header | None, lying: bool = False) -> tuple[Listed, Outcome]:
    """The labels in pixels of the upright picture, and what was done to them.

    lying: where width and height do not tell, labels are of the picture as it lies in its file.

    "turned": they were of the picture as it lies in the file. "scaled": the picture has another size, with the same sides
    to each other. "other": it has other sides, so the labels mean something else; all of them become ignore regions.
    """
    if header is None:
        return listed, "same"
    if listed.relative:
        return _changed(listed, header.size, (1.0, 1.0), header.size), "same"
    own = listed.size
    if own is None or (own == header.size and (header.orientation == UPRIGHT or not lying)):
        return listed, "same"
    ways = [(header.size, UPRIGHT), (header.stored, header.orientation)]
    for stored, orientation in reversed(ways) if lying else ways:
        if _alike(own, stored) and _within(listed, own):
            moved = _changed(listed, stored, own, header.size, orientation)
            return moved, "scaled" if orientation == UPRIGHT else "turned"
    return replace(listed, faces=[replace(face, ignore=True) for face in listed.faces]), "other"


def turn(x: float, y: float, stored: tuple[float, float], orientation: int) -> tuple[float, float]:
    """A place in a picture as it lies in the file, (width, height) `stored`, in the upright picture.

    CIPA DC-008, 4.6.5, tag 274: the number says where the first row and the first column belong.
    """
    width, height = stored
    return {
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }.get(orientation, (x, y))


def _changed(
    listed: Listed, stored: Size, own: tuple[float, float], upright: Size, orientation: int = UPRIGHT
) -> Listed:
    """Labels of sides `own` in pixels of a picture that lies `stored` in its file."""
    scale = stored[0] / own[0], stored[1] / own[1]

    def moved(x: float, y: float) -> tuple[float, float]:
        return turn(x * scale[0], y * scale[1], stored, orientation)

    faces = []
    for face in listed.faces:
        (ax, ay), (bx, by) = moved(*face.box[:2]), moved(*face.box[2:])
        points = tuple(moved(x, y) for x, y in face.keypoints)
        seen = face.visibility
        if orientation in MIRRORED:
            points, seen = tuple(points[i] for i in KEYPOINT_MIRROR), tuple(seen[i] for i in KEYPOINT_MIRROR)
        box = (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        faces.append(LabelledFace(box, face.ignore, points, seen))
    return Listed(listed.name, faces, upright)


def _by(size: Size | None) -> str:
    return f"{size[0]} x {size[1]}" if size else "parts"


def _alike(own: Size, size: Size) -> bool:
    """Whether one size is the other, larger or smaller, within the rounding of a pixel."""
    scale = size[0] / own[0] if own[0] >= own[1] else size[1] / own[1]
    return all(abs(a * scale - b) <= max(1.0, scale) for a, b in zip(own, size, strict=True))


def _within(listed: Listed, own: Size) -> bool:
    """Whether the faces lie in a picture of that size: labels of a larger one do not."""
    middles = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in listed.faces if not f.ignore]
    return all(0 <= x <= own[0] and 0 <= y <= own[1] for x, y in middles)


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
