"""Reader for COCO JSON: boxes, and keypoints by their names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

Key = int | str

PREDICTED = 1
"""Visibility, at most, of points in a file with scores: a detector wrote it."""


def read_coco(path: Path, wanted: Sequence[str] = (), say: Say = unsaid) -> list[Listed]:
    """The pictures and their faces, in the file's order; pictures without a face are listed too.

    `bbox` is x y w h in pixels; `iscrowd` (1, "1", true) marks an ignore region. `keypoints` holds x y visibility a point
    and may be empty, null or missing; which point is which follows from the category's list of names, where it has one:
    see `map_points`. Of several categories those of `face_categories` are read. `wanted`: the user's choice of these;
    say: takes a sentence about the choice where the user made none.

    Raises BlazeFaceError naming the file and the entry (annotation 17, say) that is malformed.
    """
    data = _parsed(path)
    pictures: dict[Key, Listed] = {}
    for position, image in enumerate(_entries(path, data, "images")):
        key = _key(image.get("id"))
        name = image.get("file_name")
        if not isinstance(name, str) or key is None:
            raise BlazeFaceError(f"{path}: image {position} lacks an id or a file_name")
        if climbs(name := picture_name(name)):
            raise BlazeFaceError(f"{path}: the name of image {position} leaves its folder: {name!r}")
        if key in pictures:
            raise BlazeFaceError(f"{path}: image {position} repeats the id {key!r}")
        pictures[key] = Listed(name, [], size_of(image.get("width"), image.get("height")))
    by_text = {str(key): listed for key, listed in pictures.items()}
    points = _Points(path, data, wanted, say)
    for position, annotation in enumerate(_entries(path, data, "annotations")):
        key = _key(annotation.get("image_id"))
        # Some tools write ids as numbers in one list and as text in the other.
        listed = None if key is None else pictures.get(key, by_text.get(str(key)))
        if listed is None:
            shown = annotation.get("image_id", "")
            raise BlazeFaceError(f"{path}: annotation {position} belongs to no image: image_id {shown!r}")
        if points.is_face(position, annotation):
            listed.faces.append(_face(path, position, annotation, points))
    return list(pictures.values())


class _Points:
    """What the categories of a file say: which of them are faces, and what their keypoints are called."""

    def __init__(self, path: Path, data: dict[str, Any], wanted: Sequence[str], say: Say):
        self._path = path
        self._maps: dict[tuple[Key | None, int], PointMap] = {}
        self._names: dict[Key, list[str]] = {}
        categories = data.get("categories") or []
        if not isinstance(categories, list) or not all(isinstance(entry, dict) for entry in categories):
            raise BlazeFaceError(f"{path}: expected a list of objects under 'categories'")
        called: dict[Key, str] = {}
        for entry in categories:
            key = _key(entry.get("id"))
            if key is None or not isinstance(entry.get("name"), str):
                raise BlazeFaceError(f"{path}: a category lacks an id or a name")
            called[key] = entry["name"]
            names = entry.get("keypoints")
            if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
                self._names[key] = names
        # Categories that no annotation uses leave no doubt (Roboflow's file begins with one).
        annotations = data.get("annotations")
        used = {_key(each.get("category_id")) for each in annotations or [] if isinstance(each, dict)}
        asked = {name.lower() for name in wanted}
        choice = {key: name for key, name in called.items() if key in used or name.lower() in asked}
        chosen = face_categories(choice.values(), wanted, str(path), say) if annotations else set()
        self._several = len(choice) > 1
        self._faces = {key for key, name in choice.items() if name in chosen}
        self._known = called.keys()

    def is_face(self, position: int, annotation: dict[str, Any]) -> bool:
        """Whether an annotation is one of a face. Raises BlazeFaceError where that cannot be told."""
        if not self._known:
            return True
        key = _key(annotation.get("category_id"))
        if key is None and not self._several:
            return True
        if key not in self._known:
            raise BlazeFaceError(
                f"{self._path}: annotation {position} has no known category: category_id"
                f" {annotation.get('category_id')!r}"
            )
        return key in self._faces

    def mapped(self, position: int, annotation: dict[str, Any], count: int) -> PointMap:
        """How the `count` points of an annotation become the six."""
        key = _key(annotation.get("category_id"))
        if key not in self._names and len(self._names) == 1 and not self._several:
            key = next(iter(self._names))
        if (key, count) not in self._maps:
            found = map_points(self._names.get(key) if key is not None else None, count)
            if isinstance(found, str):
                raise BlazeFaceError(f"{self._path}: annotation {position}: {found}")
            self._maps[key, count] = found
        return self._maps[key, count]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BlazeFaceError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except ValueError as error:
        raise BlazeFaceError(f"{path}: not valid JSON: a number of too many digits") from error
    except RecursionError as error:
        raise BlazeFaceError(f"{path}: not valid JSON: nested too deep") from error
    if not isinstance(data, dict):
        raise BlazeFaceError(f"{path}: expected a JSON object with images and annotations")
    return data


def _entries(path: Path, data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = data.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BlazeFaceError(f"{path}: expected a list of objects under {key!r}")
    return entries


def _key(value: object) -> Key | None:
    """An id as a whole number or text; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _face(path: Path, position: int, annotation: dict[str, Any], points: _Points) -> LabelledFace:
    x, y, width, height = _numbers(path, position, annotation, "bbox", 4)
    ignore = _flag(path, position, annotation.get("iscrowd")) or width <= 0 or height <= 0
    box = (x, y, x + width, y + height)
    given = annotation.get("keypoints")
    if given is None or given == []:
        return LabelledFace(box, ignore)
    count = len(given) if isinstance(given, list) else 0
    if count % 3 or not count:
        raise BlazeFaceError(f"{path}: annotation {position}: keypoints must be x y visibility a point")
    flat = _numbers(path, position, annotation, "keypoints", count)
    best = PREDICTED if "score" in annotation else 2
    triples = [
        (px, py, min(max(int(v), 0), best)) for px, py, v in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    keypoints, visibility = points.mapped(position, annotation, count // 3)(triples)
    return LabelledFace(box, ignore, keypoints, visibility)


def _flag(path: Path, position: int, value: object) -> bool:
    """`iscrowd`, which some tools write as text. Raises BlazeFaceError for what is neither yes nor no."""
    if isinstance(value, str):
        value = {"0": 0, "1": 1, "false": 0, "true": 1, "": 0}.get(value.lower(), value)
    if value is None or isinstance(value, (int, float)):
        return bool(value)
    raise BlazeFaceError(f"{path}: annotation {position}: iscrowd must be 0 or 1, not {value!r}")


def _numbers(path: Path, position: int, annotation: dict[str, Any], key: str, count: int) -> list[float]:
    values = annotation.get(key)
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(type(value) in (int, float) and abs(value) <= LARGEST for value in values)
    ):
        raise BlazeFaceError(f"{path}: annotation {position}: {key} must be {count} numbers within a million")
    return [float(value) for value in values]
