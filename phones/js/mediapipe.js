// The interface of MediaPipe's FaceDetector (@mediapipe/tasks-vision) on this package's network.

import { bytesOf, FaceDetector as Detector, loadBlockingRuntime, openBlockingNetwork, readModelFile } from "./src/index.js";
import { pixelsOf } from "./src/picture.js";
import { shippedModel } from "./shipped.js";

const LOADER = "ort-wasm-simd-threaded.mjs";
const WASM = "ort-wasm-simd-threaded.wasm";

let shared = null; // the runtime, one for all detectors

export class FilesetResolver {
  static async isSimdSupported() {
    return true; // as it is wherever modules are
  }

  /**
   * Where the WebAssembly lies: a folder with the two files of onnxruntime-web that are named above. Without one, or with
   * MediaPipe's, which holds nothing that is needed here, they come from the npm package onnxruntime-web.
   */
  static async forVisionTasks(basePath = "") {
    const folder = `${basePath}`.replace(/\/*$/, "/");
    if (folder === "/" || folder.includes("mediapipe")) return { wasmLoaderPath: "", wasmBinaryPath: "" };
    return { wasmLoaderPath: folder + LOADER, wasmBinaryPath: folder + WASM };
  }
}

export class FaceDetector {
  #model;
  #detector;
  #options = {};

  static async createFromOptions(fileset, options = {}) {
    const runtime = await runtimeOf(fileset);
    const made = new FaceDetector();
    await made.#configure(runtime, options);
    return made;
  }

  static createFromModelPath(fileset, modelAssetPath) {
    return FaceDetector.createFromOptions(fileset, { baseOptions: { modelAssetPath } });
  }

  static createFromModelBuffer(fileset, modelAssetBuffer) {
    return FaceDetector.createFromOptions(fileset, { baseOptions: { modelAssetBuffer } });
  }

  /** Change some options; one that is given as undefined becomes its default again. */
  async setOptions(options) {
    await this.#configure(await shared, options);
  }

  async #configure(runtime, options) {
    this.#options = { ...this.#options, ...options };
    const { minSuppressionThreshold, minDetectionConfidence = 0.5, baseOptions = {} } = this.#options;
    if (!this.#model || options.baseOptions) {
      const bytes = await bytesOfAsset(baseOptions);
      const file = readModelFile(bytes);
      this.close();
      this.#model = { ...file, network: openBlockingNetwork(runtime, bytes) };
    }
    const { spec, multiple, network } = this.#model;
    const given = { ...spec, blend_iou: minSuppressionThreshold ?? spec.blend_iou };
    this.#detector = new Detector({ spec: given, multiple }, network, { scoreThreshold: minDetectionConfidence });
  }

  detect(image, processing) {
    if (this.#options.runningMode === "VIDEO") throw new Error("runningMode is VIDEO: use detectForVideo");
    return this.#find(image, processing);
  }

  detectForVideo(frame, timestamp, processing) {
    if (this.#options.runningMode !== "VIDEO") throw new Error("runningMode is IMAGE: use detect");
    return this.#find(frame, typeof timestamp === "object" ? timestamp : processing);
  }

  #find(image, { regionOfInterest, rotationDegrees = 0 } = {}) {
    if (!this.#detector) throw new Error("this FaceDetector is closed");
    if (regionOfInterest) throw new Error("this task doesn't support region-of-interest");
    if (rotationDegrees % 90) throw new Error(`rotationDegrees must be a multiple of 90, not ${rotationDegrees}`);
    const picture = pixelsOf(image);
    const turns = (((rotationDegrees / 90) % 4) + 4) % 4;
    const faces = this.#detector.detectNow(turned(picture, turns));
    return { detections: faces.map((face) => asDetection(face, picture, turns)) };
  }

  /** Give the memory back; the detector is of no use afterwards. */
  close() {
    this.#model?.network.close();
    this.#model = this.#detector = null;
  }
}

async function runtimeOf({ wasmLoaderPath, wasmBinaryPath } = {}) {
  shared ??= (async () => {
    if (!wasmLoaderPath) {
      const { default: loader } = await import("onnxruntime-web/ort-wasm-simd-threaded.mjs");
      return loadBlockingRuntime(loader);
    }
    const { default: loader } = await import(/* webpackIgnore: true */ /* @vite-ignore */ absolute(wasmLoaderPath));
    return loadBlockingRuntime(loader, absolute(wasmBinaryPath));
  })();
  try {
    return await shared;
  } catch (error) {
    shared = null; // so that another try, with another folder, can do better
    throw error;
  }
}

// A page's paths are relative to the page; those of an import are relative to this file.
function absolute(path) {
  return typeof document === "undefined" ? path : new URL(path, document.baseURI).href;
}

async function bytesOfAsset({ modelAssetPath, modelAssetBuffer }) {
  if (modelAssetBuffer instanceof Uint8Array) return modelAssetBuffer;
  if (modelAssetBuffer) return readAll(modelAssetBuffer);
  if (!modelAssetPath) throw new Error("baseOptions must name a model: modelAssetPath or modelAssetBuffer");
  const path = `${modelAssetPath}`;
  if (/\.(tflite|task)$/.test(path.split(/[?#]/)[0])) {
    const name = path.includes("full_range") ? "back-256" : "front-128";
    console.warn(`blazeface: ${path} is MediaPipe's model; ${name} of this package runs in its place`);
    return bytesOf(shippedModel(name));
  }
  return bytesOf(path);
}

async function readAll(reader) {
  const parts = [];
  for (let step = await reader.read(); !step.done; step = await reader.read()) parts.push(step.value);
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

// A picture turned clockwise by quarters.
function turned(picture, turns) {
  if (turns === 0) return picture;
  const { width, height } = picture;
  const [across, down] = turns % 2 ? [height, width] : [width, height];
  const source = new Uint32Array(picture.data.slice().buffer);
  const out = new Uint32Array(source.length);
  for (let y = 0, at = 0; y < down; y++) {
    for (let x = 0; x < across; x++, at++) {
      if (turns === 1) out[at] = source[(height - 1 - x) * width + y];
      else if (turns === 2) out[at] = source[source.length - 1 - at];
      else out[at] = source[x * width + width - 1 - y];
    }
  }
  return { data: new Uint8ClampedArray(out.buffer), width: across, height: down };
}

// A point of the turned picture in the picture as it came.
function turnedBack([x, y], { width, height }, turns) {
  if (turns === 1) return [y, height - x];
  if (turns === 2) return [width - x, height - y];
  return turns === 3 ? [width - y, x] : [x, y];
}

function asDetection({ box, score, keypoints }, picture, turns) {
  const corners = [box.slice(0, 2), box.slice(2)].map((point) => turnedBack(point, picture, turns));
  const [left, right] = corners.map(([x]) => x).sort((a, b) => a - b);
  const [top, bottom] = corners.map(([, y]) => y).sort((a, b) => a - b);
  return {
    categories: [{ score, index: 0, categoryName: "", displayName: "" }],
    boundingBox: { originX: left, originY: top, width: right - left, height: bottom - top, angle: 0 },
    keypoints: keypoints.map((point) => {
      const [x, y] = turnedBack(point, picture, turns);
      return { x: x / picture.width, y: y / picture.height, score: 0, label: "" };
    }),
  };
}
