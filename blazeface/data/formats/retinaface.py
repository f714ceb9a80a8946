"""Reader for RetinaFace's label.txt and its successor labelv2.txt: WIDER FACE with five points."""

from __future__ import annotations

import re
from pathlib import Path

from blazeface.data.formats.points import PointMap, map_points
from blazeface.data.labels import (
    LARGEST,
    LabelledFace,
    Listed,
    leaves_its_folder,
    names_a_picture,
    picture_name,
    read_text,
    size_of,
)
from blazeface.errors import BlazeFaceError

POINT_COLUMNS = 15
"""Five times x, y and a flag."""

FORM = "four numbers of a box, or these and x y flag of five points"


def read_retinaface(path: Path) -> list[Listed]:
    """The pictures and their faces, in the file's order.

    label.txt: a line `# NAME`, then one line a face: x y w h, five times x y flag (a flag of -1: unknown), a blur. In
    labelv2.txt the first line is `# NAME WIDTH HEIGHT`, and boxes are x1 y1 x2 y2; behind a box without points a 1 marks
    a face that is to be ignored. The middle of the two mouth corners becomes the mouth's centre; the ears are unknown.

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    five = map_points(None, 5)
    assert isinstance(five, PointMap)
    pictures: list[Listed] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        text = line.strip()
        if not text:
            continue
        if text.startswith("#"):
            pictures.append(_picture(path, number, text[1:].strip()))
        elif not pictures:
            raise BlazeFaceError(f"{path}:{number}: expected `# NAME` of a picture, found {text[:80]!r}")
        else:
            pictures[-1].faces.append(_face(path, number, text, pictures[-1].size is not None, five))
    return pictures


def looks_like_retinaface(text: str) -> bool:
    """Whether the beginning of a text is RetinaFace's: `# NAME.jpg`, perhaps with its size."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first.startswith("#") and names_a_picture(re.sub(r"(\s+\d+){2}\s*$", "", first))


def _picture(path: Path, number: int, text: str) -> Listed:
    parts = text.rsplit(maxsplit=2)
    size = size_of(parts[1], parts[2]) if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit() else None
    name = picture_name(parts[0] if size else text)
    if not name or leaves_its_folder(name):
        raise BlazeFaceError(f"{path}:{number}: the picture's name leaves its folder: {name!r}")
    return Listed(name, [], size)


def _face(path: Path, number: int, text: str, corners: bool, five: PointMap) -> LabelledFace:
    try:
        values = [float(column) for column in text.split()]
    except ValueError:
        values = []
    extra = len(values) - 4
    if extra not in (0, 1, POINT_COLUMNS, POINT_COLUMNS + 1) or not all(abs(v) <= LARGEST for v in values):
        raise BlazeFaceError(f"{path}:{number}: expected {FORM}, found {text[:80]!r}")
    x, y, third, fourth = values[:4]
    box = (x, y, third, fourth) if corners else (x, y, x + third, y + fourth)
    ignore = box[2] <= box[0] or box[3] <= box[1] or (corners and extra == 1 and values[4] == 1)
    if extra < POINT_COLUMNS:
        return LabelledFace(box, ignore)
    flat = values[4 : 4 + POINT_COLUMNS]
    points = [
        (px, py, 0 if flag < 0 or px < 0 else 2)
        for px, py, flag in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    keypoints, visibility = five(points)
    return LabelledFace(box, ignore, keypoints, visibility)
