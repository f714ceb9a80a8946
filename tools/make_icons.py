"""Draw the icons of the phone page: a face's six points in the corners of a box.

python tools/make_icons.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[1] / "blazeface" / "web" / "page" / "icons"

SIDE = 2048
"""Drawn so large, then scaled down, which smooths the edges."""

PAPER, INK = (29, 22, 20), (76, 138, 255)  # BGR


def draw(fill: float, rounded: bool) -> NDArray[np.uint8]:
    """The icon, BGRA, SIDE x SIDE; the drawing takes `fill` of it, and outside of round corners it is transparent."""
    image = np.zeros((SIDE, SIDE, 4), np.uint8)
    paper = (*PAPER, 255)
    if rounded:
        radius = SIDE // 5
        cv2.rectangle(image, (radius, 0), (SIDE - radius, SIDE), paper, -1)
        cv2.rectangle(image, (0, radius), (SIDE, SIDE - radius), paper, -1)
        for x in (radius, SIDE - radius - 1):
            for y in (radius, SIDE - radius - 1):
                cv2.circle(image, (x, y), radius, paper, -1)
    else:
        image[:] = paper

    def place(x: float, y: float) -> tuple[int, int]:
        """From a square of -1 to 1 into the drawing's part of the icon."""
        return round(SIDE / 2 * (1 + fill * x)), round(SIDE / 2 * (1 + fill * y))

    ink, width = (*INK, 255), round(SIDE * fill * 0.075)
    for x in (-1, 1):
        for y in (-1, 1):
            for end in (place(x * 0.45, y), place(x, y * 0.45)):
                cv2.line(image, place(x, y), end, ink, width, cv2.LINE_AA)
    for across, down, radius_ in ((-0.38, -0.2, 0.13), (0.38, -0.2, 0.13), (0, 0.14, 0.1)):
        cv2.circle(image, place(across, down), round(SIDE / 2 * fill * radius_), ink, -1, cv2.LINE_AA)
    mouth = round(SIDE / 2 * fill * 0.45)
    cv2.ellipse(image, place(0, 0.2), (mouth, mouth), 0, 35, 145, ink, width, cv2.LINE_AA)
    return image


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, side, fill, rounded in (
        ("icon-192", 192, 0.6, True),
        ("icon-512", 512, 0.6, True),
        ("icon-180", 180, 0.6, False),  # iOS rounds it itself
        ("maskable-512", 512, 0.48, False),  # Android cuts away up to a fifth on each side
    ):
        icon = cv2.resize(draw(fill, rounded), (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(FOLDER / f"{name}.png"), icon, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
