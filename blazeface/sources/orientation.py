"""Turning and mirroring pictures as containers and EXIF ask for: the eight ways to lay a picture on its sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image


class Orientation(int):
    """One of the eight orientations, numbered as in EXIF (CIPA DC-008, tag 274): 1 is upright.

    2 mirrored left to right, 3 turned by 180 degrees, 4 mirrored top to bottom, 5 transposed, 6 to be turned by 90
    degrees clockwise, 7 transposed along the other diagonal, 8 to be turned by 90 degrees against the clock.
    """

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self >= 5


def of_rotation(degrees: float) -> Orientation:
    """The orientation of a picture that is to be turned by so many degrees against the clock."""
    return Orientation((1, 8, 3, 6)[round(degrees / 90) % 4])


def of_display_matrix(matrix: NDArray[np.float64]) -> Orientation:
    """The orientation nearest to a display matrix (3, 3) (ISO/IEC 14496-12, 8.3.2).

    A point (x, y) of the stored picture is shown at (a x + c y, b x + d y); a, b lead the first row, c, d the second.
    """
    (a, b), (c, d) = matrix[:2, :2]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation({(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}[a < 0, d < 0])
    return Orientation({(False, False): 5, (True, False): 6, (True, True): 7, (False, True): 8}[c < 0, b < 0])


def upright(image: Image, orientation: int) -> Image:
    """A picture (H, W, 3) turned and mirrored as its orientation asks; (W, H, 3) where that swaps the sides."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
