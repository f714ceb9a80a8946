// The builds of onnxruntime-web that the page's server hands out, and a detector on the one that suits this device.

import { createDetector, whyNoWebGpu } from "../blazeface/index.js";

const BUILDS = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"],
  webgpu: ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
};

export const ENGINE_NAMES = { webgpu: "WebGPU", wasm: "WebAssembly" };

/**
 * A detector on a model's address. engine: "auto", "webgpu" or "wasm"; files: names of the runtime's files that are
 * served. Throws an Error whose message is for people.
 */
export async function openDetector(model, engine, files) {
  if (engine !== "wasm" && hasBuild("webgpu", files)) {
    const problem = await whyNoWebGpu();
    if (!problem) {
      try {
        return await open("webgpu", model);
      } catch (error) {
        if (engine === "webgpu") throw new Error(`WebGPU could not load the model: ${error.message}`);
      }
    } else if (engine === "webgpu") throw new Error(problem);
  }
  if (engine === "webgpu" || !hasBuild("wasm", files)) {
    throw new Error(
      "The runtime onnxruntime-web is missing, so nothing can be computed. Whoever serves this page gets it with: " +
        "blazeface web --fetch-runtime",
    );
  }
  return open("wasm", model);
}

function hasBuild(engine, files) {
  return BUILDS[engine].every((name) => files.includes(name));
}

async function open(engine, model) {
  const [script, helper, binary] = BUILDS[engine].map((name) => new URL(`../vendor/${name}`, import.meta.url).href);
  const ort = await import(script);
  ort.env.wasm.wasmPaths = { mjs: helper, wasm: binary };
  ort.env.wasm.numThreads = 1; // a network this small is done before a second thread has woken up
  ort.env.logLevel = "error";
  return createDetector({ model, runtime: ort, engine });
}
