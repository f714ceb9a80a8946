"""An ONNX graph of one picture as the converter to TensorFlow Lite reads it: shapes, constants, attributes, and its sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from blazeface.errors import BlazeFaceError


@dataclass(frozen=True)
class Window:
    """Of a convolution or a pool, (rows, columns) each; before, after: padding."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]

    def is_same(self, size: Sequence[int]) -> bool:
        """Whether TensorFlow's SAME pads maps of this size (rows, columns) alike: an odd surplus to the right and bottom."""
        for axis in (0, 1):
            reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1
            total = max((-(-size[axis] // self.stride[axis]) - 1) * self.stride[axis] + reach - size[axis], 0)
            if (self.before[axis], self.after[axis]) != (total // 2, total - total // 2):
                return False
        return True

    @property
    def pads(self) -> bool:
        return any(self.before) or any(self.after)


class OnnxGraph:
    """The nodes of a model in order, and what is known of its values. Raises BlazeFaceError where a shape stays open."""

    def __init__(self, model: onnx.ModelProto):
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self.nodes = list(graph.node)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in graph.output]
        self._shapes = {
            value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
            for value in (*graph.value_info, *graph.input, *graph.output)
        }
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            if node.op_type == "Constant":
                (attribute,) = node.attribute
                self.constants[node.output[0]] = (
                    np.asarray(onnx.helper.get_attribute_value(attribute))
                    if (attribute.name != "value")
                    else numpy_helper.to_array(attribute.t)
                )
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def shape(self, name: str) -> tuple[int, ...]:
        if name in self.constants:
            return tuple(self.constants[name].shape)
        shape = self._shapes.get(name, ())
        if not shape or min(shape) < 1:
            raise BlazeFaceError(f"the shape of {name!r} is not known")
        return shape

    def constant(self, node: onnx.NodeProto, place: int) -> NDArray[Any] | None:
        """The value of an input, or None where it is left out. Raises BlazeFaceError where it is computed."""
        if len(node.input) <= place or not node.input[place]:
            return None
        if node.input[place] not in self.constants:
            raise no_operation(node, f"with an input {place} that is computed")
        return self.constants[node.input[place]]

    def sole_reader(self, name: str) -> onnx.NodeProto | None:
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def window(self, node: onnx.NodeProto, kernel: Sequence[int]) -> Window:
        """Of a Conv, MaxPool or AveragePool; what a pool with ceil_mode reaches over counts as padding after."""
        found = attributes(node)
        if found.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise no_operation(node, "with auto_pad")
        rows, columns = kernel
        pads = found.get("pads", [0, 0, 0, 0])
        stride, dilation = _two(found.get("strides", [1, 1])), _two(found.get("dilations", [1, 1]))
        after = [pads[2], pads[3]]
        if found.get("ceil_mode"):
            for axis, side in enumerate((rows, columns)):
                size, out = self.shape(node.input[0])[2 + axis], self.shape(node.output[0])[2 + axis]
                after[axis] = (out - 1) * stride[axis] + (side - 1) * dilation[axis] + 1 - size - pads[axis]
                after[axis] = max(after[axis], pads[2 + axis])
        return Window((rows, columns), stride, dilation, (pads[0], pads[1]), (after[0], after[1]))


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def no_operation(node: onnx.NodeProto, more: str = "") -> BlazeFaceError:
    """The sentence for an ONNX operator, or a form of one, that is not converted."""
    return BlazeFaceError(
        f"there is no TensorFlow Lite operation here for ONNX's {node.op_type}{more and ' '}{more}"
    )


def _two(values: Sequence[int]) -> tuple[int, int]:
    if len(values) != 2:
        raise BlazeFaceError("only maps of two axes are converted to TensorFlow Lite")
    return int(values[0]), int(values[1])
