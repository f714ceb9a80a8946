"""The views of a picture in which faces are looked for, and the union of what they give. Pure functions.

A view is a part of the picture at a scale. The base view shows the whole picture: in the picture's own shape where the
runtime takes any height and width, in the model's square where it does not. For faces that are too small there, an
image pyramid: levels of larger scales, each of which is trusted only for the sizes of face that it shows well. A level
that is larger than one input is cut into tiles with an overlap, so that each face which the level is trusted for lies
whole in one of them.

A face's size is the root of its box's area. Sizes and places are in pixels of the picture; an input is height x width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.geometry import Floats, Image, box_area, box_iou, fitting_scale
from blazeface.spec import ModelSpec

MinFace = float | str | None
"""Side of the smallest face to find, in pixels of the picture; "auto": AUTO_SHARE of its long side; None: no search."""

Candidates = tuple[Floats, Floats, Floats]
"""boxes (N, 4), scores (N,) and keypoints (N, K, 2)."""

Reduce = Callable[[Floats, Floats, Floats, float], Candidates]

AUTO_SHARE = 1 / 64
"""Of the picture's long side: the face that "auto" looks for."""

SMALLEST = 2.0
"""Side of the smallest face on the finest level, in strides of the finest feature map."""

GOOD = 1.0
"""Strides from which on a face is taken from a level; smaller ones are left to the next finer level."""

LARGEST, LARGEST_IN_TILES = 0.5, 0.3
"""Up to these shares of the model's input side a face is taken from a level finer than the base; the second where the
runtime takes nothing but the model's square, of which the overlap of tiles should leave something."""

LONG = 1.25
"""Longer side of a box over its size, up to which a face at a seam is sure to lie whole in one tile."""

SEAM = 0.5
"""Strides from a cut within which a box may be that of half a face."""

STEP = 2.0
"""Scale of a level over that of the next coarser one, at most."""

SHARED_SIZES = 1.25
"""Largest over smallest size of face that neighbouring levels share, at least: sizes are measured with an error."""

LARGEST_ZOOM = 2.0
"""Magnification of the picture beyond which nothing more is found."""

TILE_SIDE = 1024
"""Most input pixels along a side of a tile, where the runtime takes any height and width."""

MOST_ASPECT = 4.0
"""Long over short side of an input, at most."""

SAME_POINTS, SAME_SCORE = 0.4, 0.5
"""Mean distance between the keypoints of two boxes, in sizes of the smaller, below which they are one face, and the score that
the better needs for that: of two unsure boxes either may be the right one. Two levels may see a face so differently large
that the overlap of their boxes does not tell; the keypoints of neighbours lie further apart."""

FAINT, USUAL_SUPPORT = 0.05, 3.0
"""Score from which a candidate supports a face that it overlaps, and how many supporters leave a face's score as it is: of two
faces with the same best score the one that more candidates agree on is more likely real, as with the neighbours that
Viola and Jones's detector counts. Chosen by `benchmarks.search.support`."""

ROWS = 256
"""Faces whose overlaps with all candidates are computed at once, which bounds the memory."""

MOST_CANDIDATES = 20_000
"""Candidates of all views that are looked at, best first; only a score threshold near zero gives more."""


