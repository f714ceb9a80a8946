"""Google's released BlazeFace networks: from their .tflite files into the PyTorch network.

The weights are found by following the data through the file's graph, operation by operation, along
the layout of the network they belong to. So the wiring, strides, padding and activations are checked
on the way, and a file of another network is refused rather than read wrongly. Names and order of the
file's tensors do not matter.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import BlazeBlock, DoubleBlazeBlock, SameConv2d, Shortcut, UpBlock
from blazeface.models.named_layouts import NAMED_LAYOUTS
from blazeface.models.network import BlazeFace
from blazeface.spec import BACK_CAMERA, FULL_RANGE_DENSE, SHORT_RANGE, ModelSpec
from blazeface.tflite.graph import Array, Graph, Operation, read_graph

IMPORTABLE = (SHORT_RANGE, BACK_CAMERA, FULL_RANGE_DENSE)

RELEASED = {
    "short-range": "caf067c1391bb14be76021d74cd4cce36cf4d787c0688731d2e780f443837113",
    "back-camera": "69d3be0b1592a94264b7e4d7bbe81700430cbfee74e9379edf057f1c0ecdd577",
    "full-range-dense": "2def1ec565d0ef25fef31aa2869785dfec0482ed41850b8999a80f19d376df59",
}
"""`fingerprint` of each network as Google released it."""


def import_tflite(path: Path) -> BlazeFace:
    """The network of one of Google's .tflite files, without batch norm, in eval mode.

    Raises BlazeFaceError, saying what was expected and what was found, for a file that is missing,
    damaged, or holds anything else.
    """
    graph = read_graph(path)
    try:
        spec = _identify(graph)
        network = BlazeFace(spec, NAMED_LAYOUTS[spec.name], norm=False)
        _fill(network, graph)
    except BlazeFaceError as error:
        raise BlazeFaceError(f"{path}: {error}") from error
    return network.eval()


def fingerprint(network: BlazeFace) -> str:
    """SHA-256 of all weights, to tell whether two networks are the same to the last bit."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def is_released(network: BlazeFace) -> bool:
    """Whether the weights are, to the last bit, those that Google released for this network."""
    return fingerprint(network) == RELEASED.get(network.spec.name)


def _identify(graph: Graph) -> ModelSpec:
    """Which of the importable networks has the graph's input and outputs."""
    if any(operation.name == "DENSIFY" for operation in graph.operations):
        raise BlazeFaceError(
            "expected dense weights, found a sparse model (of full range there is a dense file too)"
        )
    found = _signature([graph.shapes[i] for i in graph.inputs], [graph.shapes[i] for i in graph.outputs])
    expected = {}
    for spec in IMPORTABLE:
        size, anchors = spec.input_size, spec.num_anchors
        signature = _signature([(1, size, size, 3)], [(1, anchors, spec.num_coords), (1, anchors, 1)])
        if signature == found:
            return spec
        expected[spec.name] = signature
    listed = "; ".join(f"{name}: {signature}" for name, signature in expected.items())
    raise BlazeFaceError(f"expected one of Google's face detectors ({listed}), found {found}")


