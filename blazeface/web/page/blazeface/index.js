// The package's entry point.

import { FaceDetector } from "./detector.js";
import { readModelFile } from "./model_file.js";
import { openNetwork } from "./network.js";

export { blend, boxIou } from "./blend.js";
export { loadBlockingRuntime, openBlockingNetwork } from "./blocking.js";
export { Covers } from "./covers.js";
export { FaceDetector } from "./detector.js";
export { readModelFile } from "./model_file.js";

const ENGINES = ["webgpu", "wasm", "cpu"];

/**
 * A detector from a model file.
 *
 * model: the address of an .onnx file that blazeface exported, or its bytes (Uint8Array, ArrayBuffer). runtime: the module
 * onnxruntime-web, onnxruntime-web/webgpu or onnxruntime-node; imported by the first name when left out. engine: "wasm",
 * "webgpu", "cpu", or "auto": WebGPU where the device has a graphics processor for it, else "wasm", else "cpu".
 * scoreThreshold, minFace: as of FaceDetector. Throws an Error whose message is for people.
 */
export async function createDetector({ model, runtime, engine = "auto", scoreThreshold, minFace = null }) {
  const ort = runtime ?? (await import("onnxruntime-web"));
  const bytes = await bytesOf(model);
  const file = readModelFile(bytes);
  const network = await firstThatOpens(await enginesFor(engine), (name) => openNetwork(ort, bytes, file.spec, name));
  return new FaceDetector(file, network, { scoreThreshold, minFace });
}

/** Bytes of a model: an address is fetched, a file is read where there is Node, bytes are given back. */
export async function bytesOf(model) {
  if (model instanceof Uint8Array) return model;
  if (model instanceof ArrayBuffer) return new Uint8Array(model);
  if (typeof model !== "string" && !(model instanceof URL)) {
    throw new Error(`a model is the address of an .onnx file, or its bytes, not ${model}`);
  }
  const files = globalThis.process?.getBuiltinModule?.("node:fs"); // no import, which a browser's bundler would follow
  if (files && !/^(https?|data|blob):/.test(`${model}`)) return new Uint8Array(files.readFileSync(model));
  const response = await fetch(model);
  if (!response.ok) throw new Error(`The model ${model} could not be loaded (${response.status}).`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Nothing when the device has a graphics processor that WebGPU can use; else a sentence that says why not. */
export async function whyNoWebGpu() {
  const gpu = typeof navigator === "undefined" ? undefined : navigator.gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return "This browser or device has no WebGPU.";
  // One that is imitated by the main processor is slower than WebAssembly.
  const imitated = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter;
  return imitated ? "This device has WebGPU only as a slow imitation without a graphics processor." : null;
}

async function enginesFor(engine) {
  if (engine === "auto") return (await whyNoWebGpu()) ? ENGINES.slice(1) : ENGINES;
  if (!ENGINES.includes(engine)) throw new Error(`engine must be "auto" or one of ${ENGINES.join(", ")}, not ${engine}`);
  return [engine];
}

// A build of the runtime may lack an engine, and a driver may refuse a model: then the next is tried.
async function firstThatOpens(names, open) {
  let reason;
  for (const name of names) {
    try {
      return await open(name);
    } catch (error) {
      reason ??= error;
    }
  }
  throw new Error(`The model could not be opened by ${names.join(", ")}: ${reason.message}`);
}
