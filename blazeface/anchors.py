"""Anchor centres and sizes from the anchor maps of a ModelSpec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blazeface.spec import AnchorMap


def anchor_centers(
    anchor_maps: tuple[AnchorMap, ...], height: float = 1.0, width: float = 1.0
) -> NDArray[np.float32]:
    """Centres of all anchors: (A, 2) float32, x y in units of the input side.

    height, width: of the input, in units of the square input's side; a map then has as many times its cells in that
    direction. The order is that of the network's output: map by map, row by row, cell by cell, and within a
    cell one entry per anchor. All anchors of a cell lie on the cell's centre.
    """
    parts = []
    for anchor_map in anchor_maps:
        rows, columns = (round(anchor_map.cells * side) for side in (height, width))
        y, x = np.meshgrid(
            *((np.arange(n, dtype=np.float32) + 0.5) / anchor_map.cells for n in (rows, columns)), indexing="ij"
        )
        cells = np.stack([x, y], axis=-1).reshape(-1, 2)
        parts.append(np.repeat(cells, len(anchor_map.sizes), axis=0))
    return np.concatenate(parts)


def anchor_sizes(
    anchor_maps: tuple[AnchorMap, ...], height: float = 1.0, width: float = 1.0
) -> NDArray[np.float32]:
    """Side length of each (square) anchor: (A,) float32, in units of the input side, in the order of the centres."""
    parts = [
        np.tile(
            np.asarray(anchor_map.sizes, np.float32),
            round(anchor_map.cells * height) * round(anchor_map.cells * width),
        )
        for anchor_map in anchor_maps
    ]
    return np.concatenate(parts)
