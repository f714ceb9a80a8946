"""The report of a covered run: who was covered from when to when, and what a person should look at.

It can be edited and applied: an entry with "covered": false leaves that person visible, an entry that is removed takes
its covers with it, and an entry with nothing but "paths" adds a face. A path is a list of [frame, x1, y1, x2, y2] in
pixels, the first frame being 0; between two frames that it names the box is interpolated. What the tool writes has a
sixth value, the score with which the face was seen in that frame, 0 where it was not.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.privacy.covers import Cover
from blazeface.privacy.log import CoverLog, Row, Rows, SourceLog
from blazeface.privacy.rules import RULES
from blazeface.privacy.tracks import Box

VERSION = 1
LONG_GAP = 0.4
"""Seconds for which a face was not seen, from which somebody should look."""

EDGE = 0.03
"""Share of the picture's side: a face that comes or goes nearer to the edge than this has come in or left."""

MOST_BYTES = 2**30
MOST_FRAMES = 10**8


def report_of(log: CoverLog) -> dict[str, Any]:
    """The report, ready for JSON: sources with their people, and what to look at, the least sure first."""
    sources, moments = [], []
    for source in (source for source in log.sources if source.done):
        people = _people(source)
        sources.append(
            {
                "source": source.source,
                "frames": len(source.times),
                "seconds": round(source.times[-1], 3) if source.times else 0.0,
                "sizes": [list(size) for size in source.sizes],
                "covered_whole": source.unknown,
                "people": [_entry(number, paths, source) for number, paths in sorted(people.items())],
            }
        )
        for number, paths in people.items():
            moments += _moments(number, paths, source)
    moments.sort(key=lambda moment: -moment[0])
    return {"blazeface_covers": VERSION, "look_at": [moment for _, moment in moments], "sources": sources}


def closing_sentence(report: Mapping[str, Any]) -> str:
    """ "12 people covered, 3 stretches to look at" """
    people = sum(len(source["people"]) for source in report["sources"])
    stretches = len(report["look_at"])
    whole = sum(len(source["covered_whole"]) for source in report["sources"])
    text = (
        f"{people} {'person' if people == 1 else 'people'} covered, "
        f"{stretches or 'no'} {'stretch' if stretches == 1 else 'stretches'} to look at"
    )
    return text + (f", {whole} {'frame' if whole == 1 else 'frames'} covered whole" if whole else "")


def report_text(report: Mapping[str, Any]) -> str:
    """JSON for people: a line for each person and for each moment to look at."""
    moments = ",\n ".join(json.dumps(moment) for moment in report["look_at"])
    sources = []
    for source in report["sources"]:
        head = json.dumps({key: value for key, value in source.items() if key != "people"})
        people = ",\n   ".join(json.dumps(person) for person in source["people"])
        sources.append(f'{head[:-1]}, "people": [\n   {people}]}}')
    joined = ",\n  ".join(sources)
    return f'{{"blazeface_covers": {VERSION},\n"look_at": [\n {moments}],\n"sources": [\n  {joined}]}}\n'


def _people(source: SourceLog) -> dict[int, list[Rows]]:
    people: dict[int, list[Rows]] = defaultdict(list)
    for (track, _), rows in sorted(source.paths.items()):
        people[source.people.get(track, track)].append(rows)
    return people


def _entry(number: int, paths: list[Rows], source: SourceLog) -> dict[str, Any]:
    kinds = _kind_by_frame(paths)
    first, last = min(kinds), max(kinds)
    counts = {kind: sum(1 for value in kinds.values() if value == kind) for kind in ("seen", "bridged", "held")}
    return {
        "number": number,
        "covered": True,
        "from": round(source.times[first], 3),
        "to": round(source.times[last], 3),
        **counts,
        "best_score": round(max(row.score for rows in paths for row in rows), 3),
        "paths": [
            [[row.frame, row.x1, row.y1, row.x2, row.y2, round(row.score, 3)] for row in rows] for rows in paths
        ],
    }


