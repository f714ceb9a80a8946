// The interfaces of TensorFlow.js's two face detectors on this package's network: `createDetector` of
// @tensorflow-models/face-detection, and `load` of the older @tensorflow-models/blazeface. Both give `estimateFaces`.

import { createDetector as open } from "./src/index.js";
import { pixelsOf } from "./src/picture.js";
import { shippedModel } from "./shipped.js";

export const SupportedModels = Object.freeze({ MediaPipeFaceDetector: "MediaPipeFaceDetector" });

const NAMES = ["rightEye", "leftEye", "noseTip", "mouthCenter", "rightEarTragion", "leftEarTragion"];

/**
 * @tensorflow-models/face-detection. config: maxFaces (1), modelType "short" or "full"; and, of ours alone, modelUrl (an
 * .onnx file), ort (the onnxruntime module) and engine. runtime, solutionPath and detectorModelUrl mean nothing here.
 */
export async function createDetector(model = SupportedModels.MediaPipeFaceDetector, config = {}) {
  if (model !== SupportedModels.MediaPipeFaceDetector) throw new Error(`${model} is not a supported model name.`);
  const { maxFaces = 1, modelType = "short", modelUrl, ort, engine } = config;
  const chosen = modelUrl ?? shippedModel(modelType === "full" ? "back-256" : "front-128");
  const detector = await open({ model: chosen, runtime: ort, engine });
  return {
    async estimateFaces(input, { flipHorizontal = false } = {}) {
      const picture = await pixelsOfInput(input);
      const faces = await detector.detect(flipHorizontal ? flipped(picture) : picture);
      return faces.slice(0, maxFaces).map(({ box: [xMin, yMin, xMax, yMax], keypoints }) => ({
        keypoints: keypoints.map(([x, y], i) => ({ x, y, name: NAMES[i] })),
        box: { xMin, yMin, xMax, yMax, width: xMax - xMin, height: yMax - yMin },
      }));
    },
    dispose: () => void detector.close(),
    reset() {}, // nothing is carried from one picture to the next
  };
}

/**
 * @tensorflow-models/blazeface. config: maxFaces (10), scoreThreshold (0.75); and, of ours alone, ort and engine. modelUrl
 * names an .onnx file. inputWidth, inputHeight and iouThreshold belong to the other network, and mean nothing here.
 */
export async function load({ maxFaces = 10, scoreThreshold = 0.75, modelUrl, ort, engine } = {}) {
  const model = modelUrl ?? shippedModel("front-128");
  const detector = await open({ model, runtime: ort, engine, scoreThreshold });
  return {
    async estimateFaces(input, returnTensors = false, flipHorizontal = false, annotateBoxes = true) {
      if (returnTensors) throw new Error("there are no tensors here: call estimateFaces with returnTensors false");
      const picture = await pixelsOfInput(input);
      const faces = await detector.detect(picture);
      // As there, landmarks keep their order; unlike there, topLeft is the left corner in the mirror too.
      const mirrored = ([x, y]) => (flipHorizontal ? [picture.width - 1 - x, y] : [x, y]);
      return faces.slice(0, maxFaces).map(({ box, score, keypoints }) => {
        const [one, other] = [mirrored(box.slice(0, 2)), mirrored(box.slice(2))];
        const topLeft = [Math.min(one[0], other[0]), one[1]];
        const bottomRight = [Math.max(one[0], other[0]), other[1]];
        if (!annotateBoxes) return { topLeft, bottomRight };
        return { topLeft, bottomRight, landmarks: keypoints.map(mirrored), probability: [score] };
      });
    },
    dispose: () => void detector.close(),
  };
}

// What a picture is here, or a tensor (height, width, 3 or 4) of numbers from 0 to 255.
async function pixelsOfInput(input) {
  if (!Array.isArray(input?.shape) || typeof input.data !== "function") return pixelsOf(input);
  const [height, width, channels] = input.shape;
  const values = await input.data();
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = values[channels * i + Math.min(c, channels - 1)];
  }
  return { data, width, height };
}

function flipped({ data, width, height }) {
  const source = new Uint32Array(data.slice().buffer);
  const out = new Uint32Array(source.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[y * width + x] = source[(y + 1) * width - 1 - x];
  }
  return { data: new Uint8ClampedArray(out.buffer), width, height };
}
