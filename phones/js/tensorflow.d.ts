import type { Engine, Picture, Runtime } from "./index.js";

/** A tensor of TensorFlow.js: (height, width, 3 or 4), values from 0 to 255. */
export interface TensorLike {
  shape: number[];
  data(): Promise<ArrayLike<number>>;
}

/** Of ours alone, in both configurations. */
export interface OwnConfig {
  /** An .onnx file that blazeface exported; front-128 of this package when left out. */
  modelUrl?: string | URL;
  /** The onnxruntime module; onnxruntime-web when left out. */
  ort?: Runtime;
  engine?: Engine;
}

// ---- @tensorflow-models/face-detection

export const SupportedModels: Readonly<{ MediaPipeFaceDetector: "MediaPipeFaceDetector" }>;
export type SupportedModels = "MediaPipeFaceDetector";

export interface ModelConfig extends OwnConfig {
  /** Default: 1. */
  maxFaces?: number;
  /** "full": back-256. */
  modelType?: "short" | "full";
  /** These three are taken and not used. */
  runtime?: "mediapipe" | "tfjs";
  solutionPath?: string;
  detectorModelUrl?: unknown;
}

/** In pixels. */
export interface Face {
  box: { xMin: number; yMin: number; xMax: number; yMax: number; width: number; height: number };
  keypoints: { x: number; y: number; name?: string }[];
}

export interface FaceDetector {
  /** flipHorizontal: as if the picture were given mirrored. */
  estimateFaces(input: Picture | TensorLike, config?: { flipHorizontal?: boolean }): Promise<Face[]>;
  dispose(): void;
  reset(): void;
}

export function createDetector(model?: SupportedModels, config?: ModelConfig): Promise<FaceDetector>;

// ---- @tensorflow-models/blazeface

export interface BlazeFaceConfig extends OwnConfig {
  /** Default: 10. */
  maxFaces?: number;
  /** Default: 0.75. */
  scoreThreshold?: number;
  /** These three are taken and not used. */
  inputWidth?: number;
  inputHeight?: number;
  iouThreshold?: number;
}

/** In pixels. */
export interface NormalizedFace {
  topLeft: [number, number];
  bottomRight: [number, number];
  landmarks?: [number, number][];
  probability?: [number];
}

export interface BlazeFaceModel {
  estimateFaces(
    input: Picture | TensorLike,
    returnTensors?: false,
    flipHorizontal?: boolean,
    annotateBoxes?: boolean,
  ): Promise<NormalizedFace[]>;
  dispose(): void;
}

export function load(config?: BlazeFaceConfig): Promise<BlazeFaceModel>;