def _kind_by_frame(paths: list[Rows]) -> dict[int, str]:
    """For each frame how its person is known there: seen rather than bridged, bridged rather than held."""
    rank = {"seen": 0, "bridged": 1, "held": 2}
    kinds: dict[int, str] = {}
    for rows in paths:
        for row in rows:
            known = kinds.get(row.frame)
            if known is None or rank[row.kind] < rank[known]:
                kinds[row.frame] = row.kind
    return dict(sorted(kinds.items()))


def _moments(number: int, paths: list[Rows], source: SourceLog) -> list[tuple[float, dict[str, Any]]]:
    """What to look at of a person, each with how much it asks for it, 0 to 1."""
    times, found = source.times, []
    best = max(row.score for rows in paths for row in rows)
    kinds = _kind_by_frame(paths)
    seen = [frame for frame, kind in kinds.items() if kind == "seen"]

    def note(weight: float, start: float, end: float, why: str) -> None:
        moment = {
            "source": source.source,
            "number": number,
            "from": round(start, 3),
            "to": round(end, 3),
            "why": why,
        }
        found.append((weight, moment))

    if best < RULES.sure:
        note(1 - best, times[min(kinds)], times[max(kinds)], f"perhaps no face: its best score is {best:.2f}")
        return found
    for before, after in pairwise(seen):
        gap = times[after] - times[before]
        if gap > LONG_GAP:
            note(min(1.0, gap / RULES.bridge), times[before], times[after], f"not seen for {gap:.1f} s")
    rows = [row for path in paths for row in path if row.kind == "seen"]
    first, last = min(rows), max(rows)
    # Where the cover reaches the source's first or last frame, no frame beside it could show the face.
    if not source.alone and min(kinds) > 0 and not _at_edge(first, source):
        note(0.3, times[first.frame], times[first.frame], "appears in the middle of the picture")
    if not source.alone and max(kinds) < len(times) - 1 and not _at_edge(last, source):
        note(0.35, times[last.frame], times[last.frame], "lost in the middle of the picture")
    return found


def _at_edge(row: Row, source: SourceLog) -> bool:
    _, width, height = next(size for size in reversed(source.sizes) if size[0] <= row.frame)
    across, down = EDGE * width, EDGE * height
    return row.x1 <= across or row.y1 <= down or row.x2 >= width - across or row.y2 >= height - down


@dataclass(frozen=True)
class GivenCovers:
    """The covers of one source of a report (a `Covers`). paths: the number of a person, and rows of frame and box in the
    order of frames, between which boxes move evenly; unknown: frames that are covered whole."""

    name: str
    frames: int
    sizes: list[tuple[int, int, int]]
    unknown: frozenset[int]
    paths: list[tuple[int, list[list[float]]]]

    @property
    def bare(self) -> bool:
        """Whether it covers nothing at all."""
        return not (any(rows for _, rows in self.paths) or self.unknown)

    def covers(self, index: int, time: float, width: int, height: int) -> list[Cover] | None:
        """None beyond the frames that the report knows. Raises BlazeFaceError where the pictures have another size."""
        size = next((size for size in reversed(self.sizes) if size[0] <= index), None)
        if size is not None and size[1:] != (width, height):
            raise BlazeFaceError(
                f"{self.name}: its pictures are {width} x {height}, those that the covers belong to {size[1]} x {size[2]}"
            )
        if index >= self.frames or index in self.unknown or size is None:
            return None
        return [Cover(number, box, "seen", 0.0) for number, rows in self.paths for box in _boxes_at(rows, index)]


