"""The eight orientations, against EXIF's own words, and display matrices against the map that they stand for."""

import numpy as np
import pytest

from blazeface.sources.orientation import Orientation, of_display_matrix, of_rotation, upright

PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3, 1) * np.ones((1, 1, 3), np.uint8)
"""0 1 2 above 3 4 5."""

EXIF = {
    # EXIF 2.32, 4.6.4: where the stored row 0 and column 0 are seen
    1: [[0, 1, 2], [3, 4, 5]],  # top, left
    2: [[2, 1, 0], [5, 4, 3]],  # top, right
    3: [[5, 4, 3], [2, 1, 0]],  # bottom, right
    4: [[3, 4, 5], [0, 1, 2]],  # bottom, left
    5: [[0, 3], [1, 4], [2, 5]],  # left, top
    6: [[3, 0], [4, 1], [5, 2]],  # right, top
    7: [[5, 2], [4, 1], [3, 0]],  # right, bottom
    8: [[2, 5], [1, 4], [0, 3]],  # left, bottom
}


@pytest.mark.parametrize("number", EXIF)
def test_orientations_are_those_of_exif(number: int) -> None:
    turned = upright(PICTURE, number)
    assert turned[..., 0].tolist() == EXIF[number]
    assert turned.flags.c_contiguous
    assert Orientation(number).swaps_sides == (turned.shape[:2] == (3, 2))


@pytest.mark.parametrize("number", EXIF)
def test_a_display_matrix_moves_every_point_where_its_orientation_puts_it(number: int) -> None:
    """By the definition: x' = a x + c y, y' = b x + d y, then moved so that no point is negative."""
    a, b, c, d = {
        1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
        5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
    }[number]  # fmt: skip
    places = {(x, y): (a * x + c * y, b * x + d * y) for x in range(3) for y in range(2)}
    left, top = min(x for x, _ in places.values()), min(y for _, y in places.values())
    matrix = np.array([[a, b, 0], [c, d, 0], [left, top, 1]], np.float64)
    assert of_display_matrix(matrix) == number
    assert of_display_matrix(matrix + 0.1) == number  # the nearest
    turned = upright(PICTURE, number)
    for (x, y), (new_x, new_y) in places.items():
        assert turned[new_y - top, new_x - left, 0] == PICTURE[y, x, 0]


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (270, 3), (-180, 2)])
def test_rotations_are_against_the_clock(degrees: int, turns: int) -> None:
    assert (upright(PICTURE, of_rotation(degrees)) == np.rot90(PICTURE, turns)).all()
