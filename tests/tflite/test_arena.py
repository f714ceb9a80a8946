"""The plan of a microcontroller's memory: tensors that live at one time never overlap, and little is wasted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.tflite.arena import ALIGNMENT, least, lifetimes, planned
from blazeface.tflite.model import Graph, Operator, Tensor


def chain(sizes: list[int], reads: list[list[int]]) -> Graph:
    """A graph whose operation i makes tensor i + 1, of sizes[i + 1] bytes, from the tensors reads[i]."""
    tensors = [Tensor(f"{i}", (1, size), "int8") for i, size in enumerate(sizes)]
    steps = [Operator("ADD", tuple(inputs), (i + 1,)) for i, inputs in enumerate(reads)]
    return Graph("main", tensors, (0,), (len(sizes) - 1,), steps)


def test_a_small_graph_by_hand() -> None:
    # 0 (32) -> 1 (64) -> 2 (64); 3 (32) from 1 and 2: tensor 0 is free when 2 is made.
    graph = chain([32, 64, 64, 32], [[0], [1], [1, 2]])
    assert [(life.tensor, life.first, life.last) for life in lifetimes(graph)] == [
        (0, 0, 0),
        (1, 0, 2),
        (2, 1, 2),
        (3, 2, 3),
    ]
    plan = planned(graph)
    assert least(graph) == 64 + 64 + 32 == plan.size
    assert plan.offsets[0] != plan.offsets[1] and plan.offsets[0] >= 64


def test_a_tensor_of_few_bytes_takes_a_whole_place() -> None:
    assert planned(chain([3, 5], [[0]])).size == 2 * ALIGNMENT


def test_outputs_live_to_the_end() -> None:
    graph = chain([16, 16, 16, 16], [[0], [1], [2]])
    graph.outputs = (1, 3)
    plan = planned(graph)
    assert len({plan.offsets[1], plan.offsets[2], plan.offsets[3]}) == 3


@settings(max_examples=150)
@given(st.data())
def test_no_two_living_tensors_overlap(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 14))
    sizes = data.draw(st.lists(st.integers(1, 400), min_size=count, max_size=count))
    reads = [data.draw(st.lists(st.integers(0, i), min_size=1, max_size=3, unique=True)) for i in range(count - 1)]
    graph = chain(sizes, reads)
    plan = planned(graph)
    # A second, slow look: which byte belongs to whom while each operation runs.
    for place in range(count - 1):
        owner = np.full(plan.size, -1)
        for life in lifetimes(graph):
            if life.first <= place <= life.last:
                start = plan.offsets[life.tensor]
                assert start % ALIGNMENT == 0 and start + sizes[life.tensor] <= plan.size
                assert (owner[start : start + sizes[life.tensor]] == -1).all()
                owner[start : start + sizes[life.tensor]] = life.tensor
        for number in (*graph.operators[place].inputs, *graph.operators[place].outputs):
            start = plan.offsets[number]
            assert (owner[start : start + sizes[number]] == number).all()
    assert least(graph) <= plan.size <= sum(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)


def test_an_unknown_kind_of_number_has_no_width() -> None:
    graph = chain([16, 16], [[0]])
    graph.tensors[1].dtype = "string"
    with pytest.raises(KeyError):
        planned(graph)
