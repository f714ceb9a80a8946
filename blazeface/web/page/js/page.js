// The page itself: controls, the loop over a camera's or a video's frames, pictures.

import { Camera, explain } from "./camera.js";
import { Covers } from "../blazeface/covers.js";
import { at, complain, countOf, say } from "./elements.js";
import { coverBoxes, drawFaces, drawPicture, mirrorFaces } from "./draw.js";
import { Meter } from "./meter.js";
import { keepForOffline } from "./offline.js";
import { fit, isVideo, listenForFiles, readPicture } from "./opening.js";
import { offerAddress } from "./phone.js";
import { ENGINE_NAMES, openDetector } from "./runtime.js";
import { RULES } from "../blazeface/rules.js";
import { loadSettings, saveSettings } from "./settings.js";
import { showPlayer, VideoFile } from "./video_file.js";

const LONGEST = 4096; // pixels of a picture's side; phones cannot hold much larger canvases
const LONGEST_MOVING = 1920; // of a video's frame, whose pixels are read each time
const SHOW_EVERY = 250; // milliseconds between changes of text, which nobody reads faster
const SAY_AFTER = 1000; // milliseconds for which a number of faces must hold before it is said

const stage = at.stage.getContext("2d");
const work = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

let site; // what the server offers: {models, runtime_files, ...}
let detector = null;
let moving = null; // the camera or the video file that is shown
let picture = null; // the picture that is shown, as a canvas
let mirrorChosen = null; // null: as suits the camera
let shown = { faces: [], textAt: 0, said: null, since: 0, count: null };

// ---- the model

