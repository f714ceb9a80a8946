"""Where the covers of a frame lie: around what is seen, between two sightings, and beside the first and the last.

All that is known when a frame is covered counts, frames after it too: none for a camera, those of the delay with
`--delay`, all of a file's. The rules are in `rules`; the page has the same ones without a look ahead in js/covers.js.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from math import hypot, inf
from typing import Literal, NamedTuple

from blazeface.privacy.tracks import Box, CoverTracks, Track, moved, side, with_margin

Kind = Literal["seen", "bridged", "held"]


class Cover(NamedTuple):
    """One cover of one frame. track: the number of the track that it comes from. box: all that is covered, in pixels.

    kind: "seen" in this frame, "bridged" between two sightings, "held" before the first or after the last. score: of
    the sighting, 0 where there is none.
    """

    track: int
    box: Box
    kind: Kind
    score: float


def covers_at(tracks: CoverTracks, time: float, among: Iterable[Track] | None = None) -> list[Cover]:
    """The covers of the frame at a time, in seconds, from all that is known by now.

    among: the tracks that may give one; all of them by default.
    """
    found = []
    for track in tracks.tracks if among is None else among:
        if not track.confirmed:
            continue
        cover = _of_track(track, time, tracks)
        if cover is not None:
            found.append(cover)
        cover = _of_link(track, time, tracks)
        if cover is not None:
            found.append(cover)
    return found


def by_second(tracks: CoverTracks) -> dict[int, list[Track]]:
    """For each whole second the tracks that may give a cover in it."""
    found: dict[int, list[Track]] = defaultdict(list)
    for track in tracks.tracks:
        if track.confirmed:
            first = track.times[0] if track.link is None else track.link[0].times[track.link[1] - 1]
            start, end = min(first, track.times[0] - tracks.rules.bridge), track.times[-1] + tracks.rules.bridge
            for second in range(int(start) - 1, int(end) + 2):
                found[second].append(track)
    return found


def _of_track(track: Track, time: float, tracks: CoverTracks) -> Cover | None:
    rules = tracks.rules
    last = bisect_right(track.times, time) - 1
    if last >= 0 and track.times[last] == time:
        box, score = with_margin(track.boxes[last], rules, track.scores[last]), track.scores[last]
        larger = track.larger_before(last, rules)
        whole = box if larger is None else _union(box, with_margin(larger, rules))
        return Cover(track.number, whole, "seen", score)
    if 0 <= last < len(track.times) - 1:
        after, before = track.times[last + 1] - time, time - track.times[last]
        if after + before > rules.linger and min(after, before) > rules.brief and not _is_sure(track, True):
            return None
        box = _between(
            track.boxes[last], track.times[last], track.boxes[last + 1], track.times[last + 1], time, tracks
        )
        return Cover(track.number, box, "bridged", 0.0)
    if last < 0:
        away, box, velocity = track.times[0] - time, track.boxes[0], track.velocity_at_start(rules.memory)
        velocity = -velocity[0], -velocity[1]
        known = True  # the sightings before it would be part of the track
    else:
        away, box, velocity = time - track.times[-1], track.boxes[-1], track.velocity_at_end(rules.memory)
        known = tracks.ended or tracks.known_until - track.times[-1] > rules.bridge
    limit, sides = (rules.linger if known else rules.hold), rules.largest_coast
    sure = _is_sure(track, last < 0)
    if not sure or (known and last >= 0 and track.continued):
        limit = min(limit, rules.brief)
    elif known and max(track.scores) >= rules.sure and track.times[-1] - track.times[0] >= rules.memory:
        exit_after = _seconds_to_edge(box, velocity, tracks)
        if exit_after <= rules.bridge:  # it came in, or leaves: all the way from the edge, or to it
            limit, sides = max(limit, exit_after), rules.largest_exit
    if away > limit:
        return None
    known_for = min(1.0, (track.times[-1] - track.times[0]) / rules.memory)
    velocity = known_for * velocity[0], known_for * velocity[1]
    speed = hypot(*velocity)
    seconds = min(away, limit if sides == rules.largest_exit else rules.coast, sides / max(speed, 1e-9))
    ahead = with_margin(moved(box, velocity[0] * seconds, velocity[1] * seconds), rules)
    # It may have gone on, and it may have stopped.
    slack = rules.slack if sure else 0.0
    whole = _grown(_union(with_margin(box, rules), ahead), box, away, tracks, slack)
    return Cover(track.number, whole, "held", 0.0)


def _is_sure(track: Track, ahead: bool) -> bool:
    """Whether a track is established, or goes on from one that is. ahead: or another that is goes on from it."""
    before = track.link is not None and track.link[0].established
    return track.established or before or (ahead and any(heir.established for heir in track.heirs))


def _seconds_to_edge(box: Box, velocity: tuple[float, float], tracks: CoverTracks) -> float:
    """Until a box that keeps its velocity, in sides a second, is out of the picture; infinite for one at rest."""
    times = []
    for axis, speed, length in ((0, velocity[0], tracks.width), (1, velocity[1], tracks.height)):
        if speed:
            way = length - box[axis] if speed > 0 else box[axis + 2]
            times.append(max(way, 0.0) / (abs(speed) * side(box)))
    return min(times, default=inf)


def _of_link(track: Track, time: float, tracks: CoverTracks) -> Cover | None:
    """The cover between where a track began and where the one before it was lost."""
    if track.link is None or not track.link[0].confirmed:
        return None
    before, count = track.link
    if not (_is_sure(before, False) or _is_sure(track, True)):
        return None
    start, end = before.times[count - 1], track.times[0]
    if not start < time < end:
        return None
    return Cover(
        track.number, _between(before.boxes[count - 1], start, track.boxes[0], end, time, tracks), "bridged", 0.0
    )


def _between(first: Box, start: float, second: Box, end: float, time: float, tracks: CoverTracks) -> Box:
    share = (time - start) / (end - start)
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    box = x1, y1, x2, y2
    return _grown(with_margin(box, tracks.rules), box, min(time - start, end - time), tracks)


def _grown(region: Box, face: Box, seconds: float, tracks: CoverTracks, slack: float = 0.0) -> Box:
    """A region with what its face may have moved in some seconds."""
    rules = tracks.rules
    sides = min(slack + rules.growth * seconds, rules.largest_growth)
    pixels = min(sides * side(face), rules.picture_growth * min(tracks.width, tracks.height))
    return region[0] - pixels, region[1] - pixels, region[2] + pixels, region[3] + pixels


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
