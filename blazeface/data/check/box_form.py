"""Whether boxes were written in another form than they were read in: corners for sides, or sides for corners."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.headers import Size, read_headers
from blazeface.data.samples import Sample

Boxes = NDArray[np.float64]

FEWEST = 3
"""Boxes from which their form can be told."""

WRONG, RIGHT = 0.12, 0.95
"""Shares of the boxes that lie outside of their pictures as they were read, from which on that is doubted, and inside of them in
the other form, from which on that one is named."""

BEYOND = 0.1
"""Sides of a box that may lie beyond its picture."""

LOOKED_AT = 500

FORMS: dict[str, Callable[[Boxes], Boxes]] = {
    "boxes are read as x y w h (or its parts), and look like corners, x1 y1 x2 y2": lambda b: np.hstack(
        [b[:, :2], b[:, 2:] - b[:, :2]]
    ),
    "boxes are read as corners, x1 y1 x2 y2, and look like x y w h": lambda b: np.hstack(
        [b[:, :2], b[:, :2] + b[:, 2:]]
    ),
    "boxes are read as middle and sides, and look like corners, x1 y1 x2 y2": lambda b: np.hstack(
        [(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]]
    ),
}
"""What is said of each wrong form, and boxes that were read as corners in that form."""


def box_form_warning(samples: Sequence[Sample], sizes: Sequence[Size | None]) -> str:
    """A sentence where many boxes reach beyond their pictures, or have no sides, and nearly none would in another form; otherwise
    nothing. sizes: (width, height) of each picture, None where it cannot be read."""
    known = [
        (sample, size)
        for sample, size in zip(samples, sizes, strict=True)
        if size is not None and len(sample.boxes)
    ]
    boxes = np.concatenate([np.zeros((0, 4)), *(sample.boxes.astype(np.float64) for sample, _ in known)])
    limits = np.concatenate(
        [np.zeros((0, 2)), *(np.tile(np.array(size, np.float64), (len(s.boxes), 1)) for s, size in known)]
    )
    wrong = int((~_inside(boxes, limits)).sum())
    if len(boxes) < FEWEST or wrong < WRONG * len(boxes):
        return ""
    inside = {sentence: float(_inside(form(boxes), limits).mean()) for sentence, form in FORMS.items()}
    sentence = max(inside, key=lambda each: inside[each])
    if inside[sentence] < RIGHT:
        return ""
    return f"{sentence}: {wrong:,} of {len(boxes):,} reach far beyond their pictures or have no sides, and nearly none would"


def box_form_of_some(samples: Sequence[Sample]) -> str:
    """The same from an even choice of the pictures, of which the first bytes are read."""
    some = chosen_evenly([sample for sample in samples if len(sample.boxes)], LOOKED_AT)
    headers = read_headers([sample.path for sample in some])
    return box_form_warning(some, [header.size if header else None for header in headers])


def _inside(boxes: Boxes, limits: Boxes) -> NDArray[np.bool_]:
    """(N,) whether boxes have sides and lie in pictures of these (width, height)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    free = BEYOND * sides.max(axis=1, initial=0)[:, None]
    within = (boxes[:, :2] >= -free) & (boxes[:, 2:] <= limits + free) & (sides > 0)
    return np.asarray(within.all(axis=1))
