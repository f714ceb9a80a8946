// Compiled by TypeScript, never run: the README's program, and that ours goes wherever theirs went.

import * as ort from "onnxruntime-web";
import { createDetector, shippedModel, Covers, type Face } from "blazeface";
import * as mediapipe from "blazeface/mediapipe";
import * as tensorflow from "blazeface/tensorflow";
import type * as tasks from "@mediapipe/tasks-vision";
import type * as models from "@tensorflow-models/face-detection";
import type * as older from "@tensorflow-models/blazeface";

export async function readme(video: HTMLVideoElement): Promise<Face[]> {
  const detector = await createDetector({ model: shippedModel("front-128"), runtime: ort, minFace: "auto" });
  const faces = await detector.detect(video, { scoreThreshold: 0.1 });
  const covers = new Covers().update(faces, video.currentTime, video.videoWidth, video.videoHeight);
  console.log(covers.map(({ box: [x1, y1], kind }) => [x1, y1, kind]));
  return faces;
}

type Create<Given extends unknown[], Found> = (...given: Given) => Promise<Found>;

export const create: Create<Parameters<typeof tasks.FaceDetector.createFromOptions>, mediapipe.FaceDetector> =
  mediapipe.FaceDetector.createFromOptions;
export const fileset: Create<Parameters<typeof tasks.FilesetResolver.forVisionTasks>, mediapipe.WasmFileset> =
  mediapipe.FilesetResolver.forVisionTasks;

export function detect(detector: mediapipe.FaceDetector, image: tasks.ImageSource): tasks.FaceDetectorResult {
  return detector.detectForVideo(image, performance.now(), { rotationDegrees: 90 });
}

export const estimator: Promise<models.FaceDetector> = tensorflow.createDetector(
  tensorflow.SupportedModels.MediaPipeFaceDetector,
  { runtime: "mediapipe", solutionPath: "somewhere", modelType: "short", maxFaces: 3 },
);

export async function olderFaces(image: HTMLImageElement): Promise<older.NormalizedFace[]> {
  const model = await tensorflow.load({ maxFaces: 3 });
  const faces = await model.estimateFaces(image, false, true);
  console.log(faces.map(({ probability }) => probability?.[0]));
  // Theirs declares one number and gives a list of one (blazeface 0.1.0, face.js); ours declares what it gives.
  return faces.map(({ topLeft, bottomRight, landmarks, probability }) => ({
    topLeft,
    bottomRight,
    landmarks,
    probability: probability?.[0],
  }));
}
