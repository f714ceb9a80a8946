"""Reader for CSV: a line a face, or a line a picture without one."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blazeface.data.formats.categories import face_categories
from blazeface.data.formats.points import PointMap, map_points
from blazeface.data.labels import (
    LARGEST,
    LabelledFace,
    Listed,
    Say,
    climbs,
    picture_name,
    read_text,
    size_of,
    unsaid,
)
from blazeface.errors import BlazeFaceError

PICTURE = "filename file image path source imagename imagepath filepath imageid img name picture".split()  # noqa: SIM905
CATEGORY = ("class", "label", "category", "classname", "labelname", "categoryname")
CORNERS = (
    ("x1", "xmin", "left", "xtl", "x0"),
    ("y1", "ymin", "top", "ytl", "y0"),
    ("x2", "xmax", "right", "xbr", "x1"),
    ("y2", "ymax", "bottom", "ybr", "y1"),
)
SIDES = (
    ("x", "left", "xmin", "bboxx", "x1"),
    ("y", "top", "ymin", "bboxy", "y1"),
    ("w", "width", "bboxw", "bboxwidth"),
    ("h", "height", "bboxh", "bboxheight"),
)
IGNORE = ("ignore", "iscrowd", "difficult", "invalid")
DELIMITERS = ";\t|,"
"""The first of those that a line has most of: a comma may be the decimal one."""

HEADLESS = ["filename", "x1", "y1", "x2", "y2", "class"]
"""Columns of a table without a header: what keras-retinanet and many scripts read."""


@dataclass(frozen=True)
class _Columns:
    """Positions of the columns; sides: the last two of the box are its width and height, not a corner."""

    picture: int
    box: tuple[int, ...]
    sides: bool
    category: int | None
    ignore: int | None
    size: tuple[int, int] | None
    score: int | None
    points: list[tuple[int, int, int | None]]
    mapped: PointMap | None


def read_table(path: Path, wanted: Sequence[str] = (), say: Say = unsaid) -> list[Listed]:
    """The pictures and their faces, in the order in which each picture comes first.

    Columns are known by their names: a picture (filename, image, source ...), a box in pixels (x1 y1 x2 y2, xmin ..., or
    x y w h), and, where there are some, class, ignore, width and height of the picture, and points (right_eye_x,
    right_eye_y ...), as `detect --csv` writes them. Without a header: picture, x1, y1, x2, y2, class. A line whose box is
    empty lists a picture without a face. The points of a table with scores were predicted (visibility 1).

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    rows = _rows(path)
    if not rows:
        return []
    header = rows[0][1]
    columns = _columns(header)
    if columns is None:
        columns = _columns(HEADLESS[: len(header)])
        if columns is None or not _is_row(header):
            raise BlazeFaceError(
                f"{path}:{rows[0][0]}: expected columns filename, x1, y1, x2, y2 (or x, y, w, h), found"
                f" {','.join(header)[:200]!r}"
            )
    else:
        rows = rows[1:]
    pictures: dict[str, Listed] = {}
    faces: list[tuple[str, LabelledFace, Listed]] = []
    for number, row in rows:
        cells = dict(enumerate(cell.strip() for cell in row))
        name = picture_name(cells.get(columns.picture, ""))
        if not name or climbs(name):
            raise BlazeFaceError(f"{path}:{number}: no picture's name, or one that leaves its folder: {name!r}")
        size = size_of(*(cells.get(i) for i in columns.size)) if columns.size else None
        listed = pictures.setdefault(name, Listed(name, [], size))
        if any(cells.get(i) for i in columns.box):
            category = cells.get(columns.category, "") if columns.category is not None else ""
            faces.append((category, _face(path, number, cells, columns), listed))
    chosen = face_categories([category for category, _, _ in faces], wanted, str(path), say)
    for category, face, listed in faces:
        if category in chosen:
            listed.faces.append(face)
    return list(pictures.values())


def looks_like_table(text: str) -> bool:
    """Whether the first line of a text has the columns of labels, or their values."""
    first = [_with_point(cell) for cell in next(csv.reader(text.splitlines()[:1], delimiter=_delimiter(text)), [])]
    return _columns(first) is not None or _is_row(first)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    text = read_text(path)
    delimiter = _delimiter(text)
    reader = csv.reader(text.split("\n"), delimiter=delimiter)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise BlazeFaceError(f"{path}:{reader.line_num}: not a table: {error}") from error
    return rows if delimiter == "," else [(number, [_with_point(cell) for cell in row]) for number, row in rows]


