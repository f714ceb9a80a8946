// onnxruntime-web behind one function: a network that takes a Float32Array and gives logits and regressions.

const BUILDS = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"],
  webgpu: ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
};

export const ENGINE_NAMES = { webgpu: "WebGPU", wasm: "WebAssembly" };

/**
 * Load a model. engine: "auto", "webgpu" or "wasm"; files: names of the runtime's files that are served.
 * Gives {engine, run}. Throws an Error whose message is for people.
 */
export async function openNetwork(modelUrl, spec, engine, files) {
  if (engine !== "wasm" && hasBuild("webgpu", files)) {
    const problem = await whyNoWebGpu();
    if (!problem) {
      try {
        return await open("webgpu", modelUrl, spec);
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
  return open("wasm", modelUrl, spec);
}

function hasBuild(engine, files) {
  return BUILDS[engine].every((name) => files.includes(name));
}

// Nothing when the device has a graphics processor that WebGPU can use; one that is imitated by the main
// processor is slower than WebAssembly.
async function whyNoWebGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return "This browser or device has no WebGPU.";
  const imitated = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter;
  return imitated ? "This device has WebGPU only as a slow imitation without a graphics processor." : null;
}

async function open(engine, modelUrl, spec) {
  const [script, helper, binary] = BUILDS[engine].map((name) => new URL(`../vendor/${name}`, import.meta.url).href);
  const ort = await import(script);
  ort.env.wasm.wasmPaths = { mjs: helper, wasm: binary };
  ort.env.wasm.numThreads = 1; // a network this small is done before a second thread has woken up
  ort.env.logLevel = "error";
  const response = await fetch(modelUrl);
  if (!response.ok) throw new Error(`The model could not be loaded (${response.status}).`);
  const session = await ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), {
    executionProviders: [engine],
  });
  const shape = [1, 3, spec.input_size, spec.input_size];
  const run = async (input) => {
    const image = new ort.Tensor("float32", input, shape);
    const { logits, regressions } = await session.run({ image });
    return { logits: logits.data, regressions: regressions.data };
  };
  await run(new Float32Array(3 * spec.input_size ** 2)); // the first run compiles; nobody should wait for it later
  return { engine, run, close: () => session.release() };
}
