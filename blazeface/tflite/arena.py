"""Where the computed tensors of a graph lie in one block of memory, as on a microcontroller: by their lifetimes.

Offline planning by size, largest first, each at the lowest place that is free while it lives: "greedy by size" of
arXiv 2001.03288, section 4.3, which TensorFlow Lite Micro uses as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from blazeface.tflite.model import Graph

ALIGNMENT = 16
"""Bytes, as TensorFlow Lite Micro has it."""

WIDTH = {"int8": 1, "uint8": 1, "int16": 2, "float16": 2, "int32": 4, "float32": 4}


@dataclass(frozen=True)
class Lifetime:
    """A computed tensor: its number, bytes, and the first and last operation, by number, while which it is needed."""

    tensor: int
    size: int
    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """offsets: of each computed tensor, by number, in bytes. size: of the whole."""

    offsets: dict[int, int]
    size: int


def lifetimes(graph: Graph) -> list[Lifetime]:
    """Of all computed tensors of a graph. Inputs live from the first operation on, outputs to the end."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for place, step in enumerate(graph.operators):
        for number in step.outputs:
            first[number] = last[number] = place
        last.update((number, place) for number in step.inputs if number in first)
    last.update((number, len(graph.operators)) for number in graph.outputs)
    return [Lifetime(number, _bytes(graph, number), first[number], last[number]) for number in first]


def planned(graph: Graph) -> Arena:
    """The smaller plan of two: of tensors of one size, the earlier placed first, or the later."""
    alive = lifetimes(graph)
    plans = [_placed(sorted(alive, key=lambda life: (-life.size, sign * life.first))) for sign in (1, -1)]
    return min(plans, key=lambda plan: plan.size)


def least(graph: Graph) -> int:
    """Bytes that no plan can do without: what is needed at once, at most."""
    alive = lifetimes(graph)
    return max(
        sum(life.size for life in alive if life.first <= t <= life.last) for t in range(len(graph.operators))
    )


def _placed(alive: Sequence[Lifetime]) -> Arena:
    offsets: dict[int, int] = {}
    done: list[Lifetime] = []
    for life in alive:
        taken = sorted((offsets[o.tensor], offsets[o.tensor] + o.size) for o in done if o.meets(life))
        place = 0
        for start, end in taken:
            if start - place >= life.size:
                break
            place = max(place, end)
        offsets[life.tensor] = place
        done.append(life)
    return Arena(offsets, max((offsets[life.tensor] + life.size for life in done), default=0))


def _bytes(graph: Graph, number: int) -> int:
    tensor = graph.tensors[number]
    count = math.prod(tensor.shape) * WIDTH[tensor.dtype]
    return -(-count // ALIGNMENT) * ALIGNMENT
