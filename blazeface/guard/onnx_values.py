"""What is known of a tensor before a model runs, and how the rules ask for inputs and attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from blazeface.guard import Refused
from blazeface.guard.onnx_graph import SMALL, Value
from blazeface.guard.shape_rules import Shape

Attributes = Mapping[str, Value]


class Known(NamedTuple):
    """What is known of a tensor before anything runs. values: of a few numbers that follow from the file."""

    shape: Shape
    values: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


Inputs = Sequence[Known | None]
Result = tuple[list[Known], int]
"""Outputs, and the multiply-accumulates, or numbers touched, that they take."""


def given(inputs: Inputs, place: int = 0) -> Known:
    entry = inputs[place] if place < len(inputs) else None
    if entry is None:
        raise Refused("a node without an input that it needs")
    return entry


def numbers_of(inputs: Inputs, place: int) -> list[Any]:
    """The values of an input that must follow from the file."""
    values = given(inputs, place).values
    if values is None:
        raise Refused("sizes or axes that only a run would tell")
    found: list[Any] = values.reshape(-1).tolist()
    return found


def int_of(attributes: Attributes, name: str, default: int, low: int, high: int) -> int:
    value = attributes.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{name} = {value!r}")
    return value


def ints_of(attributes: Attributes, name: str, default: Sequence[int], low: int, high: int) -> list[int]:
    value = attributes.get(name, tuple(default))
    if not isinstance(value, tuple) or len(value) != len(default):
        raise Refused(f"{name} = {value!r}")
    if not all(type(number) is int and low <= number <= high for number in value):
        raise Refused(f"{name} = {value!r}")
    return [int(number) for number in value]


def choice_of(attributes: Attributes, name: str, *allowed: str) -> str:
    """A text attribute; the first of the allowed is its default."""
    value = attributes.get(name, allowed[0])
    if value not in allowed:
        raise Refused(f"{name} = {str(value)[:40]!r}")
    return str(value)


def folded(values: NDArray[Any]) -> Known:
    return Known(values.shape, values if values.size <= SMALL else None)


def same(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    return [Known(x.shape)], x.size
