"""Reader for COCO keypoints JSON: the richer form of the same labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from blazeface.data.wider import LARGEST, WiderFace, read_text
from blazeface.errors import BlazeFaceError
from blazeface.spec import KEYPOINT_NAMES


def read_coco(path: Path) -> list[tuple[str, list[WiderFace]]]:
    """Each picture's name and its faces, in the file's order; pictures without a face are listed too.

    `bbox` is x y w h; `iscrowd` marks an ignore region; `keypoints`, which may be missing, holds
    x y visibility for the six points in BlazeFace's order.

    Raises BlazeFaceError naming the file and the entry (annotation 17, say) that is malformed.
    """
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
    pictures: dict[int | str, tuple[str, list[WiderFace]]] = {}
    for position, image in enumerate(_entries(path, data, "images")):
        key = _image_key(path, position, image)
        if key in pictures:
            raise BlazeFaceError(f"{path}: image {position} repeats the id {key!r}")
        pictures[key] = (image["file_name"], [])
    for position, annotation in enumerate(_entries(path, data, "annotations")):
        key = annotation.get("image_id", "")
        if not isinstance(key, (int, str)) or key not in pictures:
            raise BlazeFaceError(f"{path}: annotation {position} belongs to no image: image_id {key!r}")
        pictures[key][1].append(_face(path, position, annotation))
    return list(pictures.values())


def _entries(path: Path, data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = data.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BlazeFaceError(f"{path}: expected a list of objects under {key!r}")
    return entries


def _image_key(path: Path, position: int, image: dict[str, Any]) -> int | str:
    name, key = image.get("file_name"), image.get("id")
    if not isinstance(name, str) or not isinstance(key, (int, str)):
        raise BlazeFaceError(f"{path}: image {position} lacks an id or a file_name")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BlazeFaceError(f"{path}: the name of image {position} leaves its folder: {name!r}")
    return key


def _face(path: Path, position: int, annotation: dict[str, Any]) -> WiderFace:
    x, y, width, height = _numbers(path, position, annotation, "bbox", 4)
    ignore = bool(annotation.get("iscrowd", 0)) or width <= 0 or height <= 0
    box = (x, y, x + width, y + height)
    if "keypoints" not in annotation:
        return WiderFace(box, ignore)
    flat = _numbers(path, position, annotation, "keypoints", 3 * len(KEYPOINT_NAMES))
    points = tuple(zip(flat[0::3], flat[1::3], strict=True))
    return WiderFace(box, ignore, points, tuple(min(max(int(v), 0), 2) for v in flat[2::3]))


def _numbers(path: Path, position: int, annotation: dict[str, Any], key: str, count: int) -> list[float]:
    values = annotation.get(key)
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(type(value) in (int, float) and abs(value) <= LARGEST for value in values)
    ):
        raise BlazeFaceError(f"{path}: annotation {position}: {key} must be {count} numbers within a million")
    return [float(value) for value in values]
