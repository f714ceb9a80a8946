// Anchor centres from the grid of a ModelSpec; blazeface/anchors.py is the same in Python.

/**
 * Centres of all anchors as x y pairs in units of the input side: map by map, row by row, cell by cell,
 * and within a cell one entry per anchor.
 */
export function anchorCenters(anchorMaps) {
  const centers = [];
  for (const { cells, sizes } of anchorMaps) {
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        for (let i = 0; i < sizes.length; i++) centers.push((column + 0.5) / cells, (row + 0.5) / cells);
      }
    }
  }
  return Float32Array.from(centers);
}
