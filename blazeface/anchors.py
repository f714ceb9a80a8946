"""Anchor centres and sizes from the grid of a ModelSpec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blazeface.spec import AnchorMap


def anchor_centers(anchor_maps: tuple[AnchorMap, ...]) -> NDArray[np.float32]:
    """Centres of all anchors: (A, 2) float32, x y in units of the input side.

    The order is that of the network's output: map by map, row by row, cell by cell, and within a
    cell one entry per anchor. All anchors of a cell lie on the cell's centre.
    """
    parts = []
    for grid in anchor_maps:
        middle = (np.arange(grid.cells, dtype=np.float32) + 0.5) / grid.cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        cells = np.stack([x, y], axis=-1).reshape(-1, 2)
        parts.append(np.repeat(cells, len(grid.sizes), axis=0))
    return np.concatenate(parts)


def anchor_sizes(anchor_maps: tuple[AnchorMap, ...]) -> NDArray[np.float32]:
    """Side length of each (square) anchor: (A,) float32, in units of the input side, same order."""
    parts = [np.tile(np.asarray(grid.sizes, np.float32), grid.cells * grid.cells) for grid in anchor_maps]
    return np.concatenate(parts)
