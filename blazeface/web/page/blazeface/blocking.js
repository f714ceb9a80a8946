// A network that answers at once, without a promise, for interfaces that promise no promise: MediaPipe's `detect` is one.
//
// onnxruntime-web's own interface is asynchronous throughout, but the WebAssembly under it is not. This calls its C
// functions, those that wasm-core-impl.ts of onnxruntime-web calls. They are nobody's public interface: use the version
// of onnxruntime-web that package.json names, with which this is tested.

const FLOAT = 1; // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
const ON_CPU = 1;
const ERRORS_ONLY = 3;
const ALL_OPTIMISATIONS = 99;

/**
 * The runtime, to be given to `openBlockingNetwork` any number of times. loader: what ort-wasm-simd-threaded.mjs of
 * onnxruntime-web exports as its default; wasm: bytes of ort-wasm-simd-threaded.wasm, or its address.
 */
export async function loadBlockingRuntime(loader, wasm) {
  const given = typeof wasm === "string" || wasm instanceof URL ? { locateFile: () => `${wasm}` } : { wasmBinary: wasm };
  const ort = await loader({ numThreads: 1, ...given });
  check(ort, ort._OrtInit(1, ERRORS_ONLY), "onnxruntime does not start");
  return ort;
}

/** A network as network.js describes it, with `runNow` beside `run`. bytes: of an .onnx file, undecoded. */
export function openBlockingNetwork(ort, bytes) {
  const session = withText(ort, ["blazeface"], ([id]) => {
    const options = ort._OrtCreateSessionOptions(ALL_OPTIMISATIONS, 1, 1, 0, 0, 0, id, ERRORS_ONLY, 0, 0);
    check(ort, options ? 0 : 1, "the session's options are refused");
    const file = ort._malloc(bytes.length);
    ort.HEAPU8.set(bytes, file);
    const made = ort._OrtCreateSession(file, bytes.length, options);
    ort._free(file);
    ort._OrtReleaseSessionOptions(options);
    check(ort, made ? 0 : 1, "the model cannot be opened");
    return made;
  });
  const runNow = (input, shape) => runSession(ort, session, input, shape);
  return {
    engine: "wasm",
    runNow,
    run: async (input, shape) => runNow(input, shape),
    close: () => check(ort, ort._OrtReleaseSession(session), "the session cannot be released"),
  };
}

function runSession(ort, session, input, [height, width]) {
  return withText(ort, ["image", "logits", "regressions"], (names) => {
    const data = ort._malloc(input.byteLength);
    new Float32Array(ort.HEAPU8.buffer, data, input.length).set(input);
    const dimensions = pointers(ort, [1, 3, height, width]);
    const tensor = ort._OrtCreateTensor(FLOAT, data, input.byteLength, dimensions, 4, ON_CPU);
    const outputs = pointers(ort, [0, 0]);
    try {
      check(ort, tensor ? 0 : 1, "the input cannot be given to the network");
      const [inputNames, outputNames] = [pointers(ort, names.slice(0, 1)), pointers(ort, names.slice(1))];
      const failed = ort._OrtRun(session, inputNames, pointers(ort, [tensor]), 1, outputNames, 2, outputs, 0);
      check(ort, failed, "the network cannot be run");
      const [logits, regressions] = [0, 1].map((i) => takeTensor(ort, ort.getValue(outputs + i * ort.PTR_SIZE, "*")));
      return { logits, regressions };
    } finally {
      if (tensor) ort._OrtReleaseTensor(tensor);
      ort._free(data);
    }
  });
}

// The values of an output, copied; the tensor is released.
function takeTensor(ort, tensor) {
  const fields = pointers(ort, [0, 0, 0, 0]); // kind, data, dimensions, their number
  const [kind, data, dimensions, count] = [0, 1, 2, 3].map((i) => fields + i * ort.PTR_SIZE);
  check(ort, ort._OrtGetTensorData(tensor, kind, data, dimensions, count), "the network's answer cannot be read");
  const [start, sides] = [data, dimensions].map((at) => ort.getValue(at, "*"));
  let length = 1;
  for (let i = 0; i < ort.getValue(count, "*"); i++) length *= ort.getValue(sides + i * ort.PTR_SIZE, "*");
  const values = new Float32Array(ort.HEAPU8.buffer, start, length).slice();
  ort._OrtFree(sides);
  ort._OrtReleaseTensor(tensor);
  return values;
}

// Texts in the runtime's memory, for as long as `use` takes, and whatever it puts on the stack with them.
function withText(ort, texts, use) {
  const stack = ort.stackSave();
  try {
    return use(
      texts.map((text) => {
        const length = ort.lengthBytesUTF8(text) + 1;
        const at = ort.stackAlloc(length);
        ort.stringToUTF8(text, at, length);
        return at;
      }),
    );
  } finally {
    ort.stackRestore(stack);
  }
}

function pointers(ort, values) {
  const at = ort.stackAlloc(values.length * ort.PTR_SIZE);
  values.forEach((value, i) => ort.setValue(at + i * ort.PTR_SIZE, value, "*"));
  return at;
}

function check(ort, failed, what) {
  if (!failed) return;
  const stack = ort.stackSave();
  const place = pointers(ort, [0, 0]);
  ort._OrtGetLastError(place, place + ort.PTR_SIZE);
  const reason = ort.getValue(place + ort.PTR_SIZE, "*");
  const words = reason ? ort.UTF8ToString(reason) : "";
  ort.stackRestore(stack);
  throw new Error(words ? `${what}: ${words}` : what);
}
