// The views of a picture in which faces are looked for, and the union of what they give; blazeface/search.py is the same
// in Python, and says what each step is for. The numbers are in rules.js.

import { blend, boxIou } from "./blend.js";
import { fittingScale, roundHalfEven } from "./letterbox.js";
import { SEARCH } from "./rules.js";

/** Throws an Error for what is no smallest face: a number of pixels from 1 up, "auto", or null. */
export function checkMinFace(minFace) {
  if (minFace === null || minFace === "auto" || (Number.isFinite(minFace) && minFace >= 1)) return;
  throw new Error(`minFace must be a number of pixels from 1 up, "auto" or null, not ${minFace}`);
}

/**
 * The views of a picture of height x width pixels that show every face of minFace or more, the base view first.
 *
 * multiple: of what the height and width of an input must be; null where only the spec's square can be run. A view is
 * {left, top, width, height, shape, smallest, largest, cuts, seam}, as `search.View`.
 */
export function views(height, width, spec, minFace, multiple, tileSide = SEARCH.tile_side) {
  const scales = scalesOf(height, width, spec, minFace, multiple);
  const stride = finestStride(spec);
  const base = { left: 0, top: 0, width, height, shape: baseShape(height, width, spec, multiple) };
  const whole = { largest: Infinity, cuts: [false, false, false, false], seam: 0 };
  if (scales.length === 1) return [{ ...base, smallest: 0, ...whole }];
  const found = [{ ...base, smallest: (SEARCH.good * stride) / scales[0], ...whole }];
  scales.slice(1).forEach((scale, n) => {
    const smallest = n + 1 < scales.length - 1 ? (SEARCH.good * stride) / scale : 0;
    const largest = (largestShare(multiple) * spec.input_size) / scale;
    const seam = (SEARCH.seam * stride) / scale;
    const overlap = Math.ceil(SEARCH.long * largest + (2 * SEARCH.seam * stride) / scale);
    const side = multiple === null ? spec.input_size : Math.max(Math.floor(tileSide / multiple) * multiple, spec.input_size);
    const most = Math.max(Math.floor(side / scale), overlap + 1);
    for (const [top, rows] of spans(height, most, overlap)) {
      for (const [left, columns] of spans(width, most, overlap)) {
        const shape = [spec.input_size, spec.input_size];
        if (multiple !== null) shape.splice(0, 2, up(rows * scale, multiple), up(columns * scale, multiple));
        const cuts = [left > 0, top > 0, left + columns < width, top + rows < height];
        found.push({ left, top, width: columns, height: rows, shape, smallest, largest, cuts, seam });
      }
    }
  });
  return found;
}

/** Height and width of the base view's input. */
export function baseShape(height, width, spec, multiple) {
  if (multiple === null) return [spec.input_size, spec.input_size];
  const root = Math.sqrt(Math.min(Math.max(width / height, 1 / SEARCH.most_aspect), SEARCH.most_aspect));
  return [1 / root, root].map((side) => Math.max(1, roundHalfEven((spec.input_size * side) / multiple)) * multiple);
}

/** Whether a view takes a box, in pixels of the picture. */
export function takes(view, box) {
  const size = sizeOf(box);
  if (size < view.smallest || size > view.largest) return false;
  const ends = [view.left, view.top, view.left + view.width, view.top + view.height];
  return view.cuts.every((cut, side) => !cut || (side < 2 ? box[side] - ends[side] : ends[side] - box[side]) >= view.seam);
}

/**
 * The faces of a picture, best first, from [view, candidates] of its views, both in pixels of the picture; candidates
 * with scores from faintest(scoreThreshold) up.
 */
export function union(parts, blendIou, scoreThreshold = 0) {
  let taken = parts.flatMap(([view, candidates]) => candidates.filter(({ box }) => takes(view, box)));
  if (taken.length > SEARCH.most_candidates) {
    taken = taken.sort((a, b) => b.score - a.score).slice(0, SEARCH.most_candidates);
  }
  const faces = supported(blend(taken, blendIou), taken, blendIou).filter(({ score }) => score >= scoreThreshold);
  return withoutTwins(faces.sort((a, b) => b.score - a.score));
}

/** The score from which union is to be given candidates, for faces from scoreThreshold up. */
export function faintest(scoreThreshold) {
  return Math.min(SEARCH.faint, scoreThreshold);
}

/** Faces with scores weighed by how many of the candidates overlap them by more than iou. */
export function supported(faces, candidates, iou) {
  const counted = candidates.filter(({ score }) => score >= SEARCH.faint);
  return faces.map((face) => {
    const sum = counted.reduce((total, { box, score }) => total + (boxIou(face.box, box) > iou ? score : 0), 0);
    const odds = face.score * Math.max(sum / face.score, 1);
    return { ...face, score: odds / (odds + SEARCH.usual_support * (1 - face.score)) };
  });
}

/** Faces, best first, without those whose keypoints are those of a better, sure one. */
export function withoutTwins(faces) {
  const kept = [];
  for (const face of faces) {
    if (!kept.some((better) => better.score >= SEARCH.same_score && sameFace(better, face))) kept.push(face);
  }
  return kept;
}

function sameFace(a, b) {
  const count = a.keypoints.length;
  const apart = a.keypoints.reduce((sum, [x, y], i) => sum + Math.hypot(x - b.keypoints[i][0], y - b.keypoints[i][1]), 0);
  return count > 0 && apart / count < SEARCH.same_points * Math.min(sizeOf(a.box), sizeOf(b.box));
}

function sizeOf([x1, y1, x2, y2]) {
  return Math.sqrt(Math.max(x2 - x1, 0) * Math.max(y2 - y1, 0));
}

function finestStride(spec) {
  return Math.min(...spec.anchor_maps.map(({ cells }) => spec.input_size / cells));
}

// Of the base view, and of each finer level, in equal steps.
function scalesOf(height, width, spec, minFace, multiple) {
  const base = fittingScale(height, width, ...baseShape(height, width, spec, multiple));
  const stride = finestStride(spec);
  const auto = Math.max(SEARCH.auto_share * Math.max(height, width), SEARCH.smallest * stride);
  const finest = Math.min((SEARCH.smallest * stride) / (minFace === "auto" ? auto : minFace), SEARCH.largest_zoom);
  if (finest <= base) return [base];
  const step = Math.min(SEARCH.step, (largestShare(multiple) * spec.input_size) / (SEARCH.good * stride) / SEARCH.shared_sizes);
  const levels = Math.log(finest / base) / Math.log(Math.max(step, SEARCH.shared_sizes));
  const count = Math.max(1, Math.ceil(levels - 1e-9));
  return Array.from({ length: count + 1 }, (_, level) => base * (finest / base) ** (level / count));
}

function largestShare(multiple) {
  return multiple === null ? SEARCH.largest_in_tiles : SEARCH.largest;
}

// Starts and lengths of as few equal spans as cover a length, neighbours sharing `overlap` at least.
function spans(length, most, overlap) {
  if (length <= most) return [[0, length]];
  const count = Math.ceil((length - overlap) / (most - overlap));
  const span = Math.ceil((length - overlap) / count) + overlap;
  return Array.from({ length: count }, (_, i) => [Math.floor((i * (length - span)) / (count - 1)), span]);
}

function up(length, multiple) {
  return Math.max(1, Math.ceil(length / multiple - 1e-6)) * multiple;
}
