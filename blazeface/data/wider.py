"""Reader for WIDER FACE's own annotation text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import require_regular_file

COLUMNS = "x y w h blur expression illumination invalid occlusion pose"
LARGEST = 1e6
"""No coordinate in a picture lies further out; NaN is not within it either."""

INVALID = 7
"""Column of the flag that takes a face out of training and scoring."""

NO_POINTS = ((0.0, 0.0),) * 6


@dataclass(frozen=True)
class WiderFace:
    """One label: box x1 y1 x2 y2 and six keypoints in pixels, visibility per keypoint, ignore flag."""

    box: tuple[float, float, float, float]
    ignore: bool
    keypoints: tuple[tuple[float, float], ...] = NO_POINTS
    visibility: tuple[int, ...] = field(default=(0,) * 6)


def read_wider(path: Path) -> list[tuple[str, list[WiderFace]]]:
    """Each picture's name and its faces, in the file's order.

    The format: a line with the picture's name, a line with the number of faces, then one line a
    face (`x y w h` and six attributes). A picture without a face has one line of zeros. A box with an
    empty side, of which WIDER has some, becomes an ignore region.

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    lines = read_text(path).split("\n")
    pictures: list[tuple[str, list[WiderFace]]] = []
    position = 0
    while position < len(lines):
        name = lines[position].strip()
        position += 1
        if not name:
            continue
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BlazeFaceError(f"{path}:{position}: the picture's name leaves its folder: {name!r}")
        count = _count(path, lines, position, name)
        position += 1
        # WIDER writes a placeholder line of zeros for "no face".
        rows = range(position, position + max(count, 1 if _is_placeholder(lines, position) else 0))
        faces = [_face(path, lines, row) for row in rows]
        pictures.append((name, faces if count else []))
        position += len(rows)
    return pictures


def read_text(path: Path) -> str:
    """A label file as text, lines ended by "\\n". Raises BlazeFaceError with the line of a byte that is no UTF-8."""
    require_regular_file(str(path))
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BlazeFaceError(f"{path}:{line}: not UTF-8 text: {error.reason}") from error


def _count(path: Path, lines: list[str], row: int, name: str) -> int:
    text = lines[row].strip() if row < len(lines) else "the end of the file"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BlazeFaceError(f"{path}:{row + 1}: expected the number of faces of {name!r}, found {text[:80]!r}")
    return int(text)


def _is_placeholder(lines: list[str], row: int) -> bool:
    return row < len(lines) and lines[row].split() == ["0"] * len(COLUMNS.split())


def _face(path: Path, lines: list[str], row: int) -> WiderFace:
    text = lines[row].strip() if row < len(lines) else "the end of the file"
    try:
        numbers = [float(column) for column in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, len(COLUMNS.split())) or not all(abs(n) <= LARGEST for n in numbers):
        raise BlazeFaceError(f"{path}:{row + 1}: expected `{COLUMNS}` (or just x y w h), found {text[:80]!r}")
    x, y, width, height = numbers[:4]
    flagged = len(numbers) > INVALID and numbers[INVALID] == 1
    return WiderFace((x, y, x + width, y + height), ignore=flagged or width <= 0 or height <= 0)
