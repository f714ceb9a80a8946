"""`blazeface cost`: parameters, multiply-accumulates and activations of a network, layer by layer."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blazeface.cli import separable
from blazeface.errors import BlazeFaceError, install_command
from blazeface.inspection import SUFFIXES, open_model
from blazeface.spec import NAMED_SPECS

if TYPE_CHECKING:
    from torch import nn

    from blazeface.models.cost import Cost

MISSING = f"counting needs PyTorch: {install_command('export')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "model",
        nargs="?",
        metavar="MODEL|FILE",
        help="a network's name (--list shows them), a weights file, or `separable` for one convolution in both forms",
    )
    add("--compare", nargs=2, metavar=("A", "B"), help="two of them, side by side")
    add("--list", action="store_true", help="what every named network costs")
    add("--json", action="store_true", help="print JSON instead of a table")
    separable.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print tables or JSON. Detectors and the second stage are counted as they are deployed, batch norm folded."""
    if [args.model is not None, args.compare is not None, args.list].count(True) != 1:
        raise BlazeFaceError("name one model or file, or two with --compare, or use --list")
    if args.model == separable.NAME:
        try:
            print(separable.answer(args))
        except ImportError as error:
            raise BlazeFaceError(f"{MISSING} ({error})") from error
        return 0
    separable.refuse_sizes(args)
    try:
        names = sorted(named()) if args.list else args.compare or [args.model]
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    costs = {name: cost_of(name) for name in names}
    if args.json:
        print(json.dumps({name: as_dict(cost, layers=not args.list) for name, cost in costs.items()}, indent=2))
    elif args.model:
        print(layer_table(costs[args.model]))
    else:
        print(comparison(costs))
    return 0


def named() -> dict[str, int]:
    """Every network known by name, and the side of the input that it is counted at."""
    from blazeface.models.light.classifiers import SIDES
    from blazeface.models.light.segmenters import SEGMENT_SIZE, SEGMENTERS
    from blazeface.models.light.unet import STEPS
    from blazeface.models.light.xception_aligned import ALIGNED
    from blazeface.models.refine import KINDS

    sides = {name: spec.input_size for name, spec in NAMED_SPECS.items()}
    sides |= SIDES | dict.fromkeys(ALIGNED, 256)
    sides |= {f"refine-{kind}": 64 for kind in KINDS}
    sides |= {f"segment-{kind}": SEGMENT_SIZE for kind in SEGMENTERS}
    return sides | {f"unet-{step}": 572 for step in range(len(STEPS))}


def cost_of(name: str) -> Cost:
    """Cost of a named network or a weights file. Raises BlazeFaceError for what is neither."""
    try:
        import torch

        from blazeface.models.cost import count
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    if name in named():
        side = named()[name]
        with torch.device("meta"):
            return count(_build(name), torch.zeros(1, 3, side, side))
    path = Path(name)
    if path.suffix in SUFFIXES:
        return _exported(path)
    if path.suffix != ".safetensors":
        raise BlazeFaceError(f"{path}: neither a named network (--list) nor a .safetensors, .onnx or .tflite file")
    network, side = _load(path)
    return count(network, torch.zeros(1, 3, side, side))


def _build(name: str) -> nn.Module:
    from blazeface.models.light.classifiers import CLASSIFIERS, build_classifier
    from blazeface.models.light.segmenters import build_segmenter
    from blazeface.models.light.unet import build_unet
    from blazeface.models.light.xception_aligned import ALIGNED, build_aligned
    from blazeface.models.named_layouts import NAMED_LAYOUTS
    from blazeface.models.network import BlazeFace
    from blazeface.models.refine import build_refine

    if name in NAMED_SPECS:
        return BlazeFace(NAMED_SPECS[name], NAMED_LAYOUTS[name]).folded()
    if name in CLASSIFIERS:
        return build_classifier(name)
    if name in ALIGNED:
        return build_aligned(name)
    family, _, kind = name.partition("-")
    if family == "refine":
        return build_refine(kind).folded()
    return build_unet(int(kind)) if family == "unet" else build_segmenter(kind)