def _with_point(cell: str) -> str:
    """A number with a decimal comma, as much of Europe writes it where the comma separates no columns, with a point."""
    return cell.replace(",", ".") if re.fullmatch(r"\s*-?\d+,\d+\s*", cell) else cell


def _delimiter(text: str) -> str:
    """Semicolons and tabs are common where the comma is in numbers, or in what spreadsheets write."""
    first = text.split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)


def _columns(header: Sequence[str]) -> _Columns | None:
    """The columns that a header names; None where it names no picture or no box."""
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    place = {name: i for i, name in reversed(list(enumerate(names)))}

    def first(choices: Sequence[str]) -> int | None:
        return next((place[name] for name in choices if name in place), None)

    picture = first(PICTURE)
    # Some tables count corners from 0: their x1 is the other side.
    corners = [first(choices[-1:] if "x0" in place else choices) for choices in CORNERS]
    sides = None in corners
    box = [first(choices) for choices in SIDES] if sides else corners
    if picture is None or None in box:
        return None
    width, height = first(["width", "imagewidth"]), first(["height", "imageheight"])
    points = _point_columns(header)
    mapped = map_points(list(points), len(points)) if points else None
    return _Columns(
        picture=picture,
        box=tuple(i for i in box if i is not None),
        sides=sides,
        category=first(CATEGORY),
        ignore=first(IGNORE),
        size=None if sides or width is None or height is None else (width, height),
        score=first(["score", "confidence"]),
        points=list(points.values()),
        mapped=mapped if isinstance(mapped, PointMap) else None,
    )


def _point_columns(header: Sequence[str]) -> dict[str, tuple[int, int, int | None]]:
    """Positions of x, y and perhaps visibility of each point, by its name: NAME_x, NAME_y, NAME_v."""
    parts = [re.fullmatch(r"(.+)[_. ](x|y|v|visibility)", name.strip().lower()) for name in header]
    place = {(match[1], match[2][0]): i for i, match in enumerate(parts) if match}
    names = [name for name, axis in place if axis == "x" and (name, "y") in place]
    return {name: (place[name, "x"], place[name, "y"], place.get((name, "v"))) for name in names}


def _is_row(cells: Sequence[str]) -> bool:
    """Whether cells are a picture and a box, or a picture and four empty cells."""
    box = [cell.strip() for cell in cells[1:5]]
    return (
        len(box) == 4 and "." in cells[0] and (not any(box) or all(re.fullmatch(r"-?\d+(\.\d*)?", c) for c in box))
    )


def _face(path: Path, number: int, cells: dict[int, str], columns: _Columns) -> LabelledFace:
    x, y, third, fourth = _numbers(path, number, [cells.get(i, "") for i in columns.box])
    box = (x, y, x + third, y + fourth) if columns.sides else (x, y, third, fourth)
    flagged = columns.ignore is not None and cells.get(columns.ignore, "").lower() not in ("", "0", "false", "0.0")
    ignore = flagged or box[2] <= box[0] or box[3] <= box[1]
    if columns.mapped is None:
        return LabelledFace(box, ignore)
    best = 2 if columns.score is None else 1
    points = []
    for x_at, y_at, seen_at in columns.points:
        given = [cells.get(x_at, ""), cells.get(y_at, "")]
        seen = cells.get(seen_at, "") if seen_at is not None else "2"
        if not all(given) or seen in ("", "0"):
            points.append((0.0, 0.0, 0))
        else:
            px, py, known = _numbers(path, number, [*given, seen])
            points.append((px, py, min(best, max(0, int(known)))))
    keypoints, visibility = columns.mapped(points)
    return LabelledFace(box, ignore, keypoints, visibility)


def _numbers(path: Path, number: int, texts: Sequence[str]) -> list[float]:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = []
    if not values or not all(abs(value) <= LARGEST for value in values):
        raise BlazeFaceError(
            f"{path}:{number}: expected numbers within a million, found {', '.join(texts)[:80]!r}"
        )
    return values
