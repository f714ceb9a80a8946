// Covers stay for a moment where a face was lost: a face missed in one frame of a video must not show.

import { boxIou } from "./blend.js";

const SECONDS = 0.5;

export class Hold {
  #kept = [];

  /** Faces to cover at a time in seconds: those found now, and those of the last moment that none of them overlaps. */
  faces(found, time) {
    const still = this.#kept.filter(
      ({ face, seen }) => time - seen < SECONDS && !found.some(({ box }) => boxIou(box, face.box) > 0.3),
    );
    this.#kept = [...found.map((face) => ({ face, seen: time })), ...still];
    return this.#kept.map(({ face }) => face);
  }
}
