// The package's entry point: the page's modules, and the models that come with them.

export * from "./src/index.js";
export { shippedModel } from "./shipped.js";
