"""What every reader of labels gives, and what they all need: text, names of pictures, numbers within bounds."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import PICTURE_SUFFIXES
from blazeface.files.staged import require_regular_file

LARGEST = 1e6
"""No coordinate in a picture lies further out; NaN is not within it either."""

NO_POINTS = ((0.0, 0.0),) * 6

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


Say = Callable[[str], None]
"""What takes a sentence for the user."""


def unsaid(_: str) -> None:
    """For a caller who wants no sentence."""


class NoLabels(BlazeFaceError):
    """The data folder has no labels of the split that was asked for."""


@dataclass(frozen=True)
class LabelledFace:
    """One label: box x1 y1 x2 y2 and six keypoints in pixels, visibility per keypoint as in `Sample`, ignore flag."""

    box: tuple[float, float, float, float]
    ignore: bool
    keypoints: tuple[tuple[float, float], ...] = NO_POINTS
    visibility: tuple[int, ...] = field(default=(0,) * 6)


@dataclass(frozen=True)
class Listed:
    """One picture of a label file.

    name: of the picture, as the labels have it, with / between folders. size: (width, height) in pixels that the labels
    say the picture has, None where they say nothing. relative: boxes and points are in parts of width and height, not
    in pixels.
    """

    name: str
    faces: list[LabelledFace]
    size: tuple[int, int] | None = None
    relative: bool = False


def read_text(path: Path) -> str:
    """A label file as text, lines ended by "\\n". Raises BlazeFaceError with the line of a byte that is no UTF-8."""
    require_regular_file(str(path))
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig")
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BlazeFaceError(f"{path}:{line}: not UTF-8 text: {error.reason}; save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def picture_name(name: str) -> str:
    """A picture's name as labels have it, with / between folders, and without ./ before it.

    Labels written on Windows have backslashes; a file whose own name holds one is not found by labels.
    """
    cleaned = name.replace("\\", "/")
    while cleaned.startswith("./"):
        cleaned = cleaned[2:].lstrip("/")
    return cleaned


def one_spelling(name: str) -> str:
    """A name with its accents in one form (NFC), whichever of Unicode's the file or the labels have."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_absolute(name: str) -> bool:
    """Whether a name with / between folders begins at the root of a disk, here or on Windows."""
    return PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).drive)


def leaves_its_folder(name: str) -> bool:
    """Whether a name with / between folders leads out of the folder that it is looked for in."""
    return is_absolute(name) or climbs(name)


def climbs(name: str) -> bool:
    """Whether a name with / between folders has a .. in it."""
    return ".." in name.split("/")


def names_a_picture(line: str) -> bool:
    """Whether a line of text ends like the name of a picture."""
    return PurePosixPath(line.strip()).suffix.lower() in PICTURE_SUFFIXES


def refuse_parts(labels: Path, listed: Sequence[Listed]) -> None:
    """Raise BlazeFaceError for labels in parts of the pictures where pixels are read: all would be specks in a corner."""
    boxes = [face.box for each in listed if not each.relative for face in each.faces if not face.ignore]
    if boxes and all(0 <= value <= 1.001 for box in boxes for value in box):
        raise BlazeFaceError(
            f"{labels}: all boxes lie between 0 and 1: parts of the picture are not read, pixels are"
        )


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """The size that labels claim; None for what tools write where they do not know it: nothing, 0 or -1."""
    sides = []
    for side in (width, height):
        try:
            number = float(side)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return None
        if isinstance(side, bool) or not 1 <= number <= LARGEST:
            return None
        sides.append(round(number))
    return sides[0], sides[1]
