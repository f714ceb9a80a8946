"""Multiply-accumulates by shape. None where a shape is not known or does not fit.

Biases, additions, activations, pooling and resizing count nothing: they have no multiplication that is followed
by an addition into a sum, or so few that every common way of counting leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Sizes = Sequence[int] | None


def convolution(output: Sizes, weights: Sizes, out_axis: int = 0) -> int | None:
    """Every number put out is a sum over one filter. output: all its sizes, in any order. weights: of all filters, of
    which `out_axis` counts the filters."""
    if output is None or weights is None or len(weights) < 3 or not weights[out_axis]:
        return None
    return math.prod(output) * (math.prod(weights) // weights[out_axis])


def transposed_convolution(inputs: Sizes, weights: Sizes, in_axis: int = 0) -> int | None:
    """Every number taken in meets the weights of its channel. in_axis: counts the channels of the input."""
    return convolution(inputs, weights, in_axis)


def fully_connected(output: Sizes, weights: Sizes) -> int | None:
    """weights: (outputs, inputs)."""
    if output is None or weights is None or len(weights) != 2:
        return None
    return math.prod(output) * weights[1]


def matrix_product(first: Sizes, output: Sizes, transposed: bool = False) -> int | None:
    """first: (..., rows, inner), or (..., inner, rows) when transposed. A vector is one row."""
    if first is None or output is None or not first:
        return None
    return math.prod(output) * first[-2 if transposed and len(first) > 1 else -1]
