// Which parts of a live picture are covered: blazeface/privacy/tracks.py and covers.py are the same in Python, where they
// can look ahead as well. The numbers are in rules.js.

import { boxIou } from "./blend.js";
import { RULES } from "./rules.js";

/** A box with the margins of the rules. score: of a face that is seen there, by which they differ; null where it is not. */
export function withMargin([x1, y1, x2, y2], rules = RULES, score = null) {
  const certain = score !== null && score >= rules.certain;
  const across = (certain ? rules.certain_across : rules.margin_across) * (x2 - x1);
  const down = (score === null || certain ? rules.margin_down : rules.doubtful_down) * (y2 - y1);
  return [x1 - across, y1 - down, x2 + across, y2 + down];
}

/** Follows the faces of one camera; see `update`. rules: those of rules.js, or some with another score. */
export class Covers {
  #tracks = [];
  #size = "";
  #before = null; // the time of the picture before

  constructor(rules = RULES) {
    this.rules = rules;
  }

  /**
   * Candidates of the next picture, {box, score}, best first, and its time in seconds -> its covers,
   * {box, kind: "seen" | "held"}: boxes in its pixels, all that is to be covered.
   */
  update(candidates, time, width, height) {
    if (this.#size !== `${width} ${height}`) [this.#tracks, this.#size, this.#before] = [[], `${width} ${height}`, null];
    const { rules } = this;
    const step = this.#before === null ? 0 : time - this.#before;
    this.#before = time;
    this.#tracks = this.#tracks.filter((track) => {
      const alive = time - track.last.time <= (track.confirmed ? rules.bridge : rules.brief);
      if (!alive) track.before = null; // or a chain of them would keep all that ever was
      return alive;
    });
    const places = this.#tracks.map((track) => expected(track, time, rules));
    const established = places.filter((_, n) => this.#tracks[n].established);
    const counting = candidates.filter((candidate) => candidate.score >= rules.faint
      && credible(candidate, established, width, height, rules));
    const chosen = apart(counting, rules);
    const trackOf = associate(places, chosen, rules.overlap);
    const before = [...this.#tracks];
    const lost = new Set(before);
    for (const number of trackOf.values()) lost.delete(before[number]);
    chosen.forEach(({ box, score }, n) => {
      const known = trackOf.has(n) ? before[trackOf.get(n)] : lostNear(lost, box, time, rules);
      const goesOn = known !== null && (trackOf.has(n) || time - known.last.time <= rules.regain + 1e-9);
      const track = goesOn ? known : begin(this.#tracks, known);
      lost.delete(track);
      track.recent = [...track.recent.filter((sighting) => sighting.time >= time - 2 * rules.memory), { time, box }];
      track.first ??= time;
      track.last = { time, box, score };
      if (score >= rules.score) {
        track.confirmed = true;
        track.strong += 1;
        track.evidence += step * score;
        track.established = track.strong >= rules.established && track.evidence >= rules.evidence;
      }
    });
    return this.#tracks.flatMap((track) => coverOf(track, time, width, height, rules));
  }
}

// A new track; before: the lost one that it is linked to, or null.
function begin(tracks, before) {
  const track = { recent: [], first: null, last: null, strong: 0, evidence: 0, confirmed: false, established: false, before };
  tracks.push(track);
  return track;
}

// Those candidates that are not the same face as a better one.
function apart(candidates, rules) {
  const kept = [];
  for (const candidate of candidates) {
    const inside = kept.some(({ box, score }) => shareInside(candidate.box, withMargin(box, rules, score >= rules.certain ? score : null)) >= rules.inside);
    if (candidate.score >= rules.sure || !inside) kept.push(candidate);
  }
  return kept;
}

function shareInside(box, region) {
  const across = Math.max(0, Math.min(box[2], region[2]) - Math.max(box[0], region[0]));
  const down = Math.max(0, Math.min(box[3], region[3]) - Math.max(box[1], region[1]));
  return (across * down) / Math.max((box[2] - box[0]) * (box[3] - box[1]), 1e-9);
}

// The number of the track of each candidate that has one: the pair that overlaps most first.
function associate(boxes, candidates, least) {
  const overlap = boxes.map((box) => candidates.map((candidate) => boxIou(box, candidate.box)));
  const found = new Map();
  for (;;) {
    let [best, track, face] = [least, -1, -1];
    overlap.forEach((row, t) => row.forEach((value, f) => {
      if (value > best || (value === best && track < 0)) [best, track, face] = [value, t, f];
    }));
    if (track < 0) return found;
    found.set(face, track);
    overlap[track] = [];
    for (const row of overlap) if (row.length) row[face] = -1;
  }
}

// Whether a candidate counts: a large one of no high score only where an established track expects its face.
function credible({ box, score }, established, width, height, rules) {
  const large = Math.max(box[2] - box[0], box[3] - box[1]) > rules.large * Math.min(width, height);
  if (!large || score >= rules.large_score) return true;
  return established.some((place) => boxIou(place, box) >= rules.overlap);
}

// Side of a square of the box's area.
function side([x1, y1, x2, y2]) {
  return Math.max(Math.sqrt(Math.max(x2 - x1, 0) * Math.max(y2 - y1, 0)), 1e-6);
}

function moved(box, across, down) {
  const unit = side(box);
  return [box[0] + across * unit, box[1] + down * unit, box[2] + across * unit, box[3] + down * unit];
}

// Sides a second over the last moments in which the face was seen.
function velocity({ recent, last }, rules) {
  const first = recent.find(({ time }) => time >= last.time - rules.memory - 1e-9);
  const seconds = last.time - first.time;
  if (seconds <= 0) return [0, 0];
  const unit = 2 * seconds * side(last.box);
  return [0, 1].map((axis) => (last.box[axis] + last.box[axis + 2] - first.box[axis] - first.box[axis + 2]) / unit);
}

function expected(track, time, rules) {
  const seconds = Math.min(time - track.last.time, rules.coast);
  const [x, y] = velocity(track, rules);
  return moved(track.last.box, x * seconds, y * seconds);
}

// The lost track that is nearest to a box, if one is within reach and of a like size. One that was lost longer ago than
// `regain` is linked to the new track; Python covers the frames between, here those are shown already.
function lostNear(lost, box, time, rules) {
  let [best, nearest] = [null, 1];
  for (const track of lost) {
    const [own, other] = [side(track.last.box), side(box)];
    if (Math.max(own, other) > rules.ratio * Math.min(own, other)) continue;
    const limit = rules.reach + rules.speed * (time - track.last.time);
    const places = [expected(track, time, rules), track.last.box]; // it may have gone on, and it may have turned back
    const distance = Math.min(...places.map((place) => distanceBetween(box, place))) / limit;
    if (distance <= nearest) [best, nearest] = [track, distance];
  }
  return best;
}

// Distance of the middles of two boxes, in the mean of their sides.
function distanceBetween(a, b) {
  return Math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / (side(a) + side(b));
}

// Of a face that is seen much smaller than just before, as one half hidden is, also where it was seen larger.
function seenBox({ recent, last }, rules) {
  const own = withMargin(last.box, rules, last.score);
  const largest = recent
    .filter(({ time }) => time >= last.time - rules.memory - 1e-9)
    .reduce((best, { box }) => (side(box) > side(best) ? box : best), last.box);
  return side(last.box) < rules.shrunk * side(largest) ? union(own, withMargin(largest, rules)) : own;
}

function union(a, b) {
  return a.map((value, i) => (i < 2 ? Math.min(value, b[i]) : Math.max(value, b[i])));
}

function coverOf(track, time, width, height, rules) {
  if (!track.confirmed) return [];
  const { box } = track.last;
  const away = time - track.last.time;
  if (away === 0) return [{ box: seenBox(track, rules), kind: "seen" }];
  const sure = track.established || Boolean(track.before?.established);
  if (away > (sure ? rules.hold : Math.min(rules.hold, rules.brief))) return [];
  const own = withMargin(box, rules);
  const knownFor = Math.min(1, (track.last.time - track.first) / rules.memory);
  const [x, y] = velocity(track, rules).map((speed) => knownFor * speed);
  const seconds = Math.min(away, rules.coast, rules.largest_coast / Math.max(Math.hypot(x, y), 1e-9));
  const ahead = withMargin(moved(box, x * seconds, y * seconds), rules); // it may have gone on, and it may have stopped
  const slack = sure ? rules.slack : 0;
  const sides = Math.min(slack + rules.growth * away, rules.largest_growth);
  const pixels = Math.min(sides * side(box), rules.picture_growth * Math.min(width, height));
  return [{ box: union(own, ahead).map((value, i) => (i < 2 ? value - pixels : value + pixels)), kind: "held" }];
}
