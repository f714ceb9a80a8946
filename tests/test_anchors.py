"""Anchors, against literal values."""

from __future__ import annotations

import numpy as np
import pytest

from blazeface.anchors import anchor_centers, anchor_sizes
from blazeface.spec import FRONT_128, AnchorMap


def test_the_896_anchors() -> None:
    centers, sizes = anchor_centers(FRONT_128.anchor_maps), anchor_sizes(FRONT_128.anchor_maps)
    assert centers.shape == (896, 2)
    assert sizes.shape == (896,)
    assert centers.dtype == sizes.dtype == np.float32
    assert centers[0].tolist() == centers[1].tolist() == [1 / 32, 1 / 32]
    assert centers[2].tolist() == [3 / 32, 1 / 32]  # along the row first
    assert centers[32].tolist() == [1 / 32, 3 / 32]
    assert centers[511].tolist() == [31 / 32, 31 / 32]
    assert (centers[512:518] == 1 / 16).all()  # six on the first cell of the second map
    assert centers[518].tolist() == [3 / 16, 1 / 16]
    assert centers[895].tolist() == [15 / 16, 15 / 16]
    assert (sizes[:2] * 128).tolist() == pytest.approx([9, 18])
    assert (sizes[512:518] * 128).tolist() == pytest.approx([28, 38, 50, 66, 86, 110])


def test_an_input_of_another_shape_has_more_or_fewer_cells_of_the_same_size() -> None:
    maps = FRONT_128.anchor_maps
    wide = anchor_centers(maps, 96 / 128, 176 / 128)
    assert len(wide) == len(anchor_sizes(maps, 96 / 128, 176 / 128)) == 2 * 12 * 22 + 6 * 6 * 11
    square = anchor_centers(maps)
    assert wide[:32].tolist() == square[:32].tolist()  # the first row goes on to the right
    assert wide[2 * 22].tolist() == square[32].tolist()
    assert wide[2 * 12 * 22].tolist() == square[512].tolist()


def test_against_loops() -> None:
    maps = (AnchorMap(3, (0.1, 0.2)), AnchorMap(2, (0.5,)))
    expected = []
    for grid in maps:
        for row in range(grid.cells):
            for column in range(grid.cells):
                for size in grid.sizes:
                    expected.append([(column + 0.5) / grid.cells, (row + 0.5) / grid.cells, size])
    assert np.allclose(anchor_centers(maps), np.array(expected)[:, :2])
    assert np.allclose(anchor_sizes(maps), np.array(expected)[:, 2])
