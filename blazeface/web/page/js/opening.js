// Files that somebody opens: chosen, dropped or pasted; pictures, and what the browser may play as a video.

const VIDEO_SUFFIXES = /\.(mp4|m4v|mov|webm|mkv|ogv)$/i;

/** Call `open` with each file that is chosen with `button`, dropped anywhere, or pasted. */
export function listenForFiles({ button, input, frame }, open) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (file) await open(file);
    input.value = ""; // so that the same one can be chosen again
  });
  const mark = (over) => frame.classList.toggle("over", over);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", (event) => mark(event.relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    event.preventDefault(); // else the browser would leave the page for the file
    mark(false);
    const [file] = event.dataTransfer.files;
    if (file) open(file);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files; // none where text was pasted
    if (file) open(file);
  });
}

export function isVideo(file) {
  return file.type.startsWith("video/") || (!file.type.startsWith("image/") && VIDEO_SUFFIXES.test(file.name));
}

/** A picture file as a canvas, its longer side no longer than `longest`. Throws an Error whose message is for people. */
export async function readPicture(file, longest) {
  let bitmap;
  try {
    // As the file has it: colour profiles are left alone in Python too; orientation is honoured.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name}: this is no picture that the browser can read.`);
  }
  const [width, height] = fit(bitmap.width, bitmap.height, longest);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return canvas;
}

/** Width and height scaled down to a longest side. */
export function fit(width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, Math.round(side * scale)));
}
