// Anchor centres from the grid of a ModelSpec; blazeface/anchors.py is the same in Python.

import { roundHalfEven } from "./letterbox.js";

/**
 * Centres of all anchors as x y pairs in units of the input side: map by map, row by row, cell by cell,
 * and within a cell one entry per anchor. height, width: of the input, in units of the square input's side.
 */
export function anchorCenters(anchorMaps, height = 1, width = 1) {
  const centers = [];
  for (const { cells, sizes } of anchorMaps) {
    const [rows, columns] = [height, width].map((side) => roundHalfEven(cells * side));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let i = 0; i < sizes.length; i++) centers.push((column + 0.5) / cells, (row + 0.5) / cells);
      }
    }
  }
  return Float32Array.from(centers);
}
