"""The contact sheet of a covered run: a small picture of each person, the least sure first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from blazeface.files.names import printable
from blazeface.geometry import Image
from blazeface.privacy.log import THUMBNAIL

COLUMNS, MOST = 6, 600
"""Tiles in a row, and in a sheet: the rest is in the report alone."""

TILE_WIDTH, TILE_HEIGHT, HEADER = 262, THUMBNAIL + 12, 30
DARK, LIGHT, GREY, WARNING = (24, 24, 24), (240, 240, 240), (170, 170, 170), (60, 170, 255)  # BGR
FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(report: Mapping[str, Any], thumbnails: Mapping[int, Image], title: str) -> Image:
    """A BGR picture of all people of a report (see `report.report_of`), with what there is to look at in orange."""
    moments: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for moment in report["look_at"]:
        moments[moment["number"]].append(moment)
    people = [(person, source["source"]) for source in report["sources"] for person in source["people"]]
    order = {number: place for place, number in enumerate(moments)}
    people.sort(key=lambda entry: order.get(entry[0]["number"], len(order) + entry[0]["number"]))
    shown = people[:MOST]
    rows = max(1, -(-len(shown) // COLUMNS))
    sheet = np.full((HEADER + rows * TILE_HEIGHT, COLUMNS * TILE_WIDTH, 3), DARK, np.uint8)
    left_out = f" ({len(people) - len(shown)} more in the report)" if len(shown) < len(people) else ""
    _write(sheet, f"{title}{left_out}", 8, 20, LIGHT, 0.5)
    for place, (person, source) in enumerate(shown):
        top, left = HEADER + place // COLUMNS * TILE_HEIGHT, place % COLUMNS * TILE_WIDTH
        tile = sheet[top : top + TILE_HEIGHT, left : left + TILE_WIDTH]
        _draw(tile, person, source, thumbnails.get(person["number"]), moments[person["number"]])
    return sheet


def _draw(
    tile: Image,
    person: Mapping[str, Any],
    source: str,
    picture: Image | None,
    moments: Sequence[Mapping[str, Any]],
) -> None:
    if picture is None:
        cv2.rectangle(tile, (4, 4), (4 + THUMBNAIL - 1, 4 + THUMBNAIL - 1), GREY, 1)
    else:
        tile[4 : 4 + THUMBNAIL, 4 : 4 + THUMBNAIL] = picture
    left = THUMBNAIL + 12
    _write(tile, f"{person['number']}", left, 22, LIGHT, 0.6)
    lines = [(_span(person["from"], person["to"]), GREY), (_short(source), GREY)]
    lines += [(f"seen {person['seen']}", GREY), (f"bridged {person['bridged']}, held {person['held']}", GREY)]
    lines += [(_span(m["from"], m["to"], m["why"]), WARNING) for m in moments[:1]]
    for row, (text, color) in enumerate(lines):
        _write(tile, text, left, 38 + 14 * row, color, 0.32)
    if moments:
        cv2.rectangle(tile, (2, 2), (5 + THUMBNAIL, 5 + THUMBNAIL), WARNING, 2)


def _span(start: float, end: float, why: str = "") -> str:
    if why:
        return f"{clock(start)} {why.split(':')[0].replace('in the middle of the picture', 'mid-picture')}"
    return clock(start) if end - start < 0.05 else f"{clock(start)} - {clock(end)}"


def clock(seconds: float) -> str:
    """Seconds as 1:05.2, hours as 2:01:05.2."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _short(name: str) -> str:
    text = printable(name).encode("ascii", "replace").decode("ascii")
    return text if len(text) <= 20 else f"...{text[-17:]}"


def _write(image: Image, text: str, x: int, y: int, color: tuple[int, int, int], scale: float) -> None:
    cv2.putText(image, text, (x, y), FONT, scale, color, 1, cv2.LINE_AA)
