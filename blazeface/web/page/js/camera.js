// The camera: opened, switched, read frame by frame; and words for what can go wrong.

import { Frames } from "./frames.js";

const WORDS = {
  NotAllowedError:
    "The camera was refused. Allow it for this page in the browser's settings (beside the address), then start again.",
  SecurityError: "The camera is switched off for this page by the browser's settings.",
  NotFoundError: "No camera was found on this device. Pictures can still be opened.",
  NotReadableError: "The camera does not answer; another program may be using it. Close that, then start again.",
  AbortError: "The camera stopped before it had begun. Start it again.",
};

/** What to tell somebody whose camera could not be opened. */
export function explain(error) {
  return WORDS[error.name] ?? `The camera could not be opened: ${error.message || error.name}.`;
}

// The network sees 128 or 256 pixels: more than the first costs time and shows it nothing, unless it looks for small faces.
const SIZES = [{ width: { ideal: 640 }, height: { ideal: 480 } }, { width: { ideal: 1280 }, height: { ideal: 720 } }];

export class Camera extends Frames {
  /**
   * An open camera; which: {facing: "user" | "environment"} or {deviceId}; detailed: see `detail`. Throws what getUserMedia
   * throws.
   */
  static async open(which, detailed) {
    if (!navigator.mediaDevices?.getUserMedia) {
      const error = new Error("browsers give the camera to secure pages only: open this one by https or on localhost");
      error.name = "InsecureError";
      throw error;
    }
    const choice = which.deviceId ? { deviceId: { exact: which.deviceId } } : { facingMode: { ideal: which.facing } };
    const size = { ...SIZES[Number(detailed)], frameRate: { ideal: 30 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...choice, ...size }, audio: false });
    const camera = new Camera(stream);
    try {
      await camera.begin();
    } catch (error) {
      camera.close();
      throw error;
    }
    return camera;
  }

  constructor(stream) {
    super(Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream }));
    this.stream = stream;
    [this.track] = stream.getVideoTracks();
  }

  async begin() {
    this.track.addEventListener("ended", () => {
      this.lost = !this.closed;
      this.close();
    });
    await this.video.play();
    const { deviceId, facingMode } = this.track.getSettings();
    this.deviceId = deviceId;
    this.facing = facingMode ?? null;
    this.listen();
  }

  /** Ask for larger pictures, or the usual ones again; a camera that cannot goes on as it is. */
  detail(detailed) {
    this.track.applyConstraints(SIZES[Number(detailed)]).catch(() => {});
  }

  /** Whether it looks at the person who holds the device; a camera that does not say is taken for a webcam. */
  get looksAtUser() {
    return this.facing !== "environment";
  }

  /** In seconds. */
  get time() {
    return performance.now() / 1000;
  }

  /** What `Camera.open` takes for the next camera after this one, or null where there is no other. */
  async another() {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    if (devices.length < 2) return null;
    // Phones have several cameras on their back: going from front to back is what people mean.
    if (this.facing) return { facing: this.facing === "user" ? "environment" : "user" };
    const here = devices.findIndex(({ deviceId }) => deviceId === this.deviceId);
    return { deviceId: devices[(here + 1) % devices.length].deviceId };
  }

  close() {
    super.close();
    this.stream.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}
