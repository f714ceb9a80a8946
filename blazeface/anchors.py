"""Anchor centres and sizes from the anchor_map of a ModelSpec."""

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
    for anchor_map in anchor_maps:
        middle = (np.arange(anchor_map.cells, dtype=np.float32) + 0.5) / anchor_map.cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        cells = np.stack([x, y], axis=-1).reshape(-1, 2)
        parts.append(np.repeat(cells, len(anchor_map.sizes), axis=0))
    return np.concatenate(parts)


def anchor_sizes(anchor_maps: tuple[AnchorMap, ...]) -> NDArray[np.float32]:
    """Side length of each (square) anchor: (A,) float32, in units of the input side, same order."""
    parts = [
        np.tile(np.asarray(anchor_map.sizes, np.float32), anchor_map.cells * anchor_map.cells)
        for anchor_map in anchor_maps
    ]
    return np.concatenate(parts)
