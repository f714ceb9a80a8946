"""Reader for WIDER FACE's own annotation text."""

from __future__ import annotations

from pathlib import Path

from blazeface.data.labels import (
    LARGEST,
    LabelledFace,
    Listed,
    leaves_its_folder,
    names_a_picture,
    picture_name,
    read_text,
)
from blazeface.errors import BlazeFaceError

COLUMNS = "x y w h blur expression illumination invalid occlusion pose"

INVALID = 7
"""Column of the flag that takes a face out of training and scoring."""

Line = tuple[int, str]


def read_wider(path: Path) -> list[Listed]:
    """The pictures and their faces, in the file's order.

    The format: a line with the picture's name, a line with the number of faces, then one line a
    face (`x y w h` and six attributes). A picture without a face may have one line of zeros. A box with an
    empty side, of which WIDER has some, becomes an ignore region. Blank lines are passed over.

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    text = read_text(path).split("\n")
    lines = [(number, line.strip()) for number, line in enumerate(text, 1) if line.strip()]
    end = (len(text) + 1, "the end of the file")
    pictures: list[Listed] = []
    position = 0
    while position < len(lines):
        number, given = lines[position]
        name = picture_name(given)
        if leaves_its_folder(name):
            raise BlazeFaceError(f"{path}:{number}: the picture's name leaves its folder: {name!r}")
        if pictures and _numbers(given) is not None:
            before = pictures[-1]
            raise BlazeFaceError(
                f"{path}:{number}: expected a picture's name, found {given[:80]!r}:"
                f" {before.name!r} has more lines than its count of {len(before.faces)}"
            )
        position += 1
        count = _count(path, lines[position] if position < len(lines) else end, name)
        position += 1
        if count == 0 and position < len(lines) and _is_placeholder(lines[position]):
            position += 1
        faces = []
        for _ in range(count):
            faces.append(_face(path, lines[position] if position < len(lines) else end))
            position += 1
        pictures.append(Listed(name, faces))
    return pictures


def looks_like_wider(text: str) -> bool:
    """Whether the beginning of a text is WIDER's: a name, and the number of its faces."""
    lines = [line.strip() for line in text.split("\n") if line.strip()][:2]
    return len(lines) == 2 and names_a_picture(lines[0]) and lines[1].isascii() and lines[1].isdigit()


def _count(path: Path, line: Line, name: str) -> int:
    number, text = line
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BlazeFaceError(f"{path}:{number}: expected the number of faces of {name!r}, found {text[:80]!r}")
    return int(text)


def _is_placeholder(line: Line) -> bool:
    """Whether a line is the zeros that stand for "no face"."""
    numbers = _numbers(line[1])
    return numbers is not None and not any(numbers)


def _face(path: Path, line: Line) -> LabelledFace:
    number, text = line
    numbers = _numbers(text)
    if numbers is None or not all(abs(n) <= LARGEST for n in numbers):
        raise BlazeFaceError(f"{path}:{number}: expected `{COLUMNS}` (or just x y w h), found {text[:80]!r}")
    x, y, width, height = numbers[:4]
    flagged = len(numbers) > INVALID and numbers[INVALID] != 0
    return LabelledFace((x, y, x + width, y + height), ignore=flagged or width <= 0 or height <= 0)


def _numbers(text: str) -> list[float] | None:
    """The numbers of a face's line: four, or all columns; None for another line."""
    columns = text.split()
    if len(columns) not in (4, len(COLUMNS.split())):
        return None
    try:
        return [float(column) for column in columns]
    except ValueError:
        return None
