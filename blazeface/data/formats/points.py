"""Other sets of keypoints as BlazeFace's six."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from blazeface.data.labels import NO_POINTS
from blazeface.spec import KEYPOINT_NAMES

Point = tuple[float, float, int]
"""x, y, visibility."""

FIVE = ("right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner")
"""RetinaFace's five, which most sets of five follow: the first eye is on the picture's left, so it is the person's right
one."""

WORDS = {"center": "centre", "tip": "", "tragion": "", "corner": "", "point": "", "lip": "mouth"}

SIDES = {"l": "left", "r": "right"}

MEANT = {
    frozenset(words.split()): target
    for words, target in {
        "right eye": "right_eye",
        "left eye": "left_eye",
        "nose": "nose_tip",
        "mouth": "mouth_center",
        "mouth centre": "mouth_center",
        "right ear": "right_ear",
        "left ear": "left_ear",
        "right mouth": "right corner",
        "left mouth": "left corner",
    }.items()
}


@dataclass(frozen=True)
class PointMap:
    """Where each of the six comes from in a list of `count` points: a position, two whose middle it is, or none."""

    count: int
    sources: tuple[tuple[int, ...], ...]

    def __call__(self, points: Sequence[Point]) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
        """(keypoints, visibility) of the six; what has no source, or an unknown one, is unknown.

        A point at (-1, -1) is what tools write where they know none.
        """
        places, seen = list(NO_POINTS), [0] * len(KEYPOINT_NAMES)
        for i, sources in enumerate(self.sources):
            found = [points[j] for j in sources]
            if not found or any(v <= 0 or (x, y) == (-1, -1) for x, y, v in found):
                continue
            places[i] = (sum(p[0] for p in found) / len(found), sum(p[1] for p in found) / len(found))
            seen[i] = min(2, *(p[2] for p in found)) if len(found) > 1 else min(2, found[0][2])
        return tuple(places), tuple(seen)


def map_points(names: Sequence[str] | None, count: int) -> PointMap | str:
    """How `count` points of these names become the six, or why they cannot, as the end of a sentence.

    Without names (or with mere numbers for names) six are BlazeFace's own and five RetinaFace's.
    """
    if names is not None and all(re.fullmatch(r"\W*\d*\W*", name) for name in names):
        names = None
    if names is None:
        known = {len(KEYPOINT_NAMES): KEYPOINT_NAMES, len(FIVE): FIVE}.get(count)
        if known is None:
            return f"{count} keypoints without names: 5 (RetinaFace's), 6 (BlazeFace's) or named ones can be read"
        names = known
    if len(names) != count:
        return f"{count} keypoints, but {len(names)} names of keypoints"
    places = {target: i for i, target in reversed(list(enumerate(map(_meant, names)))) if target}
    sources: list[tuple[int, ...]] = [(places[name],) if name in places else () for name in KEYPOINT_NAMES]
    mouth = KEYPOINT_NAMES.index("mouth_center")
    if not sources[mouth] and {"right corner", "left corner"} <= places.keys():
        sources[mouth] = (places["right corner"], places["left corner"])
    if not any(sources):
        return f"none of its keypoints is an eye, a nose, a mouth or an ear: {', '.join(names)[:200]}"
    return PointMap(count, tuple(sources))


def _meant(name: str) -> str | None:
    """ "mouth_right", "RightEye" and "right eye center" are known whatever their form; None for other points."""
    parts = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    words = {WORDS.get(SIDES.get(part, part), SIDES.get(part, part)) for part in parts} - {""}
    if "eye" in words or "ear" in words or {"left", "right"} & words:
        words -= {"centre"}
    return MEANT.get(frozenset(words))
