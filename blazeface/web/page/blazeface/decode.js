// Raw regressions to boxes and keypoints; blazeface/decode.py is the same in Python.

import { LIMITS } from "./rules.js";

/** A score in [0, 1] from a logit. */
export function sigmoid(logit) {
  const limited = Math.min(Math.max(logit, -LIMITS.logit), LIMITS.logit);
  return 1 / (1 + Math.exp(-limited));
}

/**
 * One row of raw regressions (4 + 2K numbers) at an anchor's centre -> {box, keypoints} in units of the input
 * side: [x1, y1, x2, y2], and K points [x, y]. A negative raw side gives a box whose corners are swapped.
 */
export function decode(row, centerX, centerY, scale) {
  const x = row[0] / scale + centerX;
  const y = row[1] / scale + centerY;
  const halfWidth = row[2] / scale / 2;
  const halfHeight = row[3] / scale / 2;
  const keypoints = [];
  for (let i = 4; i < row.length; i += 2) keypoints.push([row[i] / scale + centerX, row[i + 1] / scale + centerY]);
  return { box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], keypoints };
}
