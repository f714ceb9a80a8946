"""Looking where the faces were: a crop around each, turned upright, in place of the whole frame.

In its crop a face has the size that the network sees best, so that small, far and turned faces are found better. A
face that comes in is seen when the frame is searched the next time: whole from time to time, or, where the detector
searches for small faces in many views, some of the views in each frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from blazeface.blend import blend
from blazeface.detections import Detections
from blazeface.geometry import Image, Matrix, box_iou, inverse_map, map_points, view_matrix, warp
from blazeface.search import SEAM, without_twins
from blazeface.search import View as Part
from blazeface.spec import OUR_BLEND_IOU, ModelSpec

WIDTH = 2.5
"""Side of a crop, in sides of the face in it."""

SEARCH_WIDTH, SEARCH_SIDE = 4.0, 0.75
"""The same among the views of a search, and its side at least, in sides of the model's square: a small face enlarged is a
blurred one. By the street clip of `benchmarks.search.measure`."""

UPRIGHT = 15.0
"""Degrees up to which the line through the eyes is taken for level."""

MOST = 4
"""Faces up to which crops are looked at; with more the whole frame is cheaper, unless searching it takes many views."""

PART_SIDES = 3
"""Side of the parts in which a large frame is searched in turn, in sides of the model's square."""

GROWTH = 2.0
"""Size of a face in the next frame over that of before, and the other way round, up to which its crop shows it."""

SAME_FACE = 0.2
"""IoU with where the face was, from which a detection in its crop is taken for it."""

LARGEST = 640
"""Pixels along the side of a turned crop at most; the network shrinks it further."""


class Detector(Protocol):
    """The part of FaceDetector that is used."""

    def detect(self, image: Image) -> Detections: ...

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]: ...


@runtime_checkable
class Searcher(Protocol):
    """A detector that can look for faces in views of a picture, as FaceDetector with min_face does."""

    spec: ModelSpec
    min_face: Any

    def detect(self, image: Image) -> Detections: ...

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]: ...

    def with_min_face(self, min_face: None) -> Searcher: ...

    def views(self, height: int, width: int, tile_side: int) -> list[Part]: ...

    def detect_in(self, image: Image, chosen: Sequence[Part]) -> Detections: ...


class RoiDetector:
    """Finds the faces of one video, given frame after frame.

    Each face of the last frame is looked for in its crop. The whole frame is searched as well every `every` frames,
    when one of them is not found there, and while there is none; with more than MOST it is searched alone.

    A detector with min_face searches the first frame whole. After it, each frame is looked at in the base view, in
    some of the finer ones, so that all of them have had their turn after `every` frames, and in a crop around each face; also
    around one that was lost, for `every` frames. All these are views of one search, which weighs a face by what several of
    them saw, but for the crops of turned faces. Where they would cost as much as searching the whole frame, that is done.
    """

    def __init__(self, detector: Detector, every: int = 10):
        self._detector = self._crops = detector
        self._searcher: Searcher | None = None
        # Of a detector that does not say what its keypoints are.
        self._blend_iou, self._eyes, self._last = OUR_BLEND_IOU, [0, 1], Detections.empty()
        if isinstance(detector, Searcher):
            self._blend_iou, self._eyes = detector.spec.blend_iou, detector.spec.eyes
            self._last = Detections.empty(detector.spec.num_keypoints)
            if detector.min_face is not None:
                self._searcher, self._crops = detector, detector.with_min_face(None)
        self._every = every
        self._missed = np.zeros(0, int)  # how many frames ago the detector with min_face last saw each of them
        self._shape: tuple[int, ...] = ()
        self._since = 0
        self._views: list[Part] = []

    def detect(self, image: Image) -> Detections:
        if self._searcher is None:
            self._last = faces = self._watch(image)
        elif image.shape != self._shape:
            height, width = image.shape[:2]
            self._since = 0
            self._views = self._searcher.views(height, width, PART_SIDES * self._searcher.spec.input_size)
            faces = self._searcher.detect(image)
            self._last, self._missed = faces, np.zeros(len(faces), int)
        else:
            faces = self._search_in_turn(image, self._searcher)
            self._remember(faces)
        self._shape = image.shape
        return faces

    def _search_in_turn(self, image: Image, searcher: Searcher) -> Detections:
        height, width = image.shape[:2]
        pixels = sum(view.shape[0] * view.shape[1] for view in self._views)
        if len(self._last) * searcher.spec.input_size**2 >= pixels:
            return searcher.detect(image)
        base, *finer = self._views
        turn = finer[self._since % self._every :: self._every]
        self._since += 1
        turned = np.array(
            [bool(roll(*face)) for face in zip(self._last.boxes, self._eyes_of(self._last), strict=True)], bool
        )
        crops = [part_around(box, height, width, searcher.spec) for box in self._last.boxes[~turned]]
        found = searcher.detect_in(image, list(dict.fromkeys([base, *turn, *crops])))
        together = joined(self._in_crops(image, self._last[turned]), found, self._blend_iou)
        return Detections(*without_twins(together.boxes, together.scores, together.keypoints))

    def _remember(self, faces: Detections) -> None:
        """These, and those of before that are not among them and have not been missed for too long."""
        last = self._last
        kept = box_iou(last.boxes, faces.boxes).max(axis=1, initial=0.0) < SAME_FACE
        kept &= self._missed + 1 < self._every
        lost = last[kept]
        order = np.argsort(-np.concatenate([faces.scores, lost.scores]), kind="stable")
        self._last = Detections(
            np.concatenate([faces.boxes, lost.boxes])[order],
            np.concatenate([faces.scores, lost.scores])[order],
            np.concatenate([faces.keypoints, lost.keypoints])[order],
        )
        self._missed = np.concatenate([np.zeros(len(faces), int), self._missed[kept] + 1])[order]

    def _watch(self, image: Image) -> Detections:
        known = self._last if image.shape == self._shape and len(self._last) <= MOST else self._last[:0]
        faces = self._in_crops(image, known)
        self._since += 1
        if len(known) == 0 or len(faces) < len(known) or self._since >= self._every:
            self._since = 0
            faces = joined(faces, self._detector.detect(image), self._blend_iou)
        return faces

    def _eyes_of(self, faces: Detections) -> NDArray[np.float32]:
        """(N, 2, 2), or (N, 0, 2) where the network does not find them."""
        return faces.keypoints[:, self._eyes]

    def _in_crops(self, image: Image, known: Detections) -> Detections:
        """Those of the known faces that are found again, each in its own crop."""
        if len(known) == 0:
            return known
        views = [view_of(*face) for face in zip(known.boxes, self._eyes_of(known), strict=True)]
        found = known[:0]
        crops = self._crops.detect_batch([view.cut(image) for view in views])
        for view, box, inside in zip(views, known.boxes, crops, strict=True):
            faces = view.to_picture(inside)
            overlap = box_iou(faces.boxes, box[None])[:, 0]
            if overlap.max(initial=0.0) >= SAME_FACE:
                found = joined(found, faces[[int(overlap.argmax())]], self._blend_iou)
        return found


