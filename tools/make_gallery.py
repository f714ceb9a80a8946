"""Lay photographs in the public domain out as a wall of framed pictures: data/pictures/gallery.jpg.

    python tools/make_gallery.py FOLDER

FOLDER holds the photographs under the names in PHOTOGRAPHS; data/README.md says where each is from. Sizes, places and angles
follow from a seed, so that the same photographs make the same picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

GALLERY = Path(__file__).parents[1] / "data" / "pictures" / "gallery.jpg"

PHOTOGRAPHS = {
    "astronaut.png": (96, 0, 360, 300),
    "grace_hopper.jpg": (66, 10, 450, 440),
    "obama.jpg": (250, 0, 750, 560),
    "obama2.jpg": (120, 110, 600, 650),
    "obama3.jpg": (440, 110, 1040, 780),
    "biden.jpg": (240, 40, 800, 670),
}
"""Head and shoulders in each photograph: x1, y1, x2, y2 in its pixels."""

SIZE = (1280, 640)
"""Width and height of the wall."""
WALL = (206, 214, 219)
"""Its colour, BGR."""
WIDTHS = (232, 214, 196, 178, 160, 144, 128, 112, 100, 90, 80) + 9 * (70,) + 16 * (58,) + 26 * (46,) + 30 * (36,)
"""Widths of the pictures in pixels, frame and all, in the order in which they are hung."""
LARGEST_ANGLE = 24.0
"""Degrees by which a small picture may hang crooked; the larger, the straighter."""
SEED = 5

Image = NDArray[np.uint8]


def framed(photograph: Image, width: int) -> Image:
    """The photograph at that width, with a white mount of a twentieth and a dark frame."""
    height = round(width * photograph.shape[0] / photograph.shape[1])
    mount, frame = max(width // 20, 1), max(width // 40, 1)
    inner = (width - 2 * (mount + frame), height - 2 * (mount + frame))
    small = cv2.resize(photograph, inner, interpolation=cv2.INTER_AREA)
    small = cv2.copyMakeBorder(small, mount, mount, mount, mount, cv2.BORDER_CONSTANT, value=(250, 250, 250))
    return cv2.copyMakeBorder(small, frame, frame, frame, frame, cv2.BORDER_CONSTANT, value=(38, 44, 52)).astype(
        np.uint8
    )


def hang(wall: Image, taken: Image, picture: Image, angle: float, rng: np.random.Generator) -> bool:
    """Draw a picture where no other hangs, turned by an angle in degrees, with its shadow. False: no room is left."""
    height, width = picture.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1), np.float64)
    reach = np.abs(matrix[:, :2]) @ np.array([width, height])
    span_x, span_y = (int(np.ceil(side)) + 6 for side in reach)
    matrix[:, 2] = matrix[:, 2] + np.array([span_x - width, span_y - height]) / 2
    turned = cv2.warpAffine(picture, matrix, (span_x, span_y), flags=cv2.INTER_LINEAR)
    alpha = cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, (span_x, span_y))
    for _ in range(4000):
        left = int(rng.integers(4, wall.shape[1] - span_x - 4))
        top = int(rng.integers(4, wall.shape[0] - span_y - 4))
        if not taken[top : top + span_y, left : left + span_x].any():
            break
    else:
        return False
    taken[top : top + span_y, left : left + span_x] = 1
    place = wall[top : top + span_y, left : left + span_x]
    shadow = cv2.GaussianBlur(np.roll(alpha, (3, 3), (0, 1)), (0, 0), 2.5)[..., None] / 255 * 0.4
    cover = alpha[..., None] / 255
    place[:] = np.round(place * (1 - shadow) * (1 - cover) + turned * cover).astype(np.uint8)
    return True


def gallery(folder: Path) -> tuple[Image, int]:
    """The wall, and how many pictures hang there."""
    photographs = []
    for name, (x1, y1, x2, y2) in PHOTOGRAPHS.items():
        image = cv2.imread(str(folder / name))
        if image is None:
            sys.exit(f"{folder / name}: missing or not a picture")
        photographs.append(image[y1:y2, x1:x2].astype(np.uint8))
    rng = np.random.default_rng(SEED)
    wall = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    wall[:] = WALL
    taken = np.zeros(wall.shape[:2], np.uint8)
    hung = 0
    for index, width in enumerate(WIDTHS):
        crooked = LARGEST_ANGLE * (1 - width / max(WIDTHS))
        picture = framed(photographs[index % len(photographs)], width)
        hung += int(hang(wall, taken, picture, float(rng.uniform(-crooked, crooked)), rng))
    return wall, hung


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER")
    made, count = gallery(Path(sys.argv[1]))
    cv2.imwrite(str(GALLERY), made, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{count} pictures on the wall")
