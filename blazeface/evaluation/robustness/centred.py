"""One face at many places around the middle of the picture and around other corners of an anchor map's cells.

A face before a webcam is in the middle, where four cells of every even anchor map meet and four anchors of a size are
equally good. A detector that was taught to answer with some of them scores low there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample
from blazeface.evaluation.bootstrap import rounded
from blazeface.evaluation.matching import match
from blazeface.evaluation.record import Detect, Read, Record
from blazeface.geometry import Floats, Image, warp

SIDE = 320
"""Pixels of the square picture that is made."""

FACE = 0.35
"""Side of the face in it, over SIDE."""

CELL = 1 / 8
"""Side of a cell of the coarsest anchor map of this project's layouts, over SIDE."""

FACES, LEAST_SIZE = 10, 0.3
"""At most so many labelled faces, and the least relative size of those that qualify: magnified ones are blurred."""

ASTRONAUT = (175.0, 60.5, 276.5, 162.0)
"""The face of the shipped picture astronaut.png, x1 y1 x2 y2, by the square rule of the training data."""


class Centred(TypedDict):
    """Scores at which a face was found (IoU 0.5; 0 where it was not) over faces x places: the lowest and the median."""

    faces: int
    places: int
    lowest: float | None
    median: float | None


def places() -> NDArray[np.float64]:
    """Where the face's middle goes, in units of the square: (200, 2).

    100 around the middle of the square, every tenth of a cell from half a cell before it to the last tenth behind; and 25
    around each of the four cell corners diagonally next to it, every fifth of a cell to both sides. Each grid holds the
    corner itself.
    """
    fine = CELL * np.arange(-5, 5) / 10
    coarse = CELL * np.arange(-2, 3) / 5
    middle = 0.5 + _grid(fine)
    corners = [np.array([x, y]) + _grid(coarse) for x in (0.375, 0.625) for y in (0.375, 0.625)]
    return np.concatenate([middle, *corners])


def place_face(image: Image, box: Floats, place: Floats) -> tuple[Image, NDArray[np.float64]]:
    """The picture BGR (H, W, 3) moved and scaled so that the face (4,) has the side FACE and its middle lies at `place`
    of the square: (SIDE, SIDE, 3), the picture's edge pixels repeated beyond it, and the box there (4,)."""
    x1, y1, x2, y2 = (float(value) for value in box)
    scale = FACE * SIDE / np.sqrt((x2 - x1) * (y2 - y1))
    if scale < 0.5:  # bilinear sampling alone would pass over pixels
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return place_face(image, np.array([x1, y1, x2, y2]) / 2, place)
    middle = np.array([x1 + x2, y1 + y2]) / 2
    shift = np.asarray(place, np.float64) * SIDE - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    moved = warp(image, matrix, SIDE, border=cv2.BORDER_REPLICATE)
    half = np.array([x2 - x1, y2 - y1]) * scale / 2
    at = np.asarray(place, np.float64) * SIDE
    return moved, np.concatenate([at - half, at + half])


def centred_scores(image: Image, box: Floats, detect: Detect) -> NDArray[np.float64]:
    """The score at which the face of a picture is found at each of `places`, 0 where it is not: (200,)."""
    made = [place_face(image, box, place) for place in places()]
    scores = []
    for start in range(0, len(made), 16):
        part = made[start : start + 16]
        for (_, label), found in zip(part, detect([square for square, _ in part]), strict=True):
            hit = match(found, label[None], np.zeros((0, 4))).face >= 0
            scores.append(float(found.scores[hit].max(initial=0.0)))
    return np.array(scores)


def summary(scores: Sequence[NDArray[np.float64]]) -> Centred:
    """Of the scores of some faces."""
    joined = np.concatenate([np.zeros(0), *scores])
    lowest, median = (joined.min(), np.median(joined)) if len(joined) else (np.nan, np.nan)
    return Centred(faces=len(scores), places=len(places()), lowest=rounded(lowest), median=rounded(median))


def single_faces(records: Sequence[Record]) -> list[Sample]:
    """Pictures with exactly one labelled face: those of the source "lfw" where there is
    such a source, else of any; the face whole and of relative size LEAST_SIZE or more; an even choice of FACES."""
    fit = [
        record.sample
        for record in records
        if len(record.sample.boxes) == 1 and (record.face_size >= LEAST_SIZE).all() and len(record.face_size)
    ]
    portraits = [sample for sample in fit if sample.source == "lfw"]
    return chosen_evenly(portraits or fit, FACES)


def score_single_faces(samples: Sequence[Sample], read: Read, detect: Detect) -> Centred:
    """Of labelled pictures with one face each; those that cannot be read are left out."""
    pictures = [(read(sample.path), sample.boxes[0]) for sample in samples]
    return summary([centred_scores(image, box, detect) for image, box in pictures if image is not None])


def _grid(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = np.meshgrid(offsets, offsets)
    return np.stack([x.ravel(), y.ravel()], axis=1)