@dataclass(frozen=True)
class View:
    """A part of a picture, what it is scaled into, and what it is trusted for.

    left, top, width, height: the part, in whole pixels of the picture. shape: height and width of the input into which
    it is letterboxed. smallest, largest: sizes of the faces that are taken from it. cuts: whether the part ends within
    the picture at its left, top, right and bottom. seam: pixels from a cut within which no box is taken.
    """

    left: int
    top: int
    width: int
    height: int
    shape: tuple[int, int]
    smallest: float = 0.0
    largest: float = math.inf
    cuts: tuple[bool, bool, bool, bool] = (False, False, False, False)
    seam: float = 0.0

    @property
    def scale(self) -> float:
        """Input pixels per pixel of the picture."""
        return fitting_scale(self.height, self.width, *self.shape)

    def cut(self, image: Image) -> Image:
        """The part of a picture (H, W, 3), not copied."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def shows(self, boxes: Floats) -> NDArray[np.bool_]:
        """Which of boxes (N, 4) lie whole in this view and are taken from it: (N,)."""
        inside = (boxes[:, :2] >= (self.left, self.top)).all(axis=1)
        inside &= (boxes[:, 2:] <= (self.left + self.width, self.top + self.height)).all(axis=1)
        shown: NDArray[np.bool_] = inside & self.takes(boxes)
        return shown

    def takes(self, boxes: Floats) -> NDArray[np.bool_]:
        """Which of boxes (N, 4) in pixels of the picture are taken from this view: (N,)."""
        size = np.sqrt(box_area(boxes))
        taken = (size >= self.smallest) & (size <= self.largest)
        ends = (self.left, self.top, self.left + self.width, self.top + self.height)
        for side, (end, cut) in enumerate(zip(ends, self.cuts, strict=True)):
            if cut:
                inside = boxes[:, side] - end if side < 2 else end - boxes[:, side]
                taken &= inside >= self.seam
        return taken


def check_min_face(min_face: MinFace) -> None:
    """Raise BlazeFaceError for what is no `MinFace`."""
    if min_face is None or min_face == "auto":
        return
    number = isinstance(min_face, (int, float)) and not isinstance(min_face, bool)
    if not (number and 1 <= float(min_face) < math.inf):
        raise BlazeFaceError(f'min_face must be a number of pixels from 1 up, "auto" or None, not {min_face!r}')


def views(
    height: int,
    width: int,
    spec: ModelSpec,
    min_face: float | str,
    multiple: int | None = None,
    tile_side: int = TILE_SIDE,
) -> list[View]:
    """The views of a picture of height x width pixels that show every face of min_face or more, the base view first.

    multiple: of what the height and width of an input must be; None where only the spec's square can be run.
    tile_side: see TILE_SIDE.
    """
    scales = _scales(height, width, spec, min_face, multiple)
    stride = min(spec.strides)
    found = [View(0, 0, width, height, base_shape(height, width, spec, multiple), GOOD * stride / scales[0])]
    if len(scales) == 1:
        return [View(0, 0, width, height, found[0].shape)]
    for level, scale in enumerate(scales[1:], 1):
        smallest = GOOD * stride / scale if level < len(scales) - 1 else 0.0
        largest = _largest(multiple) * spec.input_size / scale
        overlap = math.ceil(LONG * largest + 2 * SEAM * stride / scale)
        side = spec.input_size if multiple is None else max(tile_side // multiple * multiple, spec.input_size)
        most = max(math.floor(side / scale), overlap + 1)
        for top, rows in _spans(height, most, overlap):
            for left, columns in _spans(width, most, overlap):
                shape = (spec.input_size, spec.input_size)
                if multiple is not None:
                    shape = (_up(rows * scale, multiple), _up(columns * scale, multiple))
                cuts = (left > 0, top > 0, left + columns < width, top + rows < height)
                seam = SEAM * stride / scale
                found.append(View(left, top, columns, rows, shape, smallest, largest, cuts, seam))
    return found


def base_shape(height: int, width: int, spec: ModelSpec, multiple: int | None) -> tuple[int, int]:
    """Height and width of the base view's input: the picture's aspect, about as many pixels as the model's square,
    sides that `multiple` divides; the square itself where `multiple` is None."""
    if multiple is None:
        return spec.input_size, spec.input_size
    root = math.sqrt(min(max(width / height, 1 / MOST_ASPECT), MOST_ASPECT))
    rows, columns = (max(1, round(spec.input_size * side / multiple)) * multiple for side in (1 / root, root))
    return rows, columns


def smallest_face(height: int, width: int, spec: ModelSpec, min_face: float | str) -> float:
    """min_face in pixels. "auto" asks for no face that the picture itself shows too small for the model."""
    if isinstance(min_face, str):
        return max(AUTO_SHARE * max(height, width), SMALLEST * min(spec.strides))
    return float(min_face)


def _scales(height: int, width: int, spec: ModelSpec, min_face: float | str, multiple: int | None) -> list[float]:
    """Of the base view, and of each finer level, in equal steps."""
    base = fitting_scale(height, width, *base_shape(height, width, spec, multiple))
    stride = min(spec.strides)
    finest = SMALLEST * stride / smallest_face(height, width, spec, min_face)
    finest = min(finest, LARGEST_ZOOM)
    if finest <= base:
        return [base]
    step = min(STEP, _largest(multiple) * spec.input_size / (GOOD * stride) / SHARED_SIZES)
    count = max(1, math.ceil(math.log(finest / base) / math.log(max(step, SHARED_SIZES)) - 1e-9))
    return [base * (finest / base) ** (level / count) for level in range(count + 1)]


def _largest(multiple: int | None) -> float:
    return LARGEST_IN_TILES if multiple is None else LARGEST


def _spans(length: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """Starts and lengths of as few equal spans as cover a length, each `most` long at most, neighbours sharing
    `overlap` at least."""
    if length <= most:
        return [(0, length)]
    count = math.ceil((length - overlap) / (most - overlap))
    span = math.ceil((length - overlap) / count) + overlap
    return [(i * (length - span) // (count - 1), span) for i in range(count)]


def _up(length: float, multiple: int) -> int:
    return max(1, math.ceil(length / multiple - 1e-6)) * multiple


def union(
    parts: Iterable[tuple[View, Candidates]], blend_iou: float, reduce: Reduce, score_threshold: float = 0.0
) -> Candidates:
    """The faces of a picture, best first, from the candidates of its views, in pixels of the picture.

    parts: candidates with scores from `faintest(score_threshold)` up. Those that a view is not trusted for are left out; the
    others of all views are reduced together, so that what several views saw is one face. Its score is then weighed by
    how many candidates support it (`supported`); of faces with the same keypoints (SAME_POINTS) the best is kept if it
    is sure; and those below score_threshold are left out.
    """
    taken = [
        [column[mask] for column in candidates]
        for view, candidates in parts
        for mask in [view.takes(candidates[0])]
    ]
    boxes, scores, keypoints = (np.concatenate(columns) for columns in zip(*taken, strict=True))
    if len(scores) > MOST_CANDIDATES:
        best = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
        boxes, scores, keypoints = boxes[best], scores[best], keypoints[best]
    faces, best_scores, points = reduce(boxes, scores, keypoints, blend_iou)
    weighed = supported(faces, best_scores, boxes, scores, blend_iou)
    order = np.argsort(-weighed, kind="stable")
    order = order[weighed[order] >= score_threshold]
    return without_twins(faces[order], weighed[order], points[order])


def faintest(score_threshold: float) -> float:
    """The score from which `union` is to be given candidates, for faces from score_threshold up."""
    return min(FAINT, score_threshold)


def supported(faces: Floats, best: Floats, boxes: Floats, scores: Floats, iou: float) -> Floats:
    """Scores (M,) of faces (M, 4) whose best candidates score `best` (M,), weighed by their support.

    A face's support is the sum of the scores of the candidates, boxes (N, 4) with scores (N,) from FAINT up, that overlap it
    by more than iou, over its best score, and 1 at least: N equally sure candidates are a support of N. The odds of the
    best score are multiplied by support / USUAL_SUPPORT.
    """
    counted = scores >= FAINT
    boxes, scores = boxes[counted], scores[counted]
    sums = [(box_iou(faces[i : i + ROWS], boxes) > iou) @ scores for i in range(0, len(faces), ROWS)]
    support = np.maximum(np.concatenate([best[:0], *sums]) / best, 1)
    weighed: Floats = best * support / (best * support + USUAL_SUPPORT * (1 - best))
    return weighed


def without_twins(boxes: Floats, scores: Floats, keypoints: Floats) -> Candidates:
    """Faces, best first, without those whose keypoints are those of a better, sure one: see SAME_POINTS. boxes (N, 4), scores
    (N,), keypoints (N, K, 2) -> the same for M <= N. Faces without keypoints all stay."""
    if not keypoints.shape[1]:
        return boxes, scores, keypoints
    size = np.sqrt(box_area(boxes))
    left = np.arange(len(scores))
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        if scores[best] >= SAME_SCORE:
            distance = np.linalg.norm(keypoints[left] - keypoints[best], axis=2).mean(axis=1)
            left = left[distance >= SAME_POINTS * np.minimum(size[left], size[best])]
    return boxes[kept], scores[kept], keypoints[kept]
