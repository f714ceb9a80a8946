// A video file, played and read frame by frame.

import { Frames } from "./frames.js";

export class VideoFile extends Frames {
  /** An open file, at its beginning. Throws an Error whose message is for people. */
  static async open(file) {
    const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, preload: "auto" });
    const opened = new VideoFile(video, URL.createObjectURL(file));
    try {
      await new Promise((resolve, reject) => {
        video.addEventListener("loadeddata", resolve, { once: true });
        video.addEventListener("error", reject, { once: true });
        video.src = opened.address;
      });
      if (!video.videoWidth) throw new Error("it has sound alone");
    } catch {
      opened.close();
      throw new Error(`${file.name}: this is no video that the browser can read.`);
    }
    video.addEventListener("error", () => {
      opened.lost = true;
      opened.close();
    });
    opened.fresh = true;
    opened.listen();
    return opened;
  }

  constructor(video, address) {
    super(video);
    this.address = address;
    this.looksAtUser = false;
  }

  /** In seconds of the video. */
  get time() {
    return this.video.currentTime;
  }

  close() {
    super.close();
    this.video.removeAttribute("src");
    this.video.load();
    URL.revokeObjectURL(this.address);
  }
}

/** Lead a file by a button and a slider, until it is closed. */
export function showPlayer(file, { pause, seek }) {
  const { video } = file;
  const told = () => {
    if (file.closed) return;
    const text = video.paused ? "Play" : "Pause";
    if (pause.textContent !== text) pause.textContent = text;
    if (document.activeElement !== seek || !video.paused) seek.value = video.currentTime;
  };
  seek.max = Number.isFinite(video.duration) ? video.duration : 0;
  seek.disabled = !Number.isFinite(video.duration);
  seek.value = 0;
  pause.onclick = () => {
    if (!video.paused) return video.pause();
    if (video.ended) video.currentTime = 0;
    return video.play();
  };
  seek.oninput = () => (video.currentTime = Number(seek.value));
  for (const name of ["play", "pause", "timeupdate", "ended"]) video.addEventListener(name, told);
  video.addEventListener("pause", () => file.again()); // so that what is told is told of the last frame
  told();
}
