/** As of @mediapipe/tasks-vision. */
export interface WasmFileset {
  wasmLoaderPath: string;
  wasmBinaryPath: string;
}

export class FilesetResolver {
  static isSimdSupported(useModule?: boolean): Promise<boolean>;
  /** A folder with ort-wasm-simd-threaded.mjs and .wasm of onnxruntime-web; the npm package's own without one. */
  static forVisionTasks(basePath?: string, useModule?: boolean): Promise<WasmFileset>;
}

export interface FaceDetectorOptions {
  baseOptions?: {
    /** An .onnx file that blazeface exported; for MediaPipe's .tflite files a model of this package runs in their place. */
    modelAssetPath?: string;
    modelAssetBuffer?: Uint8Array | ReadableStreamDefaultReader;
    /** Taken and not used: answers that come at once come from WebAssembly. */
    delegate?: "CPU" | "GPU";
  };
  runningMode?: "IMAGE" | "VIDEO";
  /** Default: 0.5. */
  minDetectionConfidence?: number;
  /** Default: the model's own. */
  minSuppressionThreshold?: number;
  canvas?: HTMLCanvasElement | OffscreenCanvas;
}

export interface ImageProcessingOptions {
  /** Refused, as there. */
  regionOfInterest?: { left: number; top: number; right: number; bottom: number };
  /** Clockwise, a multiple of 90; answers are in the picture as it came. */
  rotationDegrees?: number;
}

export interface Category {
  score: number;
  index: number;
  categoryName: string;
  displayName: string;
}

/** In pixels; angle is 0. */
export interface BoundingBox {
  originX: number;
  originY: number;
  width: number;
  height: number;
  angle: number;
}

/** From 0 to 1 across and down the picture. */
export interface NormalizedKeypoint {
  x: number;
  y: number;
  label?: string;
  score?: number;
}

export interface Detection {
  categories: Category[];
  boundingBox?: BoundingBox;
  keypoints: NormalizedKeypoint[];
}

export interface DetectionResult {
  detections: Detection[];
}

export type ImageSource = TexImageSource;

export class FaceDetector {
  private constructor();
  static createFromOptions(fileset: WasmFileset, options: FaceDetectorOptions): Promise<FaceDetector>;
  static createFromModelPath(fileset: WasmFileset, modelAssetPath: string): Promise<FaceDetector>;
  static createFromModelBuffer(
    fileset: WasmFileset,
    modelAssetBuffer: Uint8Array | ReadableStreamDefaultReader,
  ): Promise<FaceDetector>;
  setOptions(options: FaceDetectorOptions): Promise<void>;
  detect(image: ImageSource, processing?: ImageProcessingOptions): DetectionResult;
  detectForVideo(frame: ImageSource, timestamp: number, processing?: ImageProcessingOptions): DetectionResult;
  close(): void;
}