async function loadDetector() {
  const model = new URL(`models/${encodeURIComponent(at.model.value)}.onnx`, document.baseURI);
  say("Loading the model …");
  const last = detector;
  detector = null;
  await searching; // in the last one, which must stay open until then
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
      moving?.again();
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

let searching = Promise.resolve(); // one search after the other: a network that runs cannot be run

function find(source) {
  const using = detector;
  const found = searching.then(() => search(using, source));
  searching = found.catch(() => {});
  return found;
}

async function search(using, source) {
  const { width, height } = source;
  const pixels = source.getContext("2d").getImageData(0, 0, width, height);
  const start = performance.now();
  const shownFrom = threshold();
  const scoreThreshold = at.cover.value === "off" ? shownFrom : Math.min(RULES.faint, shownFrom);
  const candidates = await using.detect(pixels, { scoreThreshold, minFace: at.small.checked ? "auto" : null });
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

let latest = 0; // number of the last search that was asked for in a picture

async function findInPicture() {
  const [mine, source] = [++latest, picture];
  await searching;
  if (mine !== latest || !detector || !source) return; // such as for a slider that has moved on
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

async function openFile(file) {
  if (moving) setMode("idle");
  stop();
  complain(null);
  try {
    if (isVideo(file)) return await openVideo(file);
    picture = await readPicture(file, LONGEST);
  } catch (error) {
    say(picture ? "The last picture is still open." : "Nothing is open.");
    return complain(error.message);
  }
  setMirror(false);
  setMode("picture");
  await changing;
  if (detector) await findInPicture();
  return null;
}

// ---- what moves: a camera, a video file

async function openVideo(file) {
  say("Opening the video …");
  const opened = await VideoFile.open(file);
  begun(opened, "video");
  say("The video is open.");
  showPlayer(opened, at);
  opened.video.play().catch(() => {}); // a browser that wants a click for it gets one at "Play"
}

async function startCamera(which) {
  stop();
  complain(null);
  picture = null;
  const focused = document.activeElement === at.camera;
  at.camera.disabled = true; // which takes the focus from it
  say("Opening the camera …");
  let camera;
  try {
    camera = await Camera.open(which, at.small.checked);
  } catch (error) {
    setMode("idle");
    complain(explain(error));
    say("No camera.");
    return;
  } finally {
    at.camera.disabled = false;
    if (focused) at.camera.focus();
  }
  begun(camera, "camera");
  say("The camera is on.");
  const another = await camera.another().catch(() => null);
  if (moving === camera) at.switch.hidden = another === null;
}

function begun(source, mode) {
  stop(); // what was opened meanwhile
  picture = null;
  moving = source;
  setMirror(source.looksAtUser);
  setMode(mode);
  watch(source);
}

function stop() {
  moving?.close();
  moving = null;
  at.switch.hidden = true;
  at.meter.hidden = true;
}

async function watch(mine) {
  const meter = new Meter();
  let covers = new Covers();
  let last = 0;
  shown = { ...shown, count: null, said: null, textAt: 0 };
  try {
    while (await mine.nextFrame()) {
      if (!detector) await changing;
      if (!detector || mine.closed) break;
      const { time, video } = mine;
      if (!video.videoWidth || !video.videoHeight) continue;
      const [width, height] = fit(video.videoWidth, video.videoHeight, LONGEST_MOVING);
      if (work.canvas.width !== width || work.canvas.height !== height) Object.assign(work.canvas, { width, height });
      work.drawImage(video, 0, 0, width, height);
      if (time < last) covers = new Covers(); // somebody went back in a video
      last = time;
      covers.rules = coverRules();
      const { pixels, candidates, faces, cost } = await find(work.canvas);
      if (mine.closed) break;
      // What is shown is the frame that was searched, never a newer one: its faces could be elsewhere, uncovered.
      show(work.canvas, pixels, faces, covers.update(candidates, time, width, height));
      const now = performance.now();
      meter.add(now, cost);
      tell(meter, faces, now, video.paused);
    }
  } catch (error) {
    complain(`Finding faces failed: ${error.message}`);
  }
  if (mine !== moving) return; // somebody stopped it, or opened something else
  const wasCamera = mine instanceof Camera;
  stop();
  setMode("idle");
  if (mine.lost) complain(wasCamera ? "The camera was unplugged, or another program took it." : "The video cannot be read on.");
  say(wasCamera ? "The camera is off." : "The video is closed.");
}

function tell(meter, faces, now, still) {
  if (faces.length !== shown.count) Object.assign(shown, { count: faces.length, since: now });
  if (now - shown.since > SAY_AFTER && shown.said !== shown.count) {
    shown.said = shown.count;
    say(`${countOf(faces)} in sight.`);
    const what = moving instanceof Camera ? "Camera" : "Video";
    at.stage.setAttribute("aria-label", `${what} with ${countOf(faces).toLowerCase()} in sight`);
  }
  if (now - shown.textAt < SHOW_EVERY && !still) return;
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
  at.player.hidden = mode !== "video";
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

function setSmall(wanted) {
  at.small.checked = wanted;
  if (moving instanceof Camera) moving.detail(wanted);
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
  moving?.again(); // a video that stands still shows it too
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
    if (!(moving instanceof Camera)) return startCamera({ facing: "user" });
    stop();
    setMode("idle");
    return say("The camera is off.");
  });
  at.switch.addEventListener("click", async () => {
    const next = await moving?.another();
    if (next) {
      mirrorChosen = null;
      await startCamera(next);
      at.switch.focus();
    }
  });
  listenForFiles({ button: at.open, input: at.file, frame: at.frame }, openFile);
  at.save.addEventListener("click", savePicture);
  at.model.addEventListener("change", () => (remember(), changeModel()));
  at.engine.addEventListener("change", () => (remember(), changeModel()));
  at.threshold.addEventListener("input", () => (showThreshold(), redraw()));
  at.cover.addEventListener("change", () => {
    if (at.cover.value !== "off") setSmall(true); // who hides faces wants all of them hidden
    redraw();
  });
  at.marks.addEventListener("change", redraw);
  at.small.addEventListener("change", () => {
    setSmall(at.small.checked);
    redraw();
  });
  at.mirror.addEventListener("change", () => {
    mirrorChosen = at.mirror.checked;
    redraw();
  });
  at.numbers.closest("details").addEventListener("toggle", () => showNumbers(shown.faces));
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
  offerAddress(site);
  at.model.replaceChildren(...site.models.map((name) => new Option(name, name)));
  restore();
  showThreshold();
  return changeModel();
}

begin();
