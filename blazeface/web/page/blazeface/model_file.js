// What an exported ONNX file says about itself in its metadata; blazeface/backends/onnx_backend.py reads the same.

import { METADATA } from "./rules.js";

/**
 * bytes of an .onnx file (Uint8Array) -> {spec, multiple}. spec: its ModelSpec, as blazeface/spec.py describes it;
 * multiple: what must divide the height and width of an input, null where only the spec's square can be run.
 * Throws an Error for a file that is damaged, or that blazeface did not export.
 */
export function readModelFile(bytes) {
  const metadata = metadataOf(bytes);
  if (!metadata.has(METADATA.spec)) {
    throw new Error(`this is no ONNX file that blazeface exported: it has no ${METADATA.spec} metadata`);
  }
  if (metadata.has(METADATA.image) || metadata.has(METADATA.nms)) {
    throw new Error("this ONNX file decodes by itself: export it without --decode and --nms");
  }
  const spec = JSON.parse(metadata.get(METADATA.spec));
  const multiple = metadata.has(METADATA.multiple) ? Number(metadata.get(METADATA.multiple)) : null;
  if (multiple !== null && !(Number.isInteger(multiple) && multiple >= 1 && multiple <= METADATA.max_multiple)) {
    throw new Error(`this ONNX file's ${METADATA.multiple} metadata is no number from 1 to ${METADATA.max_multiple}`);
  }
  return { spec, multiple };
}

// Protocol buffers, encoding: https://protobuf.dev/programming-guides/encoding/. In onnx.proto, field 14 of a ModelProto
// is one entry of the metadata: a message whose field 1 is its key and whose field 2 is its value.
const METADATA_FIELD = 14;
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

function metadataOf(bytes) {
  const text = new TextDecoder();
  const entries = new Map();
  for (const { field, part } of fieldsOf(bytes)) {
    if (field !== METADATA_FIELD || !part) continue;
    const [key, value] = [1, 2].map((wanted) => [...fieldsOf(part)].find(({ field }) => field === wanted)?.part);
    if (key) entries.set(text.decode(key), text.decode(value ?? new Uint8Array()));
  }
  return entries;
}

// The fields of a message: {field, part}, with the bytes of those that have a length.
function* fieldsOf(bytes) {
  const fail = () => {
    throw new Error("this is no ONNX file, or it is cut short");
  };
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      if (at >= bytes.length) fail();
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return fail();
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, kind] = [Math.floor(tag / 8), tag % 8];
    if (kind === VARINT) varint();
    else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else if (kind === BYTES) {
      const length = varint();
      if (at + length > bytes.length) fail();
      yield { field, part: bytes.subarray(at, at + length) };
      at += length;
    } else fail();
    if (at > bytes.length) fail();
  }
}