def read_report(path: Path) -> dict[str, GivenCovers]:
    """The covers of a report, edited or not, by the names of its sources. Raises BlazeFaceError for a file that is none."""
    shown = printable(str(path))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BlazeFaceError(f"{shown}: larger than {MOST_BYTES >> 20} MiB")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BlazeFaceError(f"{shown}: cannot be opened: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BlazeFaceError(f"{shown}: not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("blazeface_covers") != VERSION:
        raise BlazeFaceError(f"{shown}: not a report of covers (it has no blazeface_covers: {VERSION})")
    found: dict[str, GivenCovers] = {}
    for place, source in enumerate(_list(content.get("sources"), f"{shown}: sources")):
        where = f"{shown}: source {place + 1}"
        if not isinstance(source, dict) or not isinstance(source.get("source"), str):
            raise BlazeFaceError(f'{where}: has no "source", the name of a file')
        found[source["source"]] = _given(source, where)
    return found


def _given(source: dict[str, Any], where: str) -> GivenCovers:
    frames = source.get("frames")
    if type(frames) is not int or not 0 <= frames <= MOST_FRAMES:
        raise BlazeFaceError(f'{where}: "frames" must be their number')
    sizes = [_numbers(row, 3, f"{where}: sizes") for row in _list(source.get("sizes"), f"{where}: sizes")]
    unknown = _numbers(source.get("covered_whole", []), None, f"{where}: covered_whole")
    paths = []
    for place, person in enumerate(_list(source.get("people"), f"{where}: people")):
        if not isinstance(person, dict):
            raise BlazeFaceError(f"{where}: person {place + 1} is no object")
        number = person.get("number", place + 1)
        here = f"{where}: person {number}"
        if person.get("covered", True) not in (True, False):
            raise BlazeFaceError(f'{here}: "covered" must be true or false')
        for path in _list(person.get("paths"), f"{here}: paths"):
            rows = [_numbers(row, 5, f"{here}: paths") for row in _list(path, f"{here}: paths")]
            if person.get("covered", True):
                _check_rows(rows, frames, here)
                paths.append((place, rows))
    return GivenCovers(
        source["source"],
        frames,
        [(int(a), int(b), int(c)) for a, b, c in sizes],
        frozenset(map(int, unknown)),
        paths,
    )


def _check_rows(rows: list[list[float]], frames: int, here: str) -> None:
    for frame, x1, y1, x2, y2 in rows:
        if frame != int(frame) or not 0 <= frame < frames:
            raise BlazeFaceError(f"{here}: there is no frame {frame:g} among {frames}")
        if x2 < x1 or y2 < y1:
            raise BlazeFaceError(f"{here}: in frame {frame:g} the box ends before it begins")
    for row, after in pairwise(rows):
        if after[0] < row[0]:
            raise BlazeFaceError(f"{here}: frame {after[0]:g} comes after frame {row[0]:g}")


def _boxes_at(rows: list[list[float]], index: int) -> list[Box]:
    """The boxes of a path at a frame: those that it names there, else one between its neighbours. Looked up when it is asked
    for: two rows of a few bytes may stand for any number of frames."""
    place = bisect_left(rows, float(index), key=lambda row: row[0])
    named = list(takewhile(lambda row: row[0] == index, islice(rows, place, None)))
    if named:
        return [(row[1], row[2], row[3], row[4]) for row in named]
    if not 0 < place < len(rows):
        return []
    before, after = rows[place - 1], rows[place]
    share = (index - before[0]) / (after[0] - before[0])
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(before[1:], after[1:], strict=True))
    return [(x1, y1, x2, y2)]


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BlazeFaceError(f"{where}: a list is missing")
    return value


def _numbers(value: Any, count: int | None, where: str) -> list[float]:
    """The first `count` of a row of numbers; all of it for None."""
    row = _list(value, where)
    numbers = row if count is None else row[:count]
    if (count is not None and len(row) < count) or not all(
        type(v) in (int, float) and abs(v) < MOST_BYTES for v in numbers
    ):
        raise BlazeFaceError(
            f"{where}: {'numbers' if count is None else f'{count} numbers'} are needed, not {value!r:.60}"
        )
    return numbers