def _load(path: Path) -> tuple[nn.Module, int]:
    from blazeface.models.light.segmenters import SEGMENT_KEY, SEGMENT_SIZE, load_segmenter
    from blazeface.models.refine import KIND_KEY, load_refine
    from blazeface.models.tensor_file import read_tensors
    from blazeface.models.weights import load_weights

    metadata, _ = read_tensors(path)
    if KIND_KEY in metadata:
        second = load_refine(path).folded()
        return second, second.spec.size
    if SEGMENT_KEY in metadata:
        return load_segmenter(path), SEGMENT_SIZE
    network = load_weights(path).folded()
    return network, network.spec.input_size


def _exported(path: Path) -> Cost:
    """Of a .onnx or .tflite file, as its own operators and shapes tell. Raises BlazeFaceError where they do not."""
    from blazeface.models.cost import Cost, LayerCost

    model = open_model(path)
    if model.uncounted:
        raise BlazeFaceError(f"{path}: the shapes in it do not tell the cost of {', '.join(model.uncounted)}")
    layers: list[LayerCost] = []
    for graph in model.graphs:
        for layer in graph.layers:
            if layer.parameters or layer.macs:
                shape = (graph.tensors[layer.outputs[0]].shape or ())[1:]
                whole = tuple(side for side in shape if isinstance(side, int))
                size = math.prod(whole) if len(whole) == len(shape) else 0
                name = layer.name or f"{layer.operator} {len(layers)}"
                layers.append(LayerCost(name, layer.operator, whole, layer.parameters, layer.macs or 0, size))
    return Cost(tuple(layers), model.parameters, model.bytes)


def as_dict(cost: Cost, layers: bool) -> dict[str, Any]:
    """JSON-ready: the totals, and the layers where asked for."""
    totals: dict[str, Any] = {
        "parameters": cost.parameters,
        "macs": cost.macs,
        "activations": cost.activations,
        "bytes": cost.bytes,
    }
    return {**totals, "layers": [asdict(layer) for layer in cost.layers]} if layers else totals


def layer_table(cost: Cost) -> str:
    """One line a layer, and the whole network at the end."""
    rows = [("layer", "kind", "output", "parameters", "MACs", "activations")]
    for layer in cost.layers:
        shape = "x".join(map(str, layer.shape))
        rows.append((layer.name, layer.kind, shape, *_numbers(layer.parameters, layer.macs, layer.activations)))
    rows.append(("whole network", "", "", *_numbers(cost.parameters, cost.macs, cost.activations)))
    where = "of parameters in float32" if cost.file_bytes is None else "on disk"
    return f"{_aligned(rows, left=3)}\n\n{cost.bytes / 1e6:,.3f} MB {where}"


def comparison(costs: dict[str, Cost]) -> str:
    """One line a network; of two, also how many times the second the first is."""
    rows = [("network", "parameters", "MACs", "activations", "MB")]
    for name, cost in costs.items():
        rows.append((name, *_numbers(cost.parameters, cost.macs, cost.activations), f"{cost.bytes / 1e6:,.3f}"))
    if len(costs) == 2:
        one, other = costs.values()
        pairs = [(one.parameters, other.parameters), (one.macs, other.macs), (one.activations, other.activations)]
        ratios = [f"{a / b:.2f}x" for a, b in [*pairs, (one.bytes, other.bytes)]]
        rows.append(("first / second", ratios[0], ratios[1], ratios[2], ratios[3]))
    return _aligned(rows, left=1)


def _numbers(parameters: int, macs: int, activations: int) -> tuple[str, str, str]:
    return f"{parameters:,}", f"{macs:,}", f"{activations:,}"


def _aligned(rows: list[Any], left: int) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
