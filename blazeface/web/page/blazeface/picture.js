// The pixels of whatever a browser shows: {data, width, height}, RGBA bytes, as an ImageData has them.

let canvas = null; // kept, since making one for each frame of a video takes longer than reading it

/**
 * Pixels of an ImageData (or of anything with data, width and height, which is taken as it is), a video, an img, a
 * canvas, an ImageBitmap or a VideoFrame. Throws an Error for anything else, and for a video or an img that has no
 * picture yet.
 */
export function pixelsOf(source) {
  const [width, height] = sizeOf(source);
  if (ArrayBuffer.isView(source.data)) {
    if (source.data.length !== 4 * width * height) {
      throw new Error(`a picture of ${width} x ${height} has ${4 * width * height} bytes of RGBA, not ${source.data.length}`);
    }
    return source;
  }
  if (typeof source.getContext === "function") {
    const context = source.getContext("2d"); // null for a canvas that is drawn by WebGL
    if (context) return context.getImageData(0, 0, width, height);
  }
  canvas ??= newCanvas();
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Width and height of a source in its own pixels. */
export function sizeOf(source) {
  if (source === null || typeof source !== "object") {
    throw new Error(`a picture is an ImageData, a video, an img, a canvas, an ImageBitmap or a VideoFrame, not ${source}`);
  }
  const width = source.videoWidth ?? source.naturalWidth ?? source.displayWidth ?? source.width;
  const height = source.videoHeight ?? source.naturalHeight ?? source.displayHeight ?? source.height;
  if (!(width > 0 && height > 0)) {
    throw new Error("this has no picture yet: wait until the video plays, or the img has loaded");
  }
  return [width, height];
}

function newCanvas() {
  if (typeof OffscreenCanvas !== "undefined") return new OffscreenCanvas(1, 1);
  if (typeof document !== "undefined") return document.createElement("canvas");
  throw new Error("without a browser, a picture is given as {data, width, height} with RGBA bytes");
}
