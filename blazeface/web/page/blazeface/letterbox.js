// A picture scaled into the network's square; blazeface/geometry.py is the same in Python.
// Pixels agree with OpenCV's bit by bit ("supersample") or nearly so ("corner"), since a network that is
// shown other pixels finds other boxes: drawImage() of a canvas smooths differently in every browser.

/**
 * Scale a picture into the middle of a black square, or of a rectangle.
 *
 * picture: {data, width, height}, RGBA bytes as an ImageData has them. size: the side of the square, or [height, width].
 * part: {left, top, width, height} of the picture to scale, null for the whole. Gives {square, letterbox}: RGB bytes, row
 * by row, and {scaleX, scaleY, offsetX, offsetY}, by which input = part * scale + offset.
 */
export function letterboxImage(picture, size, resampling = "supersample", part = null) {
  const [rows, columns] = typeof size === "number" ? [size, size] : size;
  const { left: x, top: y, width, height } = part ?? { left: 0, top: 0, ...sides(picture) };
  const scale = fittingScale(height, width, rows, columns);
  const source = { data: picture.data, width, height, channels: 4, row: picture.width, start: y * picture.width + x };
  if (resampling === "corner") {
    const offsetX = (columns - width * scale) / 2;
    const offsetY = (rows - height * scale) / 2;
    return { square: cornerWarp(source, rows, columns), letterbox: { scaleX: scale, scaleY: scale, offsetX, offsetY } };
  }
  if (resampling !== "supersample") throw new Error(`this version does not know the resampling "${resampling}"`);
  const newWidth = Math.max(1, roundHalfEven(width * scale));
  const newHeight = Math.max(1, roundHalfEven(height * scale));
  const left = Math.floor((columns - newWidth) / 2);
  const top = Math.floor((rows - newHeight) / 2);
  const small = resize(source, newWidth, newHeight, scale);
  const square = new Uint8Array(rows * columns * 3);
  for (let y = 0; y < newHeight; y++) {
    const row = small.data.subarray(y * newWidth * 3, (y + 1) * newWidth * 3);
    square.set(row, ((top + y) * columns + left) * 3);
  }
  const letterbox = { scaleX: newWidth / width, scaleY: newHeight / height, offsetX: left, offsetY: top };
  return { square, letterbox };
}

function sides({ width, height }) {
  return { width, height }; // an ImageData has them on its prototype, where spreading does not look
}

/** Input pixels per picture pixel when a picture of height x width fills an input of rows x columns. */
export function fittingScale(height, width, rows, columns) {
  return rows === columns ? rows / Math.max(height, width) : Math.min(rows / height, columns / width);
}

/** A point in input pixels, given back in picture pixels. */
export function toPicture([x, y], { scaleX, scaleY, offsetX, offsetY }) {
  return [(x - offsetX) / scaleX, (y - offsetY) / scaleY];
}

/** As Python rounds: a half goes to the even neighbour. */
export function roundHalfEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function resize(image, width, height, scale) {
  if (scale >= 0.5) return resizeLinear(image, width, height);
  return halve(resizeLinear(image, 2 * width, 2 * height));
}

// OpenCV's bilinear resize of bytes: weights are whole 2048ths, and the sum is rounded in two steps.
function resizeLinear(image, width, height) {
  if (image.width === 2 * width && image.height === 2 * height) return halve(image); // OpenCV does so too
  const { data, channels, row, start } = image;
  const across = weights(image.width, width, true);
  const down = weights(image.height, height, false);
  const out = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    const upper = start + down.first[y] * row;
    const lower = start + down.second[y] * row;
    const below = down.weight[y];
    for (let x = 0; x < width; x++) {
      const left = across.first[x];
      const right = across.second[x];
      const beside = across.weight[x];
      for (let c = 0; c < 3; c++, at++) {
        const a = data[(upper + left) * channels + c] * (2048 - beside) + data[(upper + right) * channels + c] * beside;
        const b = data[(lower + left) * channels + c] * (2048 - beside) + data[(lower + right) * channels + c] * beside;
        out[at] = ((((2048 - below) * (a >> 4)) >> 16) + ((below * (b >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
  return { data: out, width, height, channels: 3, row: width, start: 0 };
}

// For each target pixel of one axis the two source pixels around it and the second one's weight in 2048ths.
// At the edge, where both are the same pixel, OpenCV drops the weight across but not down: rounding shows it.
function weights(source, target, dropAtEdge) {
  const scale = 1 / (target / source);
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const weight = new Int32Array(target);
  const inside = (place) => Math.min(Math.max(place, 0), source - 1);
  for (let i = 0; i < target; i++) {
    const place = Math.fround((i + 0.5) * scale - 0.5);
    const left = Math.floor(place);
    first[i] = inside(left);
    second[i] = inside(left + 1);
    const atEdge = first[i] === second[i];
    weight[i] = atEdge && dropAtEdge ? 0 : roundHalfEven(Math.fround(Math.fround(place - left) * 2048));
  }
  return { first, second, weight };
}

// The mean of each 2 x 2 pixels.
function halve({ data, width, height, channels, row, start }) {
  const [halfWidth, halfHeight] = [width / 2, height / 2];
  const out = new Uint8Array(halfWidth * halfHeight * 3);
  for (let y = 0, at = 0; y < halfHeight; y++) {
    for (let x = 0; x < halfWidth; x++) {
      const upper = (start + 2 * y * row + 2 * x) * channels;
      const lower = upper + row * channels;
      for (let c = 0; c < 3; c++, at++) {
        const sum = data[upper + c] + data[upper + channels + c] + data[lower + c] + data[lower + channels + c];
        out[at] = (sum + 2) >> 2;
      }
    }
  }
  return { data: out, width: halfWidth, height: halfHeight, channels: 3, row: halfWidth, start: 0 };
}

// MediaPipe's way: the input's pixel (i, j) is sampled at (i, j) / scale of the centred rectangle around the picture,
// rounded to 1/32 pixel as OpenCV's warp does it; black outside.
function cornerWarp({ data, width, height, row, start }, rows, columns) {
  const scale = fittingScale(height, width, rows, columns);
  const square = Math.max(width, height);
  const [around, down] = rows === columns ? [square, square] : [columns / scale, rows / scale];
  const [left, top] = [(width - around) / 2, (height - down) / 2];
  const pixel = (x, y, c) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : data[(start + y * row + x) * 4 + c]);
  const out = new Uint8Array(rows * columns * 3);
  for (let j = 0, at = 0; j < rows; j++) {
    const y = roundHalfEven((top + (j * down) / rows) * 32);
    const [y0, dy] = [y >> 5, y & 31];
    for (let i = 0; i < columns; i++) {
      const x = roundHalfEven((left + (i * around) / columns) * 32);
      const [x0, dx] = [x >> 5, x & 31];
      for (let c = 0; c < 3; c++, at++) {
        const a = pixel(x0, y0, c) * (32 - dx) + pixel(x0 + 1, y0, c) * dx;
        const b = pixel(x0, y0 + 1, c) * (32 - dx) + pixel(x0 + 1, y0 + 1, c) * dx;
        out[at] = (a * (32 - dy) + b * dy + 512) >> 10;
      }
    }
  }
  return out;
}
