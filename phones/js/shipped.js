// The models in this package, by what other detectors call theirs: near faces, and far ones.

/** Address of a model in this package: "front-128", or "back-256" for a picture seen from further away. */
export function shippedModel(name) {
  // Spelt out, since bundlers copy only the files that they can read here.
  return name === "back-256"
    ? new URL("./models/back-256.onnx", import.meta.url)
    : new URL("./models/front-128.onnx", import.meta.url);
}
