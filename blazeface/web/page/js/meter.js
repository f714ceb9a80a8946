// How fast it goes: frames a second and milliseconds a frame, over the last two seconds.

const SPAN = 2000;

export class Meter {
  #entries = [];

  /** One frame was done at `now`; finding faces took `cost`; both in milliseconds. */
  add(now, cost) {
    this.#entries.push({ now, cost });
    this.#entries = this.#entries.filter((entry) => entry.now > now - SPAN);
  }

  /** {fps, milliseconds}: the rate, and the middle one of the costs; null before the second frame. */
  read() {
    const entries = this.#entries;
    if (entries.length < 2) return null;
    const costs = entries.map(({ cost }) => cost).sort((a, b) => a - b);
    const fps = (1000 * (entries.length - 1)) / (entries.at(-1).now - entries[0].now);
    return { fps, milliseconds: costs[costs.length >> 1] };
  }
}
