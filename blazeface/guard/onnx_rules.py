"""The operators of ONNX that a face detector of this kind needs: how many inputs, which attributes, what shape comes out.

Shapes are computed from the file alone, for pictures of a given number and size, and with them what a run costs. A node
that is not on the list, or whose shapes do not go together, is Refused. The rules are those of the operators'
specifications (ONNX 1.18, opsets 9 to 23), less what is never exported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from blazeface.guard import Refused
from blazeface.guard import onnx_layers as layers
from blazeface.guard import onnx_shapes as shapes
from blazeface.guard.onnx_graph import SMALL, Node
from blazeface.guard.onnx_values import Attributes, Inputs, Result, same


@dataclass(frozen=True)
class Rule:
    """inputs: how many at least and at most. attributes: that may be set. shape: gives outputs and work, or raises
    Refused."""

    inputs: tuple[int, int]
    attributes: frozenset[str]
    shape: Callable[[Inputs, Attributes], Result]
    outputs: int = 1


def apply(node: Node, inputs: Inputs) -> Result:
    """The outputs of a node. Raises Refused, without the node's name."""
    rule = RULES.get(node.kind)
    if rule is None:
        raise Refused(f"the operator {node.kind[:60]!r}")
    low, high = rule.inputs
    if not low <= len(inputs) <= high or any(entry is None for entry in inputs[:low]):
        raise Refused(f"{node.kind} with {len(inputs)} inputs, some of them perhaps left out")
    if not 1 <= len(node.outputs) <= rule.outputs:
        raise Refused(f"{node.kind} with {len(node.outputs)} outputs")
    unknown = node.attributes.keys() - rule.attributes
    if unknown:
        raise Refused(f"{node.kind} with the attribute {min(unknown)[:60]!r}")
    outputs, work = rule.shape(inputs, node.attributes)
    return outputs, work


def _rule(
    low: int, high: int, shape: Callable[[Inputs, Attributes], Result], attributes: str = "", outputs: int = 1
) -> Rule:
    return Rule((low, high), frozenset(attributes.split()), shape, outputs)


ONE: Mapping[str, Callable[..., Any]] = {
    "Sqrt": np.sqrt, "Neg": np.negative, "Abs": np.abs, "Floor": np.floor, "Ceil": np.ceil,
}  # fmt: skip
TWO: Mapping[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": shapes.divide, "Pow": np.power,
    "Equal": np.equal, "Greater": np.greater, "Less": np.less, "GreaterOrEqual": np.greater_equal, "And": np.logical_and,
}  # fmt: skip
"""Elementwise operators of one and of two tensors, as numpy has them."""

WINDOW = "auto_pad dilations kernel_shape pads strides"
RULES: Mapping[str, Rule] = {
    **{kind: _rule(1, 1, same) for kind in ("Relu", "Sigmoid", "Exp", "HardSwish", "Tanh", "Softplus", "Erf")},
    **{kind: _rule(1, 1, same, "alpha beta") for kind in ("LeakyRelu", "HardSigmoid", "Elu")},
    **{kind: _rule(1, 1, shapes.elementwise(f)) for kind, f in ONE.items()},
    **{kind: _rule(2, 2, shapes.elementwise(f)) for kind, f in TWO.items()},
    **{kind: _rule(1, 8, shapes.elementwise(None)) for kind in ("Max", "Min")},
    **{kind: _rule(1, 2, layers.reduce, "axes keepdims noop_with_empty_axes") for kind in ("ReduceMean", "ReduceMin", "ReduceMax", "ReduceSum")},
    "Where": _rule(3, 3, shapes.elementwise(np.where)),
    "Identity": _rule(1, 1, shapes.through),
    "Cast": _rule(1, 1, shapes.cast, "to saturate"),
    "Clip": _rule(1, 3, layers.clip),
    "PRelu": _rule(2, 2, layers.prelu),
    "Softmax": _rule(1, 1, shapes.softmax, "axis"),
    "BatchNormalization": _rule(5, 5, layers.batch_norm, "epsilon momentum training_mode"),
    "Conv": _rule(2, 3, layers.conv, f"{WINDOW} group"),
    "ConvTranspose": _rule(2, 3, layers.conv_transpose, f"{WINDOW} group output_padding"),
    "MaxPool": _rule(1, 1, layers.pool, f"{WINDOW} ceil_mode storage_order"),
    "AveragePool": _rule(1, 1, layers.pool, f"{WINDOW} ceil_mode count_include_pad"),
    "GlobalAveragePool": _rule(1, 1, layers.global_pool),
    "MatMul": _rule(2, 2, layers.matmul),
    "Gemm": _rule(2, 3, layers.gemm, "alpha beta transA transB"),
    "Concat": _rule(1, SMALL, shapes.concat, "axis"),
    "Split": _rule(2, 2, shapes.split, "axis num_outputs", outputs=SMALL),
    "Slice": _rule(3, 5, shapes.sliced),
    "Transpose": _rule(1, 1, shapes.transpose, "perm"),
    "Reshape": _rule(2, 2, shapes.reshape, "allowzero"),
    "Flatten": _rule(1, 1, shapes.flatten, "axis"),
    "Squeeze": _rule(2, 2, shapes.squeeze),
    "Unsqueeze": _rule(2, 2, shapes.unsqueeze),
    "Expand": _rule(2, 2, shapes.expand),
    "Shape": _rule(1, 1, shapes.shape_of, "start end"),
    "ConstantOfShape": _rule(1, 1, shapes.constant_of_shape, "value"),
    "Constant": _rule(0, 0, shapes.constant, "value value_int value_ints value_float value_floats"),
    "Gather": _rule(2, 2, shapes.gather, "axis"),
    "GatherND": _rule(2, 2, shapes.gather_nd, "batch_dims"),
    "Pad": _rule(2, 4, shapes.pad, "mode"),
    "Resize": _rule(1, 4, shapes.resize, "antialias coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value keep_aspect_ratio_policy mode nearest_mode axes"),
    "DepthToSpace": _rule(1, 1, shapes.depth_to_space, "blocksize mode"),
    "QuantizeLinear": _rule(2, 3, layers.quantize, "axis saturate"),
    "DequantizeLinear": _rule(2, 3, layers.quantize, "axis"),
    "NonMaxSuppression": _rule(2, 5, layers.suppression, "center_point_box"),
}  # fmt: skip
"""By operator. A model that has others is run in a process of its own, where its owner is trusted."""
