"""Reader for Pascal VOC: an XML file a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from blazeface.data.formats.categories import face_categories
from blazeface.data.labels import (
    LARGEST,
    LabelledFace,
    Listed,
    Say,
    leaves_its_folder,
    picture_name,
    read_text,
    size_of,
    unsaid,
)
from blazeface.errors import BlazeFaceError

CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class _Object:
    category: str
    face: LabelledFace


def read_voc(paths: Sequence[Path], below: Path, wanted: Sequence[str] = (), say: Say = unsaid) -> list[Listed]:
    """The pictures and their faces, a file each, in the given order.

    A box is xmin ymin xmax ymax in pixels, taken as the edges of the box; `difficult` marks an ignore region. The picture
    has the name of the XML file's `filename`, in the XML file's own folder below `below`. Of several names of objects,
    those of `face_categories` are read.

    Raises BlazeFaceError naming the file and what is malformed in it.
    """
    read = [_picture(path, below) for path in paths]
    names = [each.category for _, objects in read for each in objects]
    chosen = face_categories(names, wanted, str(below), say)
    return [
        Listed(listed.name, [each.face for each in objects if each.category in chosen], listed.size)
        for listed, objects in read
    ]


def _picture(path: Path, below: Path) -> tuple[Listed, list[_Object]]:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BlazeFaceError(f"{path}: XML with a document type of its own is not read")
    try:
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise BlazeFaceError(f"{path}:{error.position[0]}: not valid XML: {error}") from error
    if root.tag != "annotation":
        raise BlazeFaceError(f"{path}: expected <annotation>, found <{root.tag[:40]}>")
    name = picture_name((root.findtext("filename") or "").strip()).split("/")[-1] or f"{path.stem}.jpg"
    folder = path.parent.relative_to(below).as_posix()
    whole = name if folder == "." else f"{folder}/{name}"
    if leaves_its_folder(whole):
        raise BlazeFaceError(f"{path}: the picture's name leaves its folder: {name!r}")
    size = size_of(root.findtext("size/width"), root.findtext("size/height"))
    objects = [_object(path, number, element) for number, element in enumerate(root.findall("object"))]
    return Listed(whole, [], size), objects


def _object(path: Path, number: int, element: ElementTree.Element) -> _Object:
    texts = [element.findtext(f"bndbox/{corner}") for corner in CORNERS]
    try:
        x1, y1, x2, y2 = (float(text) for text in texts if text is not None)
    except ValueError:
        x1 = x2 = y1 = y2 = float("nan")
    if not all(abs(value) <= LARGEST for value in (x1, y1, x2, y2)):
        raise BlazeFaceError(
            f"{path}: object {number}: bndbox must have {', '.join(CORNERS)}, numbers within a million"
        )
    ignore = (element.findtext("difficult") or "0").strip() not in ("0", "") or x2 <= x1 or y2 <= y1
    return _Object((element.findtext("name") or "").strip(), LabelledFace((x1, y1, x2, y2), ignore))
