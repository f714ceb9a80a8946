"""`blazeface inspect`: what is inside a .onnx or .tflite file, and what of it a phone's GPU would leave to the CPU."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from blazeface.files.names import printable
from blazeface.inspection import open_model
from blazeface.inspection.table import Graph, ModelFile, Tensor
from blazeface.tflite.gpu_delegate import Refusal, refusals, undocumented

MAX_LINES = 20
MAX_TEXT = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a .onnx or .tflite file, of this project or any other")
    add("--layers", action="store_true", help="also every operator with its shapes, parameters and MACs")
    add("--json", action="store_true", help="print all of it as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what a file holds. It is read, not run."""
    model = open_model(args.file)
    if args.json:
        print(json.dumps(as_dict(model), indent=2))
    else:
        print(printable_lines(summary(model) + (layer_lines(model) if args.layers else [])))
    return 0


def as_dict(model: ModelFile) -> dict[str, Any]:
    """Ready for JSON: everything, every layer included."""
    return {
        "file": str(model.path),
        "format": model.format,
        "version": model.version,
        "bytes": model.bytes,
        "external_bytes": dict(model.external),
        "parameters": model.parameters,
        "macs": model.macs,
        "macs_not_counted_of": model.uncounted,
        "operators": model.operators,
        "inputs": [_tensor_dict(tensor) for tensor in _tensors(model.graphs[0], model.graphs[0].inputs)],
        "outputs": [_tensor_dict(tensor) for tensor in _tensors(model.graphs[0], model.graphs[0].outputs)],
        "metadata": dict(model.metadata),
        "gpu_delegate": {
            "takes_all": not refusals(model),
            "refused": [
                {"operator": r.layer.operator, "layer": r.layer.name, "about": r.about, "reason": r.reason}
                for r in refusals(model)
            ],
            "undocumented": undocumented(model),
        },
        "graphs": [
            {
                "name": graph.name,
                "layers": [
                    {
                        "name": layer.name,
                        "operator": layer.operator,
                        "inputs": [_tensor_dict(tensor) for tensor in _tensors(graph, layer.inputs)],
                        "outputs": [_tensor_dict(tensor) for tensor in _tensors(graph, layer.outputs)],
                        "parameters": layer.parameters,
                        "macs": layer.macs,
                    }
                    for layer in graph.layers
                ],
            }
            for graph in model.graphs
        ],
    }


def summary(model: ModelFile) -> list[str]:
    """For the terminal."""
    graph = model.graphs[0]
    lines = [f"{model.path}: {model.version}", f"{model.bytes:,} bytes"]
    lines += [f"and {size:,} bytes in {name}" for name, size in model.external.items()]
    for title, numbers in (("input", graph.inputs), ("output", graph.outputs)):
        lines += [f"{title:11s}{_described(tensor)}" for tensor in _tensors(graph, numbers)]
    lines.append(f"parameters {model.parameters:,}")
    lines.append(f"MACs       {model.macs:,}{_but_not(model)}")
    if len(model.graphs) > 1:
        lines.append(f"graphs     {len(model.graphs)}, branches and loops each counted once")
    lines += ["", f"{'operator':28s}{'count':>6s}{'parameters':>12s}{'MACs':>16s}"]
    for name, count in model.operators.items():
        own = [layer for layer in model.layers if layer.operator == name]
        cells = sum(layer.parameters for layer in own), sum(layer.macs or 0 for layer in own)
        lines.append(f"{name:28s}{count:6d}{cells[0]:12,}{cells[1]:16,}")
    if model.metadata:
        lines += ["", "metadata"]
        lines += [f"  {name}: {_short(text)}" for name, text in model.metadata.items()]
    return [*lines, "", *verdict(model)]


def verdict(model: ModelFile) -> list[str]:
    """What the GPU delegate takes, in words."""
    found, also = refusals(model), undocumented(model)
    total = len(model.layers)
    whose = "LiteRT's GPU delegate" + (", once this is a .tflite file," if model.format == "onnx" else "")
    if not found:
        lines = [f"{whose} takes all {total} operators"]
    else:
        lines = [f"{whose} would leave {len(found)} of {total} operators to the CPU:"]
        lines += [f"  {_refused(refusal)}" for refusal in found[:MAX_LINES]]
        if len(found) > MAX_LINES:
            lines.append(f"  and {len(found) - MAX_LINES} more; --json names them all")
    if also:
        lines.append(f"(its documentation does not list {', '.join(also)}; its own check takes them)")
    return lines


def layer_lines(model: ModelFile) -> list[str]:
    """One line an operator."""
    lines = []
    for graph in model.graphs:
        lines += ["", graph.name, f"{'operator':24s}{'output':28s}{'parameters':>12s}{'MACs':>16s}"]
        for layer in graph.layers:
            shapes = " ".join(_shape(tensor) for tensor in _tensors(graph, layer.outputs))
            macs = "?" if layer.macs is None else f"{layer.macs:,}"
            lines.append(f"{layer.operator:24s}{shapes:28s}{layer.parameters:12,}{macs:>16s}")
    return lines


def printable_lines(lines: list[str]) -> str:
    """Names in a file may hold anything; they shall not steer the terminal."""
    return "\n".join(printable(line) for line in lines)


def _tensors(graph: Graph, numbers: tuple[int, ...]) -> list[Tensor]:
    return [graph.tensors[number] for number in numbers if number >= 0]


def _tensor_dict(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": None if tensor.shape is None else list(tensor.shape),
        "dtype": tensor.dtype,
        "constant": tensor.constant,
        "quantised": tensor.quantised,
    }


def _described(tensor: Tensor) -> str:
    return f"{tensor.name} {_shape(tensor)} {tensor.dtype}{', quantised' if tensor.quantised else ''}"


def _shape(tensor: Tensor) -> str:
    return "(?)" if tensor.shape is None else f"({', '.join(map(str, tensor.shape))})"


def _refused(refusal: Refusal) -> str:
    return f"{refusal.layer.operator} {refusal.layer.name!r}: {refusal.reason}"


def _but_not(model: ModelFile) -> str:
    return f", without those of {', '.join(model.uncounted)}" if model.uncounted else ""


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= MAX_TEXT else f"{one[:MAX_TEXT]}..."
