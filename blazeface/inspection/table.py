"""The one table that a model file of any format is read into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Shape = tuple[int | str, ...]
"""Sizes along the axes; one that the file leaves open is a text: its name, or "?"."""


@dataclass(frozen=True)
class Tensor:
    """shape: None where the file does not tell. dtype: such as "float32", "int8". constant: its values lie in the
    file. quantised: its integers stand for real numbers by a scale."""

    name: str
    shape: Shape | None
    dtype: str
    constant: bool = False
    quantised: bool = False

    @property
    def fixed(self) -> tuple[int, ...] | None:
        """The shape where all of it is known."""
        if self.shape is None or any(isinstance(size, str) for size in self.shape):
            return None
        return tuple(int(size) for size in self.shape)


@dataclass(frozen=True)
class Layer:
    """One operator of a graph, in the file's order.

    inputs, outputs: numbers of tensors of the graph; -1 for an input that is left out. parameters: weights, biases
    and slopes that no layer before it has. macs: multiplications each followed by an addition; None for an operator
    that has them while the shapes, or our rules, do not tell how many. options: as far as they are read. version: of the operator, in .tflite files.
    """

    name: str
    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int = 0
    macs: int | None = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True)
class Graph:
    """A graph, or the body of a branch or loop. inputs, outputs: numbers of tensors."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class ModelFile:
    """format: "onnx" or "tflite". version: of the format, in words. bytes: of the file, and of files beside it that
    hold its weights (`external`). graphs: the main one first. metadata: as text, or a Python literal of bytes."""

    path: Path
    format: str
    version: str
    bytes: int
    external: Mapping[str, int]
    graphs: tuple[Graph, ...]
    metadata: Mapping[str, str]

    @property
    def layers(self) -> list[Layer]:
        """Of all graphs; the body of a loop counts once."""
        return [layer for graph in self.graphs for layer in graph.layers]

    @property
    def operators(self) -> dict[str, int]:
        """How often each occurs, the most frequent first."""
        return dict(Counter(layer.operator for layer in self.layers).most_common())

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Of what can be counted: see `uncounted`."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def uncounted(self) -> list[str]:
        """Operators with multiply-accumulates that could not be counted."""
        return sorted({layer.operator for layer in self.layers if layer.macs is None})
