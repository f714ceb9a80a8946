// The page itself: controls, the camera's loop, pictures.

import { Camera, explain } from "./camera.js";
import { Covers } from "../blazeface/covers.js";
import { coverBoxes, drawFaces, drawPicture, mirrorFaces } from "./draw.js";
import { Meter } from "./meter.js";
import { keepForOffline } from "./offline.js";
import { ENGINE_NAMES, openDetector } from "./runtime.js";
import { RULES } from "../blazeface/rules.js";
import { loadSettings, saveSettings } from "./settings.js";

const LONGEST = 4096; // pixels of a picture's side; phones cannot hold much larger canvases
const SHOW_EVERY = 250; // milliseconds between changes of text, which nobody reads faster
const SAY_AFTER = 1000; // milliseconds for which a number of faces must hold before it is said

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const stage = at.stage.getContext("2d");
const work = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

let site; // what the server offers: {models, runtime_files, ...}
let detector = null;
let camera = null;
let picture = null; // the picture that is shown, as a canvas
let mirrorChosen = null; // null: as suits the camera
let shown = { faces: [], textAt: 0, said: null, since: 0, count: null };

// ---- words

function say(text) {
  if (at.status.textContent !== text) at.status.textContent = text;
}

function complain(text) {
  at.trouble.hidden = !text;
  at.trouble.textContent = text ?? "";
}

function countOf(faces) {
  if (faces.length === 0) return "No face";
  return faces.length === 1 ? "1 face" : `${faces.length} faces`;
}

// ---- the model

async function loadDetector() {
  const model = new URL(`models/${encodeURIComponent(at.model.value)}.onnx`, document.baseURI);
  say("Loading the model …");
  const last = detector;
  detector = null;
  await last?.close();
  detector = await openDetector(model, at.engine.value, site.runtime_files);
  at["engine-used"].textContent = `${detector.spec.name} · ${ENGINE_NAMES[detector.engine]}`;
  if (!loadSettings().threshold) at.threshold.value = detector.spec.score_threshold;
  showThreshold();
}

let changing = Promise.resolve();

/** Load what the settings ask for; one after the other when somebody changes them quickly. */
function changeModel() {
  changing = changing.then(async () => {
    try {
      complain(null);
      await loadDetector();
      say("Ready.");
      if (picture) await findInPicture();
      keepForOffline().then((kept) => {
        at.offline.textContent = kept ? "Ready to be used without a network." : "";
        document.body.dataset.offline = kept ? "yes" : "no";
      });
    } catch (error) {
      at["engine-used"].textContent = "";
      complain(error.message);
      say("Nothing can be found yet.");
    }
    document.body.dataset.ready = detector ? "yes" : "no";
  });
  return changing;
}

// ---- one picture

/** The score from which faces are shown; what is covered is looked for from a lower one. */
const threshold = () => Number(at.threshold.value);
const coverRules = () => ({
  ...RULES,
  score: Math.min(RULES.score, threshold()),
  faint: Math.min(RULES.faint, threshold()),
});

async function find(source) {
  const { width, height } = source;
  const pixels = source.getContext("2d").getImageData(0, 0, width, height);
  const start = performance.now();
  const shownFrom = threshold();
  const scoreThreshold = at.cover.value === "off" ? shownFrom : Math.min(RULES.faint, shownFrom);
  const candidates = await detector.detect(pixels, { scoreThreshold, minFace: at.small.checked ? "auto" : null });
  const faces = candidates.filter(({ score }) => score >= shownFrom);
  return { pixels, candidates, faces, cost: performance.now() - start };
}

function show(source, pixels, faces, covers) {
  const mirrored = at.mirror.checked;
  const cover = at.cover.value;
  drawPicture(stage, source, mirrored);
  if (cover !== "off") coverBoxes(stage, pixels, covers.map(({ box }) => box), cover, mirrored);
  // No points on a covered face: they would tell which way it looks.
  if (at.marks.checked) drawFaces(stage, mirrored ? mirrorFaces(faces, source.width) : faces, cover === "off");
  shown.faces = faces;
  at.save.disabled = false;
}

