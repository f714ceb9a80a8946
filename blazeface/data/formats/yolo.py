"""Reader for YOLO's labels: a text file a picture, with everything in parts of the picture's sides."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blazeface.data.formats.categories import face_categories
from blazeface.data.formats.points import PointMap, map_points
from blazeface.data.labels import LabelledFace, Listed, Say, one_spelling, read_text, unsaid
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.pictures import PICTURE_SUFFIXES

BOX = 5
"""Columns of a box: class, middle, sides."""

FLIPS = {5: [1, 0, 2, 4, 3], 6: [1, 0, 2, 3, 5, 4]}
"""How the points that are known without names change places in a mirror."""

BEYOND = 2.0
"""No box reaches so many sides of its picture beyond it: larger numbers are pixels."""

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class YoloSet:
    """What data.yaml says: names of the classes, points a face and numbers a point, names of the points."""

    names: dict[int, str] = field(default_factory=dict)
    points: tuple[int, int] | None = None
    point_names: list[str] | None = None


def read_yolo(
    labels: Path,
    pictures: Path,
    described: YoloSet,
    wanted: Sequence[str] = (),
    names: Sequence[str] | None = None,
    say: Say = unsaid,
) -> list[Listed]:
    """The pictures below a folder, by name, and their faces in labels/NAME.txt.

    A line is class, x y of the box's middle, its width and height, then the points as x y or x y visibility, in parts of
    the picture. A picture without a file of labels has no face; a file of labels without a picture is one whose picture is
    missing. names: the pictures, where a list names them. Of several classes, those of `face_categories` are read.

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    # A Mac writes the names of files another way (NFD) than most label tools do.
    found = {
        one_spelling(name.rsplit(".", 1)[0]): name
        for name in (pictures_below(pictures) if names is None else names)
    }
    files = {
        one_spelling(path.relative_to(labels).with_suffix("").as_posix()): path for path in label_files(labels)
    }
    lone = {} if names is not None else {stem: f"{stem}.jpg" for stem in files.keys() - found.keys()}
    rows: list[tuple[Listed, int, LabelledFace]] = []
    listed = []
    for stem, name in sorted((found | lone).items()):
        picture = Listed(name, [], relative=True)
        listed.append(picture)
        if stem in files:
            rows += [(picture, number, face) for number, face in _faces(files[stem], described)]
    called = {number: described.names.get(number, str(number)) for _, number, _ in rows}
    chosen = face_categories((called[number] for number in sorted(called)), wanted, str(labels), say)
    for picture, number, face in rows:
        if called[number] in chosen:
            picture.faces.append(face)
    return listed


def read_yaml(path: Path) -> tuple[dict[str, Any], YoloSet]:
    """data.yaml, and what it says about the labels. Raises BlazeFaceError naming the file and the fault."""
    try:
        import yaml
    except ImportError as error:
        raise BlazeFaceError(f"{path}: read with PyYAML: {install_command('train')}") from error
    text = read_text(path)
    if len(text) > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than a description of a data set")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BlazeFaceError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise BlazeFaceError(f"{path}: expected a mapping with train, val and names")
    return data, _described(path, data)


def read_names(path: Path) -> YoloSet:
    """The names of the classes, one a line (classes.txt, obj.names)."""
    return YoloSet(dict(enumerate(line.strip() for line in read_text(path).split("\n") if line.strip())))


def pictures_below(folder: Path) -> list[str]:
    """The pictures in a folder and its folders, with / between them."""
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES]


def label_files(folder: Path) -> list[Path]:
    """The text files in a folder and its folders that can be labels: lists of classes and of pictures are none."""
    return [path for path in folder.rglob("*.txt") if path.name != "classes.txt" and looks_like_yolo(path)]


