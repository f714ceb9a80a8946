// A video element that is read frame by frame; a camera and a video file are each one (camera.js, video_file.js).

export class Frames {
  constructor(video) {
    this.video = video;
    this.closed = false;
    this.lost = false; // ended by itself, not by `close`
    this.fresh = false; // a frame is there that nobody has taken yet
    this.wake = () => {};
  }

  // Always listening: a frame that comes while the last one is searched is taken as soon as that is done. Asking only
  // then would mean waiting for the one after it, and at 30 frames a second a search of 35 ms would give 15.
  listen() {
    const arrived = () => {
      if (this.closed) return;
      this.again();
      this.listen();
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(arrived);
    else requestAnimationFrame(arrived);
  }

  /** Have the present frame searched, also when it was before. */
  again() {
    this.fresh = true;
    this.wake();
  }

  /** The next new frame is there: true; there will be none: false. */
  async nextFrame() {
    if (!this.fresh && !this.closed) await new Promise((resolve) => (this.wake = resolve));
    this.fresh = false;
    return !this.closed;
  }

  close() {
    this.closed = true;
    this.wake();
  }
}
