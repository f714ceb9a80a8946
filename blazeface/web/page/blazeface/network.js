// A network behind one function, on onnxruntime's JavaScript interface: onnxruntime-web, or onnxruntime-node.
//
// A network is {engine, run, close}; run(input, [height, width]) takes a Float32Array (3, height, width) and gives a promise
// of {logits, regressions}. One that can answer at once has runNow beside run (see blocking.js).

/**
 * Open a model in a runtime that is there. ort: the module, as `import * as ort from "onnxruntime-web"` gives it; bytes: of
 * the .onnx file; engine: the name of an execution provider, "wasm", "webgpu" or, in Node, "cpu".
 */
export async function openNetwork(ort, bytes, spec, engine) {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [engine] });
  const run = async (input, [height, width]) => {
    const image = new ort.Tensor("float32", input, [1, 3, height, width]);
    const { logits, regressions } = await session.run({ image });
    return { logits: logits.data, regressions: regressions.data };
  };
  const size = spec.input_size;
  await run(new Float32Array(3 * size * size), [size, size]); // the first run compiles; nobody should wait for it later
  return { engine, run, close: () => session.release() };
}
