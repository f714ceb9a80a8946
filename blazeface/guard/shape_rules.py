"""Rules of shapes that hold in every format: axes counted from the end, broadcasting, concatenation; and numbers as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from blazeface.guard import Refused

Shape = tuple[int, ...]

_WHOLE = re.compile(r"-?[0-9]{1,18}")


def axis_of(axis: int, rank: int) -> int:
    """An axis that may be counted from the end, from 0 on. Raises Refused where there is none."""
    if not -rank <= axis < rank:
        raise Refused(f"the axis {axis} of {rank}")
    return axis % rank


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape of numbers computed element by element, as NumPy's rule has it. Raises Refused."""
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise Refused(f"shapes that do not go together: {' and '.join(map(str, shapes[:4]))}") from error


def concatenated(shapes: Sequence[Shape], axis: int) -> Shape:
    """The shape of tensors put behind each other along an axis, whose other sides are equal. Raises Refused."""
    axis = axis_of(axis, len(shapes[0]))
    if len({(len(shape), *shape[:axis], *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise Refused(f"a concatenation of {' and '.join(map(str, shapes[:4]))}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def whole_number(text: str) -> int:
    """An integer as C's readers and Python's take it alike: ASCII digits and a minus. Raises Refused for what Python alone
    reads, such as 1_000 or +1, since the runtime would read another number."""
    if not _WHOLE.fullmatch(text.strip(" ")):
        raise Refused(f"{text[:40]!r} where a whole number stands")
    return int(text)