def looks_like_yolo(path: Path) -> bool:
    """Whether a text file is empty, or begins with a class and four parts of a picture."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096).split()
    except OSError:
        return False
    if not first:
        return path.stat().st_size < 16
    return len(first) >= BOX and all(
        re.fullmatch(rb"[-+]?(\d+[.,]?\d*|\.\d+)(e[-+]?\d+)?", c) for c in first[:BOX]
    )


def _described(path: Path, data: dict[str, Any]) -> YoloSet:
    names, shape, flip, called = (data.get(key) for key in ("names", "kpt_shape", "flip_idx", "kpt_names"))
    if isinstance(names, list):
        names = dict(enumerate(names))
    if names is not None and not (isinstance(names, dict) and all(type(key) is int for key in names)):
        raise BlazeFaceError(f"{path}: names must be a list, or a mapping from whole numbers")
    points = None
    if shape is not None:
        if not (
            isinstance(shape, list)
            and len(shape) == 2
            and all(type(n) is int for n in shape)
            and shape[1] in (2, 3)
        ):
            raise BlazeFaceError(
                f"{path}: kpt_shape must be two numbers, of points and of numbers a point (2 or 3)"
            )
        points = (shape[0], shape[1])
    if isinstance(called, dict):
        called = next(iter(called.values()), None)
    point_names = [str(name) for name in called] if isinstance(called, list) else None
    if points and not point_names and flip is not None and flip != FLIPS.get(points[0], flip):
        raise BlazeFaceError(
            f"{path}: {points[0]} keypoints in another order than is known (flip_idx {flip}): kpt_names can name them"
        )
    return YoloSet({key: str(name) for key, name in (names or {}).items()}, points, point_names)


def _faces(path: Path, described: YoloSet) -> list[tuple[int, LabelledFace]]:
    if path.stat().st_size == 0:
        return []
    found = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            found.append(_face(path, number, line, described))
    return found


def _face(path: Path, number: int, line: str, described: YoloSet) -> tuple[int, LabelledFace]:
    try:
        values = [float(column.replace(",", ".")) for column in line.split()]
    except ValueError:
        values = []
    if len(values) < BOX or not all(map(math.isfinite, values)) or values[0] != int(values[0]) or values[0] < 0:
        raise BlazeFaceError(f"{path}:{number}: expected `class x y w h`, found {line.strip()[:80]!r}")
    x, y, width, height = values[1:BOX]
    if max(abs(v) for v in values[1:BOX]) > BEYOND:
        raise BlazeFaceError(f"{path}:{number}: x y w h must be parts of the picture, found {line.strip()[:80]!r}")
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    ignore = width <= 0 or height <= 0
    rest = values[BOX:]
    if not rest:
        return int(values[0]), LabelledFace(box, ignore)
    mapped, each = _points(path, number, len(rest), described)
    points = []
    for i in range(mapped.count):
        px, py, *seen = rest[i * each : (i + 1) * each]
        known = int(seen[0]) if seen else int(px >= 0 and py >= 0 and (px, py) != (0, 0))
        points.append((px, py, (2 if not seen and known else max(0, min(2, known)))))
    keypoints, visibility = mapped(points)
    return int(values[0]), LabelledFace(box, ignore, keypoints, visibility)


def _points(path: Path, number: int, count: int, described: YoloSet) -> tuple[PointMap, int]:
    """How the numbers behind a box are points, and how many numbers each has."""
    shape = described.points or ((5, 3) if count == 15 else None)
    if shape is None:
        # An even number may be an outline as well: nothing tells them apart.
        raise BlazeFaceError(
            f"{path}:{number}: {count} numbers behind the box: kpt_shape in data.yaml must say whether they are points"
            " ([5, 2], say)"
        )
    if shape[0] * shape[1] != count:
        raise BlazeFaceError(
            f"{path}:{number}: {count} numbers behind the box, where kpt_shape {list(shape)} takes {math.prod(shape)}"
        )
    mapped = map_points(described.point_names, shape[0])
    if isinstance(mapped, str):
        raise BlazeFaceError(f"{path}:{number}: {mapped}")
    return mapped, shape[1]
