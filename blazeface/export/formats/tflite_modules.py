"""Blocks that are chains of operations, traced by torch.fx: the light networks' blocks, and what `models.light.lighten`
makes of any block."""

from __future__ import annotations

import operator
from typing import Any, Protocol

import torch
from torch import fx, nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.models.light.blocks import Shuffle
from blazeface.tflite.writer import GraphWriter

POOLS: dict[Any, str] = {F.max_pool2d: "MAX_POOL_2D", F.avg_pool2d: "AVERAGE_POOL_2D"}
ACTIVATIONS: dict[Any, str] = {F.relu: "RELU", F.relu6: "RELU6"}


class Graph(Protocol):
    """The part of the exporter's graph that is used."""

    writer: GraphWriter

    def convolution(self, x: int, layer: nn.Module, name: str, activation: str = "NONE") -> int: ...


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, Shuffle))


def append_block(graph: Graph, x: int, block: nn.Module, name: str) -> int:
    """Append a folded block of one input to the graph; the number of its output.

    An activation that is the only reader of a convolution or a sum is fused into it
    (runtimes refuse one at a concatenation). Raises BlazeFaceError for an operation that
    is not known here.
    """
    modules = dict(block.named_modules())
    numbers: dict[fx.Node, int] = {}
    for node in _Tracer().trace(block).nodes:
        if node.op == "placeholder":
            numbers[node] = x
        elif node.op == "output":
            return numbers[node.args[0]]
        elif node in numbers:
            continue  # an activation that was fused
        else:
            follower = _fused(node, modules)
            activation = "NONE" if follower is None else ACTIVATIONS[follower.target]
            numbers[node] = _append(graph, node, modules, numbers, f"{name}.{node.name}", activation)
            if follower is not None:
                numbers[follower] = numbers[node]
    raise AssertionError("a traced block ends with its output")


def _append(
    graph: Graph,
    node: fx.Node,
    modules: dict[str, nn.Module],
    numbers: dict[fx.Node, int],
    name: str,
    activation: str,
) -> int:
    if node.op == "call_module":
        layer, (x,) = modules[str(node.target)], (numbers[_node(a)] for a in node.args)
        if isinstance(layer, Shuffle):
            return _shuffle(graph.writer, x, layer.groups, name)
        return graph.convolution(x, layer, name, activation)
    if node.target in (operator.add, torch.add):
        one, other = (numbers[_node(a)] for a in node.args)
        return graph.writer.add(one, other, name, activation)
    if node.target is torch.cat:
        parts = node.args[0]
        assert isinstance(parts, (list, tuple))
        return graph.writer.concatenate([numbers[_node(a)] for a in parts], 3, name)
    x = numbers[_node(node.args[0])]
    if node.target in ACTIVATIONS:
        return graph.writer.elementwise(ACTIVATIONS[node.target], x, name)
    if node.target in POOLS:
        numbers_of = {**dict(zip(("kernel_size", "stride"), node.args[1:], strict=False)), **node.kwargs}
        if numbers_of.get("kernel_size") == 3 and numbers_of.get("stride") == 2 and numbers_of.get("ceil_mode"):
            return graph.writer.pool(POOLS[node.target], x, name, size=3, stride=2)
    raise BlazeFaceError(f"{name}: there is no TensorFlow Lite operation for {node.target}")


def _fused(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node | None:
    """The activation that alone reads what a convolution or a sum gives."""
    users = list(node.users)
    fusing = isinstance(modules.get(str(node.target)), nn.Conv2d) or node.target in (operator.add, torch.add)
    return users[0] if fusing and len(users) == 1 and users[0].target in ACTIVATIONS else None


def _node(argument: Any) -> fx.Node:
    assert isinstance(argument, fx.Node)
    return argument


def _shuffle(writer: GraphWriter, x: int, groups: int, name: str) -> int:
    """RESHAPE, TRANSPOSE, RESHAPE: exact and without a multiplication, where a permuting 1 x 1 convolution would
    cost as much as a dense layer. Rows and columns become one axis, since GPU delegates stop at four axes."""
    _, height, width, channels = writer.shape(x)
    x = writer.reshape(x, (1, height * width, groups, channels // groups), f"{name}.split")
    x = writer.transpose(x, (0, 1, 3, 2), f"{name}.dealt", f"{name}.order")
    return writer.reshape(x, (1, height, width, channels), name)
