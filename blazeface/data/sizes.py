"""Labels held against the pictures: width, height and how a picture is turned.

Label tools differ: some see a photograph as it lies in the file, others upright as EXIF says; and pictures get shrunk after
they were labelled. What the labels say of width and height tells which; where they say nothing, boxes that lie in the one
and outside of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from blazeface.data.headers import ON_ITS_SIDE, UPRIGHT, Header, Size, read_headers
from blazeface.data.labels import LabelledFace, Listed
from blazeface.files.names import printable
from blazeface.spec import KEYPOINT_MIRROR

MIRRORED = (2, 4, 5, 7)
"""EXIF orientations (CIPA DC-008, 4.6.5, tag 274) that mirror."""

Outcome = Literal["same", "turned", "scaled", "other"]

BEYOND = 0.1
"""Sides of its box that a face may reach beyond the picture that it was labelled in."""

SENTENCES: dict[Outcome, str] = {
    "turned": "they are of the picture as it lies in its file, and were turned with it",
    "scaled": "it was made smaller or larger since, and they were scaled with it",
    "other": "they are not used, its faces are taken neither as faces nor as background",
}


def hold_all(listed: Sequence[Listed], paths: Sequence[Path], say: Callable[[str], None]) -> list[Listed]:
    """The labels in pixels of the upright pictures; see `held_against`. The first bytes of all pictures are read.

    say: takes a sentence for each kind of difference, with the first picture that has it, and one where pictures are turned
    by EXIF and nothing tells whether their labels are.
    """
    headers = read_headers(paths)
    pairs = list(zip(listed, headers, strict=True))
    told = evidence(pairs)
    lying = bool(told) and all(told)
    held = list(listed)
    first: dict[Outcome, tuple[int, Header]] = {}
    counts: Counter[Outcome] = Counter()
    for i, header in enumerate(headers):
        held[i], outcome = held_against(listed[i], header, lying)
        counts[outcome] += 1
        if header is not None:
            first.setdefault(outcome, (i, header))
    for outcome, sentence in SENTENCES.items():
        if outcome in first:
            i, header = first[outcome]
            say(
                f"{printable(str(paths[i]))} is {header.size[0]} x {header.size[1]} upright, its labels are of"
                f" {_by(listed[i].size or header.stored)}: {sentence} ({counts[outcome]:,} such pictures)"
            )
    if sentence := _unknown(pairs, paths, told):
        say(sentence)
    return held


def evidence(pairs: Iterable[tuple[Listed, Header | None]]) -> list[bool]:
    """For each picture that EXIF lays on its side and that tells: whether its labels are of the pixels as they lie in the file.

    Width and height in the labels tell; where there are none, faces that lie in the picture one way and not the other.
    """
    told = []
    for listed, header in pairs:
        if header is None or header.orientation not in ON_ITS_SIDE or listed.relative:
            continue
        fits = _fits if listed.size is None else _claims
        as_stored, as_upright = fits(listed, header.stored), fits(listed, header.size)
        if as_stored != as_upright:
            told.append(as_stored)
    return told


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
    own = listed.size or (header.stored if lying else header.size)
    if own == header.size and (header.orientation == UPRIGHT or not lying):
        return listed, "same"
    ways = [(header.size, UPRIGHT), (header.stored, header.orientation)]
    for stored, orientation in reversed(ways) if lying else ways:
        if _alike(own, stored) and (listed.size is None or _within(listed, own)):
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


def _unknown(pairs: Sequence[tuple[Listed, Header | None]], paths: Sequence[Path], told: Sequence[bool]) -> str:
    """A sentence where labels name no size, EXIF turns their pictures, and nothing tells which way they were drawn, or some were
    drawn one way and some the other; otherwise nothing."""
    turned = [
        i
        for i, (listed, header) in enumerate(pairs)
        if header and header.orientation != UPRIGHT and listed.size is None and listed.faces
    ]
    if not turned or (told and (all(told) or not any(told))):
        return ""
    why = (
        "some are of the pictures as they lie in their files and some not"
        if told
        else "their labels do not say which way"
    )
    return (
        f"{len(turned):,} pictures are turned by EXIF, {printable(str(paths[turned[0]]))} for one, and {why}: they are taken as"
        " labels of the upright pictures; blazeface data check ROOT --out FOLDER shows them in turned.png"
    )


def _by(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _claims(listed: Listed, size: Size) -> bool:
    return listed.size is not None and _alike(listed.size, size)


def _fits(listed: Listed, size: Size) -> bool:
    """Whether the faces lie in a picture of that size."""
    for face in listed.faces:
        x1, y1, x2, y2 = face.box
        free = BEYOND * max(x2 - x1, y2 - y1)
        if not face.ignore and not (x1 >= -free and y1 >= -free and x2 <= size[0] + free and y2 <= size[1] + free):
            return False
    return True


def _alike(own: Size, size: Size) -> bool:
    """Whether one size is the other, larger or smaller, within the rounding of a pixel."""
    scale = size[0] / own[0] if own[0] >= own[1] else size[1] / own[1]
    return all(abs(a * scale - b) <= max(1.0, scale) for a, b in zip(own, size, strict=True))


def _within(listed: Listed, own: Size) -> bool:
    """Whether the faces lie in a picture of that size: labels of a larger one do not."""
    middles = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in listed.faces if not f.ignore]
    return all(0 <= x <= own[0] and 0 <= y <= own[1] for x, y in middles)
