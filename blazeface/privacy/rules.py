"""The rules by which faces are covered: the numbers, in one place for Python and for the page.

The page reads them from blazeface/rules.js, which `tools/page_rules.py` writes from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CoverRules:
    """Which candidates are covered, for how long and how widely. Lengths are in sides of the face (the square root of
    its box's area), times in seconds.

    score: a track is covered, from its first candidate to its last, when one of them reaches this score.
    faint: candidates from this score on continue a track.
    large, large_score: a candidate whose longer side is more than this share of the picture's shorter side counts from
        this score on alone, or where it continues an established track: nearly all faces of val as large as this reach
        it, and what is no face must not cover the picture.
    margin_across, margin_down: added to a box at the left and right, and above and below, in its own width and height:
        chin and hair tell as well, and a detector of square boxes is least exact in the height of a turned face.
    certain, certain_across, doubtful_down: a sighting of at least the score `certain` has the margin certain_across at its
        sides, which covers as many faces of val as twice as much; one below it doubtful_down above and below.
    inside, sure: a candidate under the score `sure` of whose box this share lies under the cover of a better one is the
        same face.
    shrunk: a sighting whose side is less than this share of the largest within `memory` before shows part of a face, behind
        another or at its own hand: where it was seen larger is covered as well.
    overlap: IoU with the box in which a track expects its face, from which a candidate is taken for it.
    bridge: the longest gap between two sightings of a face that is covered whole.
    hold: for so long a face that is lost is covered while nobody knows whether it comes back.
    linger: for so long it is covered before its first sighting and after its last, where the frames beside are known;
        longer, up to `bridge`, if it is sure, and its motion takes it over the picture's edge by then.
    established, evidence: a track is established by this many sightings of the score `score` and this many seconds of
        them, each frame counted with its score: a hand or a fold is taken for a face now and then, but not for long.
    brief: takes the place of hold and linger for a track that is not established nor linked to one that is, and of linger
        for one that another has gone on from. The way between two tracks is covered where one of them is established.
    coast: for so long a lost face is expected to keep its velocity, which is measured over `memory`; one that was seen for
        less counts for as much less in a cover. largest_coast:
        sides that a cover reaches ahead of it at most; largest_exit: the same on the way to the picture's edge.
    slack: sides by which the cover of an established track grows at once where the face is not seen and not seen again, or
        not yet: the first and last sightings, often at the picture's edge, are the least exact. growth: sides a second by which a cover grows
        with the time to the nearest sighting; largest_growth: sides that it
        grows by at most; picture_growth: the same as a share of the picture's shorter side.
    reach, speed, ratio: a face that appears is the one that was lost if its middle is no further from where that is
        expected, or was last, than reach plus speed for each second, and neither is more than `ratio` times as large.
    regain: the longest gap after which such a face continues the lost one's track; after a longer one it may be somebody
        else, and both are covered.
    cells: colours along the longer side of a cover that is no plain field.
    """

    score: float = 0.3
    faint: float = 0.3
    large: float = 0.25
    large_score: float = 0.5
    margin_across: float = 0.1
    margin_down: float = 0.2
    certain: float = 0.9
    certain_across: float = 0.05
    doubtful_down: float = 0.25
    inside: float = 0.85
    sure: float = 0.5
    shrunk: float = 0.8
    overlap: float = 0.2
    bridge: float = 2.0
    hold: float = 1.0
    linger: float = 0.5
    brief: float = 0.2
    established: int = 3
    evidence: float = 0.25
    coast: float = 0.5
    largest_coast: float = 1.0
    largest_exit: float = 3.0
    memory: float = 0.25
    slack: float = 0.1
    growth: float = 0.5
    largest_growth: float = 0.8
    picture_growth: float = 0.15
    reach: float = 0.75
    speed: float = 2.0
    ratio: float = 2.0
    regain: float = 0.1
    cells: int = 5

    def with_score(self, score: float | None) -> CoverRules:
        """The rules with another score, None for these; candidates below it still continue a track."""
        return self if score is None else replace(self, score=score, faint=min(self.faint, score))


RULES = CoverRules()