def _signature(inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> str:
    def text(shapes: list[tuple[int, ...]]) -> str:
        return " and ".join("x".join(map(str, shape)) or "a scalar" for shape in shapes) or "nothing"

    return f"{text(inputs)} to {text(outputs)}"


@torch.no_grad()
def _fill(network: BlazeFace, graph: Graph) -> None:
    """Follow the graph along the network's layout and copy each weight on the way."""
    cursor = _GraphCursor(graph)
    tensor = cursor.convolution(graph.inputs[0], _convolution(network.stem), relu=True)
    head_inputs: list[int] = []
    outputs: list[int] = []
    for module, block in zip(network.blocks, network.layout.blocks, strict=True):
        joined = None if block.skip_from is None else outputs[block.skip_from]
        tensor = _follow_block(cursor, tensor, module, joined)
        outputs.append(tensor)
        if block.feeds_head:
            head_inputs.append(tensor)
    for heads, columns in ((network.score_heads, 1), (network.regression_heads, network.spec.num_coords)):
        maps = []
        for tensor, head in zip(head_inputs, heads, strict=True):
            assert isinstance(head, SameConv2d)
            maps.append(cursor.reshape(cursor.convolution(tensor, head, relu=False), columns))
        result = cursor.concatenate(maps) if len(maps) > 1 else maps[0]
        if result not in graph.outputs:
            raise BlazeFaceError("expected its heads to be the model's outputs, found further operations")
    left = [operation.name for operation in graph.operations if id(operation) not in cursor.passed]
    if left:
        raise BlazeFaceError(
            f"expected no operation beside the {network.spec.name} network, found {_listed(left)}"
        )


def _follow_block(cursor: _GraphCursor, tensor: int, module: nn.Module, joined: int | None) -> int:
    if isinstance(module, UpBlock):
        assert joined is not None
        coarse = cursor.convolution(tensor, _convolution(module.coarse), relu=True)
        fine = cursor.convolution(joined, _convolution(module.fine), relu=True)
        return cursor.add(cursor.upscale(coarse), fine, relu=False)
    if isinstance(module, DoubleBlazeBlock):
        inner = cursor.convolution(tensor, _convolution(module.depthwise_in), relu=False)
        inner = cursor.convolution(inner, _convolution(module.project), relu=True)
        inner = cursor.convolution(inner, _convolution(module.depthwise_mid), relu=False)
        inner = cursor.convolution(inner, _convolution(module.expand), relu=False)
    else:
        assert isinstance(module, BlazeBlock)
        inner = cursor.convolution(tensor, _convolution(module.depthwise), relu=False)
        inner = cursor.convolution(inner, _convolution(module.pointwise), relu=module.shortcut is None)
    if module.shortcut is None:
        return inner
    return cursor.add(cursor.shortcut(tensor, module.shortcut), inner, relu=True)


def _convolution(layer: nn.Module) -> SameConv2d:
    (convolution,) = (
        layer if isinstance(layer, nn.Sequential) else (layer,)
    )  # imported networks have no batch norm
    assert isinstance(convolution, SameConv2d)
    return convolution


@dataclass
class _GraphCursor:
    """Walks the graph from tensor to tensor; each step names the operation that must come next."""

    graph: Graph
    passed: set[int] = field(default_factory=set)

    def convolution(self, tensor: int, target: SameConv2d, relu: bool) -> int:
        """Pass a convolution of the target's shape and copy its weights there."""
        out, group_in, size, _ = target.weight.shape
        kind = "DEPTHWISE_CONV_2D" if target.groups > 1 else "CONV_2D"
        shape = (1, size, size, out) if target.groups > 1 else (out, size, size, group_in)
        found = [op for op in self._consumers(tensor, kind) if self._weights(op).shape == shape]
        label = f"{kind} with weights {'x'.join(map(str, shape))}"
        step = self._one(tensor, label, found)
        # With stride 1 a 1 x 1 filter needs no padding, and files say either.
        paddings = ("SAME", "VALID") if size == 1 else ("SAME",)
        self._option(step, "padding", *paddings)
        self._option(step, "stride", target.stride)
        self._option(step, "dilation", (1, 1))
        weight = self._weights(step)
        bias = self._constant(step, 2)
        if bias is None or bias.shape != (out,):
            raise BlazeFaceError(f"expected {out} biases for {label}, found {_values(bias)}")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise BlazeFaceError(f"expected finite weights for {label}, found some that are not")
        axes = (3, 0, 1, 2) if target.groups > 1 else (0, 3, 1, 2)
        assert target.bias is not None
        target.weight.copy_(torch.from_numpy(weight.astype(np.float32).transpose(axes).copy()))
        target.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
        return self._activated(step, relu)

    def shortcut(self, tensor: int, target: Shortcut) -> int:
        """Pass the max pool and the channel padding that a block's shortcut has."""
        if target.stride > 1:
            step = self._next(tensor, "MAX_POOL_2D")
            for option in ("filter", "stride"):
                self._option(step, option, (target.stride, target.stride))
            tensor = self._activated(step, relu=False)
        if target.new_channels:
            step = self._next(tensor, "PAD")
            expected = [[0, 0], [0, 0], [0, 0], [0, target.new_channels]]
            amounts = self._constant(step, 1)
            if amounts is None or amounts.tolist() != expected:
                raise BlazeFaceError(f"expected padding {expected}, found {_values(amounts)}")
            tensor = step.outputs[0]
        return tensor

    def upscale(self, tensor: int) -> int:
        """Pass a bilinear resize to twice the size, with half-pixel centres."""
        step = self._next(tensor, "RESIZE_BILINEAR")
        self._option(step, "half_pixel", True)
        expected = [2 * side for side in self.graph.shapes[tensor][1:3]]
        size = self._constant(step, 1)
        if size is None or size.tolist() != expected:
            raise BlazeFaceError(f"expected a resize to {expected}, found {_values(size)}")
        return step.outputs[0]

    def add(self, one: int, other: int, relu: bool) -> int:
        found = [op for op in self._consumers(one, "ADD") if sorted(op.inputs) == sorted((one, other))]
        return self._activated(self._one(one, "ADD of block and shortcut", found), relu)

    def reshape(self, tensor: int, columns: int) -> int:
        """Pass the reshape of a head's map (1, H, W, anchors * columns) into rows (1, A, columns)."""
        step = self._next(tensor, "RESHAPE")
        expected = (1, math.prod(self.graph.shapes[tensor]) // columns, columns)
        if self.graph.shapes[step.outputs[0]] != expected:
            raise BlazeFaceError(f"expected rows {expected}, found {self.graph.shapes[step.outputs[0]]}")
        return step.outputs[0]

    def concatenate(self, maps: list[int]) -> int:
        step = self._next(maps[0], "CONCATENATION")
        self._option(step, "axis", 1, -2)
        if list(step.inputs) != maps:
            raise BlazeFaceError(
                "expected the maps to be joined from the larger to the smaller, found another order"
            )
        return self._activated(step, relu=False)

    def _next(self, tensor: int, kind: str) -> Operation:
        return self._one(tensor, kind, self._consumers(tensor, kind))

    def _consumers(self, tensor: int, kind: str) -> list[Operation]:
        return [op for op in self.graph.operations if op.name == kind and tensor in op.inputs]

    def _one(self, tensor: int, label: str, found: list[Operation]) -> Operation:
        if len(found) != 1 or len(found[0].outputs) != 1:
            readers = [op.name for op in self.graph.operations if tensor in op.inputs]
            shape = "x".join(map(str, self.graph.shapes[tensor]))
            raise BlazeFaceError(f"expected one {label} on its {shape} tensor {tensor}, found {_listed(readers)}")
        self.passed.add(id(found[0]))
        return found[0]

    def _activated(self, step: Operation, relu: bool) -> int:
        """The step's output after its activation, which may be fused into it or follow it."""
        if relu and step.options["activation"] == "NONE":
            return self._next(step.outputs[0], "RELU").outputs[0]
        self._option(step, "activation", "RELU" if relu else "NONE")
        return step.outputs[0]

    def _option(self, step: Operation, option: str, *expected: object) -> None:
        if step.options[option] not in expected:
            raise BlazeFaceError(f"expected {option} {expected[0]} at a {step.name}, found {step.options[option]}")

    def _weights(self, step: Operation) -> Array:
        weights = self._constant(step, 1)
        if weights is None:
            raise BlazeFaceError(
                f"expected float16 or float32 weights at a {step.name}, found none (no quantised file can be read)"
            )
        return weights

    def _constant(self, step: Operation, position: int) -> Array | None:
        """Values of one input of a step, None where it has no such input or its values are computed."""
        return self.graph.constants.get(step.inputs[position]) if position < len(step.inputs) else None


def _values(array: Array | None) -> str:
    return "none" if array is None else f"{array.dtype} {'x'.join(map(str, array.shape))}"


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
