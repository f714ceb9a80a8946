// A picture in, faces out; blazeface/detector.py is the same in Python.

import { anchorCenters } from "./anchors.js";
import { blend } from "./blend.js";
import { decode, sigmoid } from "./decode.js";
import { letterboxImage, toPicture } from "./letterbox.js";
import { pixelsOf } from "./picture.js";
import { LIMITS } from "./rules.js";
import { checkMinFace, faintest, union, views } from "./search.js";

/** Finds faces, with a network that is open; see createDetector in index.js for one from a model file. */
export class FaceDetector {
  #network;

  /** model: {spec, multiple} of model_file.js; network: see network.js. */
  constructor({ spec, multiple = null }, network, { scoreThreshold = spec.score_threshold, minFace = null } = {}) {
    checkMinFace(minFace);
    this.spec = spec;
    this.scoreThreshold = scoreThreshold;
    this.minFace = minFace;
    this.multiple = multiple;
    this.#network = network;
  }

  /** "webgpu", "wasm" or "cpu": what computes. */
  get engine() {
    return this.#network.engine;
  }

  /**
   * Faces of a picture (see picture.js), best first: {box: [x1, y1, x2, y2], score, keypoints: [[x, y], ...]} in its
   * pixels, keypoints in the order of spec.keypoint_names. options: {scoreThreshold, minFace} for this picture alone.
   */
  async detect(source, options) {
    const steps = this.#steps(pixelsOf(source), options);
    let step = steps.next();
    while (!step.done) step = steps.next(await this.#network.run(...step.value));
    return step.value;
  }

  /** `detect` without a promise, on a network that can do so (see blocking.js). */
  detectNow(source, options) {
    if (!this.#network.runNow) throw new Error("this runtime gives its answers as promises: use detect");
    const steps = this.#steps(pixelsOf(source), options);
    let step = steps.next();
    while (!step.done) step = steps.next(this.#network.runNow(...step.value));
    return step.value;
  }

  /** Give the network's memory back. */
  close() {
    return this.#network.close();
  }

  // Yields each input of the network with its height and width, is given {logits, regressions}, returns the faces.
  *#steps(picture, { scoreThreshold = this.scoreThreshold, minFace = this.minFace } = {}) {
    checkMinFace(minFace);
    const { spec } = this;
    const [square, { height, width }] = [[spec.input_size, spec.input_size], picture];
    if (minFace === null) {
      const { input, letterbox } = prepare(picture, spec);
      const { logits, regressions } = yield [input, square];
      return postprocess(logits, regressions, letterbox, spec, this.#centers(square), scoreThreshold);
    }
    const chosen = views(height, width, spec, minFace, this.multiple);
    const parts = [];
    for (const view of chosen.sort((a, b) => a.shape[0] - b.shape[0] || a.shape[1] - b.shape[1])) {
      const { input, letterbox } = prepare(picture, spec, view);
      const { logits, regressions } = yield [input, view.shape];
      const found = candidates(logits, regressions, spec, this.#centers(view.shape), faintest(scoreThreshold));
      parts.push([view, found.map((candidate) => inPicture(candidate, letterbox, spec, view))]);
    }
    return union(parts, spec.blend_iou, scoreThreshold);
  }

  #kept = new Map();

  #centers(shape) {
    const key = `${shape}`;
    if (!this.#kept.has(key)) {
      const [down, across] = shape.map((side) => side / this.spec.input_size);
      this.#kept.set(key, anchorCenters(this.spec.anchor_maps, down, across));
    }
    return this.#kept.get(key);
  }
}

/**
 * RGBA picture -> {input, letterbox}: normalised RGB planes (3, S, S), and how the picture was scaled. view: the part of
 * the picture that is scaled, and into which shape (see search.js); the whole, into the spec's square, without one.
 */
export function prepare(picture, spec, view = null) {
  const [rows, columns] = view?.shape ?? [spec.input_size, spec.input_size];
  const { square, letterbox } = letterboxImage(picture, [rows, columns], spec.resampling, view);
  const plane = rows * columns;
  const input = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) input[c * plane + i] = (square[3 * i + c] - spec.mean) / spec.std;
  }
  return { input, letterbox };
}

/** Raw outputs of one picture, logits (A) and regressions (A x (4 + 2K)) -> faces in its pixels, best first. */
export function postprocess(logits, regressions, letterbox, spec, centers, scoreThreshold) {
  const found = candidates(logits, regressions, spec, centers, scoreThreshold);
  return blend(found, spec.blend_iou).map((face) => inPicture(face, letterbox, spec));
}

/** Raw outputs -> candidates {box, score, keypoints} in units of the input side. */
export function candidates(logits, regressions, spec, centers, scoreThreshold) {
  const width = 4 + 2 * spec.keypoint_names.length;
  let chosen = [];
  for (let i = 0; i < logits.length; i++) {
    const score = sigmoid(logits[i]);
    if (score >= scoreThreshold) chosen.push({ index: i, score });
  }
  if (chosen.length > LIMITS.max_candidates) {
    chosen = chosen.sort((a, b) => b.score - a.score).slice(0, LIMITS.max_candidates);
  }
  const found = [];
  for (const { index, score } of chosen) {
    const row = regressions.subarray(index * width, (index + 1) * width);
    if (!row.every((value) => Math.abs(value) < LIMITS.max_regression)) continue; // not so for NaN either
    const candidate = decode(row, centers[2 * index], centers[2 * index + 1], spec.decode_scale);
    const [x1, y1, x2, y2] = candidate.box;
    if (x2 > x1 && y2 > y1) found.push({ ...candidate, score });
  }
  return found;
}

function inPicture({ box, score, keypoints }, letterbox, spec, { left, top } = { left: 0, top: 0 }) {
  const back = ([x, y]) => {
    const [across, down] = toPicture([x * spec.input_size, y * spec.input_size], letterbox);
    return [across + left, down + top];
  };
  return { box: [...back(box.slice(0, 2)), ...back(box.slice(2, 4))], score, keypoints: keypoints.map(back) };
}