def joined(first: Detections, second: Detections, blend_iou: float = OUR_BLEND_IOU) -> Detections:
    """The faces of both, best first; those that overlap by more than `blend_iou` are blended into one."""
    boxes = np.concatenate([first.boxes, second.boxes])
    scores = np.concatenate([first.scores, second.scores])
    keypoints = np.concatenate([first.keypoints, second.keypoints])
    return Detections(*blend(boxes, scores, keypoints, blend_iou))


@dataclass(frozen=True)
class View:
    """A square of a picture: its middle (x, y) and side in pixels, turned by an angle in radians, clockwise."""

    x: float
    y: float
    side: float
    angle: float

    @property
    def pixels(self) -> int:
        """Side of the crop that is cut out."""
        side = max(2, round(self.side))
        return min(side, LARGEST) if self.angle else side

    def matrix(self) -> Matrix:
        """(2, 3), from pixels of the picture to those of the crop."""
        return view_matrix(np.array([self.x, self.y]), self.side, self.angle, self.pixels)

    def cut(self, image: Image) -> Image:
        """The crop, BGR (pixels, pixels, 3), black beyond the picture's edge."""
        return warp(image, self.matrix(), self.pixels)

    def to_picture(self, faces: Detections) -> Detections:
        """Faces of the crop in pixels of the picture. A box keeps its sides, and is not turned."""
        matrix = inverse_map(self.matrix())
        keypoints = map_points(matrix, faces.keypoints)
        middles = map_points(matrix, (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2)
        half = (faces.boxes[:, 2:] - faces.boxes[:, :2]) / 2 * self.side / self.pixels
        boxes = np.concatenate([middles - half, middles + half], axis=1)
        return Detections(boxes.astype(np.float32), faces.scores, keypoints.astype(np.float32))


def longer_side(box: NDArray[np.float32]) -> float:
    """Of a face in pixels, one at least."""
    return float(max(box[2] - box[0], box[3] - box[1], 1.0))


def roll(box: NDArray[np.float32], eyes: NDArray[np.float32]) -> float:
    """Angle in radians, clockwise, by which the eyes of a face are turned; 0 where it is upright, or where they are too close
    together to tell. eyes: (2, 2), right and left, or (0, 2) where they are not known, which tells nothing either."""
    if len(eyes) == 0:
        return 0.0
    across, down = (float(value) for value in eyes[1] - eyes[0])  # from the right eye to the left
    angle = float(np.arctan2(down, across)) if np.hypot(across, down) > 0.15 * longer_side(box) else 0.0
    return 0.0 if abs(angle) < np.radians(UPRIGHT) else angle


def view_of(box: NDArray[np.float32], eyes: NDArray[np.float32]) -> View:
    """The view around a face, turned upright; eyes: as in `roll`."""
    angle = roll(box, eyes)
    x, y = (float(value) for value in (box[:2] + box[2:]) / 2)
    whole = WIDTH * longer_side(box)
    if not angle:  # on whole pixels, where nothing is blurred
        size = max(2, round(whole))
        return View(round(x - size / 2) + size / 2, round(y - size / 2) + size / 2, size, 0.0)
    return View(x, y, whole, angle)


def part_around(box: NDArray[np.float32], height: int, width: int, spec: ModelSpec) -> Part:
    """The crop around a face in a picture of height x width pixels, as a view of a search."""
    face = longer_side(box)
    side = max(SEARCH_WIDTH * face, SEARCH_SIDE * spec.input_size)
    spans = []
    for middle, end in (((box[0] + box[2]) / 2, width), ((box[1] + box[3]) / 2, height)):
        start = round(min(max(float(middle) - side / 2, 0), max(end - side, 0)))
        spans.append((start, min(round(side), end - start)))
    (left, columns), (top, rows) = spans
    cuts = (left > 0, top > 0, left + columns < width, top + rows < height)
    seam = SEAM * min(spec.strides) * side / spec.input_size
    return Part(left, top, columns, rows, (spec.input_size,) * 2, face / GROWTH, face * GROWTH, cuts, seam)
