"""A .tflite file for microcontrollers: grey pictures in, int8 from end to end, and the heads' answers as they are.

Without what a microcontroller has no use for: no float32 at its ends, no reshaping of outputs, no names, and equal vectors
written once. `phones/micro` runs it in plain C, and so does TensorFlow Lite Micro.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.tflite import NetworkGraph
from blazeface.geometry import Image
from blazeface.models.blocks import LUMINANCE, SameConv2d
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY
from blazeface.spec import METADATA_KEY
from blazeface.tflite.model import Model
from blazeface.tflite.quantize import quantise
from blazeface.tflite.writer import model_bytes

INPUT_SCALE = 1 / 127.5
"""Of the input, whose zero point is 0: a grey value v from 0 to 255 is given as v - 128."""


def grey_pixels(tensor: NDArray[np.float32]) -> NDArray[np.int8]:
    """What a file of this kind takes, (S, S, 1) int8, from a normalised RGB tensor (3, S, S) of mean and std 127.5."""
    values = np.tensordot(np.asarray(LUMINANCE, np.float32), tensor, 1) * 127.5 + 127.5
    pixels: NDArray[np.int8] = (np.clip(np.rint(values), 0, 255) - 128).astype(np.int8)
    return pixels[:, :, None]


@torch.no_grad()
def to_micro(network: BlazeFace, pictures: Sequence[Image]) -> bytes:
    """The file of a grey network. pictures: BGR, real ones, from which int8 takes the ranges of its values.

    One input (1, S, S, 1) int8. Outputs for each map, the finest first: scores (1, cells, cells, anchors), then, again for each map,
    regressions (1, cells, cells, anchors * (4 + 2K)), all int8 with scales of their own. Raises BlazeFaceError for a network
    that sees colours, or another normalisation than (v - 127.5) / 127.5.
    """
    spec = network.spec
    if network.luminance is None:
        raise BlazeFaceError(f"{spec.name} sees colours: for a microcontroller it would have to be grey")
    if (spec.mean, spec.std) != (127.5, 127.5):
        raise BlazeFaceError(f"{spec.name}: pixels for a microcontroller have mean and std 127.5")
    folded = network.folded()
    graph = NetworkGraph(np.dtype(np.float32))
    entry = graph.writer.tensor("input", (1, spec.input_size, spec.input_size, 1))
    head_inputs = graph.trunk(entry, folded)
    found = []
    for name, heads in (("scores", folded.score_heads), ("regressions", folded.regression_heads)):
        for place, (maps, head) in enumerate(zip(head_inputs, heads, strict=True)):
            assert isinstance(head, SameConv2d)
            found.append(graph.convolution(maps, head, f"{name}.{place}"))
    metadata = {METADATA_KEY: spec.to_json().encode()}
    if network.origin:
        metadata[ORIGIN_KEY] = network.origin.to_json().encode()
    model = graph.writer.finish(spec.name, f"Face detector {spec.name}, grey, int8", [entry], found, metadata)
    batch = np.stack([grey_pixels(prepare(picture, spec)[0]) for picture in pictures]).astype(np.float32)
    quantise(model, batch * np.float32(INPUT_SCALE), lambda *_: False)
    _without_floats(model)
    _pads_first(model)
    return model_bytes(model, share=True)


def _pads_first(model: Model) -> None:
    """Put each PAD right behind what makes its input: a block's input is then no longer needed when its output is made, so that
    planners find room in less memory (42 kB instead of 51 kB for tiny-96)."""
    graph = model.graphs[0]
    order = list(graph.operators)
    for pad in [step for step in order if step.kind == "PAD"]:
        order.remove(pad)
        makers = [i for i, step in enumerate(order) if pad.inputs[0] in step.outputs]
        order.insert(makers[0] + 1, pad)
    graph.operators = order


def _without_floats(model: Model) -> None:
    """Take away what turns floats into int8 at the beginning and int8 into floats at the end, all names, and the scales of biases,
    which follow from those of inputs and weights."""
    graph = model.graphs[0]
    for step in graph.operators:
        if step.kind == "QUANTIZE":
            graph.inputs = step.outputs
        elif step.kind == "DEQUANTIZE":
            graph.outputs = tuple(step.inputs[0] if n == step.outputs[0] else n for n in graph.outputs)
    graph.operators = [step for step in graph.operators if step.kind not in ("QUANTIZE", "DEQUANTIZE")]
    used = sorted({n for step in graph.operators for n in (*step.inputs, *step.outputs)})
    place = {old: new for new, old in enumerate(used)}
    graph.tensors = [graph.tensors[n] for n in used]
    for tensor in graph.tensors:
        tensor.name = ""
        if tensor.dtype == "int32":
            tensor.quantization = None
    entry = graph.tensors[place[graph.inputs[0]]]
    assert entry.quantization is not None
    entry.quantization.scales, entry.quantization.zero_points = [INPUT_SCALE], [0]
    graph.inputs = tuple(place[n] for n in graph.inputs)
    graph.outputs = tuple(place[n] for n in graph.outputs)
    for step in graph.operators:
        step.inputs = tuple(place[n] for n in step.inputs)
        step.outputs = tuple(place[n] for n in step.outputs)
