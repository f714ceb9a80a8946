// A picture in, faces out; blazeface/detector.py is the same in Python.

import { anchorCenters } from "./anchors.js";
import { blend } from "./blend.js";
import { decode, sigmoid } from "./decode.js";
import { letterboxImage, toPicture } from "./letterbox.js";

const MAX_CANDIDATES = 2000;
const MAX_REGRESSION = 1e6;

export class FaceDetector {
  /** run(input) takes a Float32Array (3, S, S) and gives {logits, regressions}; see runtime.js. */
  constructor(spec, run) {
    this.spec = spec;
    this.run = run;
    this.centers = anchorCenters(spec.anchor_maps);
  }

  /** Faces of an ImageData, best first: {box, score, keypoints} in its pixels. */
  async detect(picture, scoreThreshold = this.spec.score_threshold) {
    const { input, letterbox } = prepare(picture, this.spec);
    const { logits, regressions } = await this.run(input);
    return postprocess(logits, regressions, letterbox, this.spec, this.centers, scoreThreshold);
  }
}

/** RGBA picture -> {input, letterbox}: normalised RGB planes (3, S, S), and how the picture was scaled. */
export function prepare(picture, spec) {
  const size = spec.input_size;
  const { square, letterbox } = letterboxImage(picture, size, spec.resampling);
  const plane = size * size;
  const input = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) input[c * plane + i] = (square[3 * i + c] - spec.mean) / spec.std;
  }
  return { input, letterbox };
}

/** Raw outputs of one picture, logits (A) and regressions (A x (4 + 2K)) -> faces in its pixels, best first. */
export function postprocess(logits, regressions, letterbox, spec, centers, scoreThreshold) {
  const width = 4 + 2 * spec.keypoint_names.length;
  let chosen = [];
  for (let i = 0; i < logits.length; i++) {
    const score = sigmoid(logits[i]);
    if (score >= scoreThreshold) chosen.push({ index: i, score });
  }
  if (chosen.length > MAX_CANDIDATES) {
    chosen = chosen.sort((a, b) => b.score - a.score).slice(0, MAX_CANDIDATES);
  }
  const candidates = [];
  for (const { index, score } of chosen) {
    const row = regressions.subarray(index * width, (index + 1) * width);
    if (!row.every((value) => Math.abs(value) < MAX_REGRESSION)) continue; // not so for NaN either
    const candidate = decode(row, centers[2 * index], centers[2 * index + 1], spec.decode_scale);
    const [x1, y1, x2, y2] = candidate.box;
    if (x2 > x1 && y2 > y1) candidates.push({ ...candidate, score });
  }
  const back = ([x, y]) => toPicture([x * spec.input_size, y * spec.input_size], letterbox);
  return blend(candidates, spec.blend_iou).map(({ box, score, keypoints }) => ({
    box: [...back(box.slice(0, 2)), ...back(box.slice(2, 4))],
    score,
    keypoints: keypoints.map(back),
  }));
}
