/** How a model turns pixels into tensors and tensors into faces; docs/export.md and blazeface/spec.py describe it. */
export interface ModelSpec {
  name: string;
  input_size: number;
  mean: number;
  std: number;
  anchor_maps: { cells: number; sizes: number[] }[];
  decode_scale: number;
  score_threshold: number;
  blend_iou: number;
  resampling: "supersample" | "corner";
  keypoint_names: string[];
}

export interface ModelFile {
  spec: ModelSpec;
  /** What must divide the height and width of an input; null where only the spec's square can be run. */
  multiple: number | null;
}

export type Point = [x: number, y: number];
export type Box = [x1: number, y1: number, x2: number, y2: number];

/** In pixels of the picture. */
export interface Face {
  box: Box;
  score: number;
  /** In the order of `spec.keypoint_names`; right and left are the person's own. */
  keypoints: Point[];
}

/** RGBA bytes, row by row, as an ImageData has them. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

export type Picture =
  | Pixels
  | ImageData
  | ImageBitmap
  | HTMLVideoElement
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | VideoFrame;

export type Engine = "auto" | "webgpu" | "wasm" | "cpu";

/** Side of the smallest face to find, in pixels of the picture; "auto": a 64th of its long side; null: no search. */
export type MinFace = number | "auto" | null;

/** onnxruntime's JavaScript interface, as onnxruntime-web and onnxruntime-node export it. */
export interface Runtime {
  InferenceSession: { create(bytes: Uint8Array, options?: any): Promise<any> };
  Tensor: new (type: "float32", data: Float32Array, shape: number[]) => any;
}

/** Address of a model in this package: the fast one, or one for pictures with smaller faces. */
export function shippedModel(name: "front-128" | "back-256"): URL;

export interface DetectorOptions {
  /** The address of an .onnx file that blazeface exported, or its bytes; in Node also its path. */
  model: string | URL | Uint8Array | ArrayBuffer;
  /** `import * as ort from "onnxruntime-web"`; imported by that name when left out. */
  runtime?: Runtime;
  engine?: Engine;
  /** Faces below it are not reported; the model's own when left out. */
  scoreThreshold?: number;
  minFace?: MinFace;
}

/** Throws an Error whose message is for people. */
export function createDetector(options: DetectorOptions): Promise<FaceDetector>;

export interface NetworkOutput {
  logits: Float32Array;
  regressions: Float32Array;
}

/** A network that is open; input is (3, height, width). */
export interface Network {
  engine: string;
  run(input: Float32Array, shape: [height: number, width: number]): Promise<NetworkOutput>;
  runNow?(input: Float32Array, shape: [height: number, width: number]): NetworkOutput;
  close(): unknown;
}

export class FaceDetector {
  constructor(model: ModelFile, network: Network, options?: { scoreThreshold?: number; minFace?: MinFace });
  readonly spec: ModelSpec;
  readonly engine: string;
  scoreThreshold: number;
  minFace: MinFace;
  /** Faces, best first. The options hold for this picture alone. */
  detect(picture: Picture, options?: { scoreThreshold?: number; minFace?: MinFace }): Promise<Face[]>;
  /** `detect` without a promise, on a network that has `runNow`. */
  detectNow(picture: Picture, options?: { scoreThreshold?: number; minFace?: MinFace }): Face[];
  /** Give the network's memory back. */
  close(): unknown;
}

/** Throws an Error for a file that is damaged, or that blazeface did not export. */
export function readModelFile(bytes: Uint8Array): ModelFile;

/** loader: the default export of onnxruntime-web/ort-wasm-simd-threaded.mjs; wasm: the binary beside it, or its address. */
export function loadBlockingRuntime(loader: (options: any) => Promise<any>, wasm?: string | URL | Uint8Array): Promise<unknown>;

/** A network with `runNow`; runtime: of loadBlockingRuntime. */
export function openBlockingNetwork(runtime: unknown, bytes: Uint8Array): Network;

export interface Cover {
  box: Box;
  kind: "seen" | "held";
}

/** What must be covered in a live picture so that nobody is recognised; follows faces and bridges gaps. */
export class Covers {
  constructor(rules?: Record<string, number>);
  /** faces: of one picture, best first, found with a scoreThreshold of 0.1; time: in seconds, rising. */
  update(faces: { box: Box; score: number }[], time: number, width: number, height: number): Cover[];
}

/** One face per group of candidates that overlap by more than the threshold, best first, averaged by score. */
export function blend(candidates: Face[], iouThreshold: number): Face[];

/** Intersection over union, zero where both are empty. */
export function boxIou(a: Box, b: Box): number;

/** Bytes of a model: an address is fetched, bytes are given back. */
export function bytesOf(model: string | URL | Uint8Array | ArrayBuffer): Promise<Uint8Array>;

/** Why this device has no WebGPU worth using, or null. */
export function whyNoWebGpu(): Promise<string | null>;
