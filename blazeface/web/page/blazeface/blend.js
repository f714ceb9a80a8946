// Weighted blending of overlapping candidates; blazeface/blend.py is the same in Python.
// A candidate is {box: [x1, y1, x2, y2], score, keypoints: [[x, y], ...]}.

/** Intersection over union of two boxes, zero where both are empty. */
export function boxIou(a, b) {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const union = boxArea(a) + boxArea(b) - width * height;
  return union > 0 ? (width * height) / union : 0;
}

function boxArea([x1, y1, x2, y2]) {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

/**
 * One face per group of overlapping candidates, best first: the best one left, with all left that overlap it by
 * more than the threshold, corners and keypoints averaged by score. A face keeps its group's best score.
 */
export function blend(candidates, iouThreshold) {
  let left = [...candidates].sort((a, b) => b.score - a.score); // stable, as Python's
  const faces = [];
  while (left.length > 0) {
    const best = left[0];
    const belongs = (other) => other === best || boxIou(best.box, other.box) > iouThreshold;
    faces.push(average(left.filter(belongs)));
    left = left.filter((other) => !belongs(other));
  }
  return faces;
}

function average(group) {
  const total = group.reduce((sum, { score }) => sum + score, 0);
  const mean = (pick) => group.reduce((sum, member) => sum + pick(member) * member.score, 0) / total;
  const [best] = group;
  return {
    box: best.box.map((_, i) => mean((member) => member.box[i])),
    score: best.score,
    keypoints: best.keypoints.map((_, i) => [0, 1].map((axis) => mean((member) => member.keypoints[i][axis]))),
  };
}
