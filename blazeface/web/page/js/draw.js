// Faces drawn on a canvas: boxes, points, scores; and faces covered.

import { RULES } from "../blazeface/rules.js";

const ACCENT = "#ff8a4c";

/** Faces of a picture as its mirror image shows them: keypoints keep their order, hence their names. */
export function mirrorFaces(faces, width) {
  return faces.map(({ box: [x1, y1, x2, y2], score, keypoints }) => ({
    box: [width - x2, y1, width - x1, y2],
    score,
    keypoints: keypoints.map(([x, y]) => [width - x, y]),
  }));
}

/** Draw a picture (canvas or bitmap) on a canvas of its size. */
export function drawPicture(context, picture, mirrored) {
  const { width, height } = picture;
  if (context.canvas.width !== width || context.canvas.height !== height) {
    Object.assign(context.canvas, { width, height });
  }
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
  context.drawImage(picture, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

/** Boxes, scores and, where asked for, points. */
export function drawFaces(context, faces, withPoints) {
  const unit = Math.max(context.canvas.width, context.canvas.height) / 640;
  context.font = `600 ${15 * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const { box: [x1, y1, x2, y2], score, keypoints } of faces) {
    context.strokeStyle = ACCENT;
    context.lineWidth = Math.max(1.75 * unit, Math.min(3 * unit, (x2 - x1) / 16)); // what is small must stay to be seen
    context.beginPath();
    context.roundRect(x1, y1, x2 - x1, y2 - y1, Math.min(10 * unit, (x2 - x1) / 6));
    context.stroke();
    context.fillStyle = ACCENT;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    const radius = Math.max(1.5 * unit, Math.min(4 * unit, (x2 - x1) / 24));
    context.lineWidth = radius / 3;
    for (const [x, y] of withPoints ? keypoints : []) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    drawLabel(context, `${Math.round(100 * score)} %`, x1, y1, x2 - x1, unit);
  }
}

function drawLabel(context, text, x, y, side, unit) {
  const width = context.measureText(text).width + 12 * unit;
  if (width > 1.5 * side) return; // in a crowd labels would hide faces
  const height = 22 * unit;
  const top = y - height - 4 * unit < 0 ? y + 4 * unit : y - height - 4 * unit;
  context.fillStyle = ACCENT;
  context.beginPath();
  context.roundRect(x, top, width, height, 6 * unit);
  context.fill();
  context.fillStyle = "#1a0d05";
  context.fillText(text, x + 6 * unit, top + height / 2 + unit);
}

/**
 * Make faces unrecognisable on a canvas where the picture has been drawn. how: "mosaic" or "solid"; pixels: the picture
 * as it came, an ImageData, in whose frame the boxes are (see covers.js). The canvas itself is not asked for its pixels:
 * where a graphics processor draws it, that takes longer than finding the faces.
 */
export function coverBoxes(context, pixels, boxes, how, mirrored) {
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? pixels.width : 0, 0);
  for (const box of boxes) {
    const [x, y, width, height] = region(box, pixels);
    if (width < 1 || height < 1) continue;
    if (how === "mosaic") drawMosaic(context, pixels, x, y, width, height);
    else {
      context.fillStyle = "#22252f";
      context.fillRect(x, y, width, height);
    }
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
}

// Whole pixels outwards, inside the picture: x, y, width, height.
function region([x1, y1, x2, y2], picture) {
  const left = Math.max(0, Math.floor(x1));
  const top = Math.max(0, Math.floor(y1));
  const right = Math.min(picture.width, Math.ceil(x2));
  const bottom = Math.min(picture.height, Math.ceil(y2));
  return [left, top, right - left, bottom - top];
}

// Each cell gets the mean of its pixels.
function drawMosaic(context, pixels, x, y, width, height) {
  const { data } = pixels;
  const cell = Math.max(width, height) / RULES.cells;
  const columns = Math.max(1, Math.min(width, Math.round(width / cell)));
  const rows = Math.max(1, Math.min(height, Math.round(height / cell)));
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = [Math.floor((row * height) / rows), Math.floor(((row + 1) * height) / rows)];
    for (let column = 0; column < columns; column++) {
      const [left, right] = [Math.floor((column * width) / columns), Math.floor(((column + 1) * width) / columns)];
      const sums = [0, 0, 0];
      for (let j = y + top; j < y + bottom; j++) {
        const row = 4 * (j * pixels.width + x);
        for (let at = row + 4 * left; at < row + 4 * right; at += 4) {
          for (let c = 0; c < 3; c++) sums[c] += data[at + c];
        }
      }
      const count = (bottom - top) * (right - left);
      context.fillStyle = `rgb(${sums.map((sum) => Math.round(sum / count)).join(" ")})`;
      context.fillRect(x + left, y + top, right - left, bottom - top);
    }
  }
}