function showNumbers(faces) {
  const round = (value, digits) => Number(value.toFixed(digits));
  const plain = faces.map(({ box, score, keypoints }) => ({
    box: box.map((value) => round(value, 2)),
    score: round(score, 4),
    keypoints: keypoints.map((point) => point.map((value) => round(value, 2))),
  }));
  at.numbers.textContent = `[${plain.map((face) => JSON.stringify(face)).join(",\n ")}]`;
}

async function findInPicture() {
  if (!detector || !picture) return;
  const source = picture;
  const { pixels, candidates, faces, cost } = await find(source);
  if (source !== picture) return; // another one was opened meanwhile
  show(source, pixels, faces, new Covers(coverRules()).update(candidates, 0, source.width, source.height));
  showNumbers(faces);
  at.stage.setAttribute("aria-label", `Picture with ${countOf(faces).toLowerCase()} found`);
  at.meter.hidden = false;
  at.fps.textContent = "";
  at.milliseconds.textContent = `${cost.toFixed(0)} ms`;
  say(`${countOf(faces)} found.`);
}

async function openPicture(file) {
  stopCamera();
  complain(null);
  let bitmap;
  try {
    // As the file has it: colour profiles are left alone in Python too; orientation is honoured.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    complain(`${file.name}: this is no picture that the browser can read.`);
    return;
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  picture = canvas;
  setMirror(false);
  setMode("picture");
  await changing;
  if (detector) await findInPicture();
}

// ---- the camera

async function startCamera(which) {
  stopCamera();
  complain(null);
  picture = null;
  const focused = document.activeElement === at.camera;
  at.camera.disabled = true; // which takes the focus from it
  say("Opening the camera …");
  try {
    camera = await Camera.open(which);
  } catch (error) {
    setMode("idle");
    complain(explain(error));
    say("No camera.");
    return;
  } finally {
    at.camera.disabled = false;
    if (focused) at.camera.focus();
  }
  setMirror(camera.looksAtUser);
  setMode("camera");
  say("The camera is on.");
  at.switch.hidden = (await camera?.another().catch(() => null)) == null;
  if (camera) watch(camera);
}

function stopCamera() {
  camera?.close();
  camera = null;
  at.switch.hidden = true;
  at.meter.hidden = true;
}

async function watch(mine) {
  const meter = new Meter();
  const covers = new Covers();
  shown = { ...shown, count: null, said: null, textAt: 0 };
  try {
    while (await mine.nextFrame()) {
      if (!detector) await changing;
      if (!detector || mine.closed) break;
      const { videoWidth: width, videoHeight: height } = mine.video;
      if (!width || !height) continue;
      if (work.canvas.width !== width || work.canvas.height !== height) Object.assign(work.canvas, { width, height });
      work.drawImage(mine.video, 0, 0);
      covers.rules = coverRules();
      const { pixels, candidates, faces, cost } = await find(work.canvas);
      if (mine.closed) break;
      const now = performance.now();
      // What is shown is the frame that was searched, never a newer one: its faces could be elsewhere, uncovered.
      show(work.canvas, pixels, faces, covers.update(candidates, now / 1000, width, height));
      meter.add(now, cost);
      tell(meter, faces, now);
    }
  } catch (error) {
    complain(`Finding faces failed: ${error.message}`);
  }
  if (mine !== camera) return; // somebody stopped it, or switched
  stopCamera();
  setMode("idle");
  if (mine.lost) complain("The camera was unplugged, or another program took it.");
  say("The camera is off.");
}

function tell(meter, faces, now) {
  if (faces.length !== shown.count) Object.assign(shown, { count: faces.length, since: now });
  if (now - shown.since > SAY_AFTER && shown.said !== shown.count) {
    shown.said = shown.count;
    say(`${countOf(faces)} in sight.`);
    at.stage.setAttribute("aria-label", `Camera with ${countOf(faces).toLowerCase()} in sight`);
  }
  if (now - shown.textAt < SHOW_EVERY) return;
  shown.textAt = now;
  const speed = meter.read();
  if (speed) {
    at.meter.hidden = false;
    at.fps.textContent = `${speed.fps.toFixed(0)} frames/s`;
    at.milliseconds.textContent = `${speed.milliseconds.toFixed(1)} ms`;
  }
  if (at.numbers.closest("details").open) showNumbers(faces);
}

// ---- controls

function setMode(mode) {
  at.frame.dataset.mode = mode;
  at.empty.hidden = mode !== "idle";
  at.camera.textContent = mode === "camera" ? "Stop camera" : "Start camera";
  at.save.disabled = mode === "idle";
  if (mode === "idle") {
    at.stage.setAttribute("aria-label", "No picture yet");
    stage.clearRect(0, 0, at.stage.width, at.stage.height);
  }
}

function setMirror(suits) {
  at.mirror.checked = mirrorChosen ?? suits;
}

function showThreshold() {
  at["threshold-shown"].textContent = `${Math.round(100 * at.threshold.value)} %`;
}

function remember() {
  const { model, threshold, cover, engine, marks, small } = at;
  saveSettings({
    model: model.value,
    threshold: threshold.value,
    cover: cover.value,
    engine: engine.value,
    marks: marks.checked,
    small: small.checked,
  });
}

async function redraw() {
  remember();
  if (picture) await findInPicture();
}

async function savePicture() {
  const blob = await new Promise((resolve) => at.stage.toBlob(resolve, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = "blazeface.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say("Saved as blazeface.png.");
}

function listen() {
  at.camera.addEventListener("click", () => {
    if (!camera) return startCamera({ facing: "user" });
    stopCamera();
    setMode("idle");
    return say("The camera is off.");
  });
  at.switch.addEventListener("click", async () => {
    const next = await camera?.another();
    if (next) {
      mirrorChosen = null;
      await startCamera(next);
      at.switch.focus();
    }
  });
  at.open.addEventListener("click", () => at.file.click());
  at.file.addEventListener("change", async () => {
    const [file] = at.file.files;
    if (file) await openPicture(file);
    at.file.value = ""; // so that the same one can be chosen again
  });
  at.save.addEventListener("click", savePicture);
  at.model.addEventListener("change", () => (remember(), changeModel()));
  at.engine.addEventListener("change", () => (remember(), changeModel()));
  at.threshold.addEventListener("input", () => (showThreshold(), redraw()));
  at.cover.addEventListener("change", redraw);
  at.marks.addEventListener("change", redraw);
  at.small.addEventListener("change", redraw);
  at.mirror.addEventListener("change", () => {
    mirrorChosen = at.mirror.checked;
    redraw();
  });
  at.numbers.closest("details").addEventListener("toggle", () => showNumbers(shown.faces));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) openPicture(file);
  });
}

function restore() {
  const kept = loadSettings();
  for (const name of ["model", "cover", "engine", "threshold"]) {
    const control = at[name];
    const known = control.tagName !== "SELECT" || [...control.options].some(({ value }) => value === kept[name]);
    if (kept[name] && known) control.value = kept[name];
  }
  if (kept.marks === false) at.marks.checked = false;
  at.small.checked = kept.small === true;
}

async function begin() {
  listen();
  try {
    const response = await fetch("site.json");
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    site = await response.json();
  } catch (error) {
    complain(`The list of models could not be loaded: ${error.message}`);
    return say("Nothing can be found yet.");
  }
  at.model.replaceChildren(...site.models.map((name) => new Option(name, name)));
  restore();
  showThreshold();
  return changeModel();
}

begin();
