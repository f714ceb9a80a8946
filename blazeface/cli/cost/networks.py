"""The networks that `cost` knows: by name, from a weights file, or as an exported file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from blazeface.errors import BlazeFaceError, install_command
from blazeface.inspection import SUFFIXES, open_model
from blazeface.spec import NAMED_SPECS

if TYPE_CHECKING:
    from torch import nn

    from blazeface.models.cost import Cost

MISSING = f"counting needs PyTorch: {install_command('export')}"


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
