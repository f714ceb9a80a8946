"""Limits on the memory and the multiply-accumulates of a model file."""

from __future__ import annotations

from typing import NamedTuple

from blazeface.guard import Refused

MAX_WORK = 2**32
"""Multiply-accumulates, and numbers touched, for one picture: 4.3 billion. The largest network here takes a tenth."""

MAX_TENSOR = 2**26
"""Numbers in one tensor, for all pictures that are run at once: 256 MB in float32."""

MAX_NUMBERS = 2**29
"""Numbers that all tensors of a run have together, some of which are alive at the same time."""

MAX_GROWTH = 10.0
"""Work of two pictures of twice the height and width, in terms of that of one: 8 where it follows the pixels."""


class Cost(NamedTuple):
    """Of one run. pictures: at once. numbers: in all tensors that it makes; largest: in the largest of them."""

    pictures: int
    work: int
    numbers: int
    largest: int


def check_cost(cost: Cost) -> None:
    """Raises Refused for a run beyond what a face detector may take."""
    if cost.largest > MAX_TENSOR:
        raise Refused(f"a tensor of {cost.largest:,} numbers, more than {MAX_TENSOR:,}")
    if cost.numbers > MAX_NUMBERS:
        raise Refused(f"tensors of {cost.numbers:,} numbers together, more than {MAX_NUMBERS:,}")
    if cost.work > MAX_WORK * max(cost.pictures, 1):
        raise Refused(f"{cost.work:,} multiply-accumulates in a run, more than {MAX_WORK:,} for a picture")


def check_growth(once: Cost, larger: Cost) -> None:
    """Raises Refused where the cost of more, and larger, pictures grows faster than their pixels."""
    for before, after in (
        (once.work, larger.work),
        (once.numbers, larger.numbers),
        (once.largest, larger.largest),
    ):
        if after > MAX_GROWTH * max(before, 1_000):
            raise Refused("a cost that grows faster than the pictures")
