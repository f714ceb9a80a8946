"""Checks that an ONNX file is of the kind that is exported here, and computes what a run of it would cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.guard import Refused, UnlistedModel
from blazeface.guard.limits import Cost, check_cost, check_growth
from blazeface.guard.onnx_graph import Node, OnnxGraph, read_onnx_graph
from blazeface.guard.onnx_rules import apply
from blazeface.guard.onnx_values import Inputs, Known, Result
from blazeface.guard.protobuf import Malformed
from blazeface.spec import METADATA_KEY

OPSETS = range(9, 24)
"""Versions of the operators whose rules are known; exports have the lowest that their graph needs. What older versions say in
attributes where later ones have inputs is refused by the rules themselves."""

SINCE = {"Resize": 11}
"""Operators whose rule is not that of the oldest of these versions."""

SIDE = 128
"""Pixels taken for an axis that the file leaves open, where its ModelSpec does not say."""


def check_onnx(data: bytes, shown: str) -> None:
    """Raises UnlistedModel for what is not on the list or costs too much, BlazeFaceError for what is no ONNX file.

    shown: the file's name in sentences.
    """
    try:
        _check(read_onnx_graph(data))
    except Refused as error:
        raise UnlistedModel(shown, printable(str(error))) from error
    except (Malformed, ValueError, OverflowError) as error:
        raise BlazeFaceError(f"{shown}: a damaged ONNX file, or none: {printable(str(error))}") from error


def _check(graph: OnnxGraph) -> None:
    if graph.opset not in OPSETS:
        raise Refused(f"operators of version {graph.opset}, not {OPSETS[0]} to {OPSETS[-1]}")
    for node in graph.nodes:
        if graph.opset < SINCE.get(node.kind, 0):
            raise Refused(f"{node.kind} of version {graph.opset}")
    side = _side(graph.metadata)
    once = cost_of(graph, 1, side)
    check_cost(once)
    if any(size is None for shape in graph.inputs.values() for size in shape):
        check_growth(once, cost_of(graph, 2, 2 * side))


def cost_of(
    graph: OnnxGraph,
    batch: int,
    side: int,
    known: dict[str, Known] | None = None,
    rules: Callable[[Node, Inputs], Result] = apply,
) -> Cost:
    """What a run takes where the first axis, if it is open, is `batch`, and each other open one is `side`.

    known: filled with what is known of each tensor. rules: what comes out of a node. Raises Refused.
    """
    known = {} if known is None else known
    for name, tensor in graph.constants.items():
        known[name] = Known(tensor.shape, tensor.values)
    pictures = batch
    for name, shape in graph.inputs.items():
        known[name] = Known(
            tuple((side if i else batch) if size is None else size for i, size in enumerate(shape))
        )
        pictures = max(pictures, known[name].shape[0] if shape else 1)
    work = numbers = largest = 0
    for node in graph.nodes:
        inputs = [known.get(name) if name else None for name in node.inputs]
        missing = [name for name in node.inputs if name and name not in known]
        if missing:
            raise Refused(f"a {node.kind[:60]} that reads {missing[0][:60]!r}, which nothing before it makes")
        outputs, effort = rules(node, inputs)
        if len(outputs) < len(node.outputs):
            raise Refused(f"{node.kind} with {len(node.outputs)} outputs")
        for name, output in zip(node.outputs, outputs, strict=False):
            if name in known:
                raise Refused(f"two tensors of the name {name[:60]!r}")
            known[name] = output
            numbers += output.size
            largest = max(largest, output.size)
        work += effort
    unmade = [name for name in graph.outputs if name not in known]
    if unmade:
        raise Refused(f"an output {unmade[0][:60]!r} that nothing makes")
    return Cost(pictures, work, numbers, largest)


def _side(metadata: Mapping[str, str]) -> int:
    """The input size of the ModelSpec, if there is a sensible one; whether it is right is looked at elsewhere."""
    try:
        size = json.loads(metadata.get(METADATA_KEY, ""))["input_size"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return SIDE
    return size if type(size) is int and 8 <= size <= 4096 else SIDE
