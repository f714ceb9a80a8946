"""The operators that LiteRT's GPU delegate takes: the newest version of each, how many inputs may be computed, and its limits.

Source, read on 2026-11-26: google-ai-edge/LiteRT, tflite/delegates/gpu/common/model_builder.cc at commit 34ec5ba
(`NewOperationParser` names the operators, each parser's `IsSupported` the newest version, `GetOpsToReplace` the numbers and
axes of tensors) and tflite/tools/versioning/gpu_compatibility.cc at commit 007226f (inputs and options). An operator that the
second file alone knows, as ATAN2 or CEIL, is another accelerator's: this delegate has no parser for it. The documentation
lists a part of them (https://developers.google.com/edge/litert/performance/gpu).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GpuOperator:
    """version: the newest that is taken; 0 where it is not looked at. computed: how many of the inputs may be no constants,
    as a range; None where it is not looked at. limit: what else is asked for, in words. checked: whether `gpu_delegate`
    checks that limit; what it cannot see in a file of operators alone, or what no exporter writes, it does not."""

    version: int
    computed: tuple[int, int] | None = None
    limit: str = ""
    checked: bool = True


_ONE, _ONE_OR_TWO = (1, 1), (1, 2)
_LOGIC = "what it gives goes to one CAST or SELECT alone, which gives float"
_AXES = "the axes are constant int32"
_BLOCK = "a block size above 1"
_PADDING = "paddings of 3 or 4 axes"

_UNARY = "ABS COS ELU EXP FLOOR GELU LOG LOGISTIC NEG RSQRT SIGN SIN SQRT SQUARE TANH"
_BINARY = "DIV FLOOR_DIV FLOOR_MOD LOGICAL_AND MAXIMUM MINIMUM POW SQUARED_DIFFERENCE SUB"
_COMPARING = "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"

OPERATORS: dict[str, GpuOperator] = {
    **{name: GpuOperator(2, _ONE) for name in _UNARY.split()},
    **{name: GpuOperator(2, _ONE_OR_TWO) for name in _BINARY.split()},
    **{name: GpuOperator(2, None, _LOGIC) for name in _COMPARING.split()},
    "ADD": GpuOperator(2, None, "two inputs"),
    "ADD_N": GpuOperator(2, None, "two inputs"),
    "AVERAGE_POOL_2D": GpuOperator(2, _ONE),
    "BATCH_MATMUL": GpuOperator(0, None, "a constant second input has two axes"),
    "CAST": GpuOperator(0, _ONE, "between float and bool, or float32 and int32", checked=False),
    "CONCATENATION": GpuOperator(2),
    "CONV_2D": GpuOperator(6, _ONE_OR_TWO),
    "CUMSUM": GpuOperator(1, _ONE),
    "DENSIFY": GpuOperator(1, (0, 0)),
    "DEPTHWISE_CONV_2D": GpuOperator(6, _ONE_OR_TWO, "four axes"),
    "DEPTH_TO_SPACE": GpuOperator(0, _ONE, _BLOCK, checked=False),
    "DEQUANTIZE": GpuOperator(3, None, "of 8 bits or float16"),
    "FULLY_CONNECTED": GpuOperator(9, _ONE_OR_TWO, "weights in the default format", checked=False),
    "GATHER": GpuOperator(1, _ONE_OR_TWO, "int32 indices of one axis"),
    "HARD_SWISH": GpuOperator(0, _ONE),
    "LEAKY_RELU": GpuOperator(2),
    "LSTM": GpuOperator(
        4, None, "20 or 24 inputs, or the basic kernel with TANH and without clipping", checked=False
    ),
    "MAX_POOL_2D": GpuOperator(2, _ONE),
    "MEAN": GpuOperator(0, _ONE, _AXES),
    "MIRROR_PAD": GpuOperator(2, _ONE, f"{_PADDING}; mode REFLECT"),
    "MUL": GpuOperator(3, None, "two inputs"),
    "ONE_HOT": GpuOperator(1, None, "constant scalars for on and off; the last axis", checked=False),
    "PACK": GpuOperator(0),
    "PAD": GpuOperator(2, _ONE, _PADDING),
    "PADV2": GpuOperator(2, _ONE, _PADDING),
    "PRELU": GpuOperator(1),
    "QUANTIZE": GpuOperator(2, _ONE),
    "REDUCE_MAX": GpuOperator(0, _ONE, _AXES),
    "REDUCE_MIN": GpuOperator(0, _ONE, _AXES),
    "REDUCE_PROD": GpuOperator(0, _ONE, _AXES),
    "RELU": GpuOperator(2),
    "RELU6": GpuOperator(2),
    "RELU_0_TO_1": GpuOperator(2),
    "RELU_N1_TO_1": GpuOperator(2),
    "RESHAPE": GpuOperator(1, _ONE),
    "RESIZE_BILINEAR": GpuOperator(3, _ONE, "not both align_corners and half_pixel_centers"),
    "RESIZE_NEAREST_NEIGHBOR": GpuOperator(3, _ONE),
    "SELECT": GpuOperator(1, None, "branches as large as the output, or scalars", checked=False),
    "SELECT_V2": GpuOperator(1, None, "branches as large as the output, or scalars", checked=False),
    "SLICE": GpuOperator(2, None, "three or four axes"),
    "SOFTMAX": GpuOperator(2, None, "a beta of 1"),
    "SPACE_TO_DEPTH": GpuOperator(2, _ONE, _BLOCK, checked=False),
    "SPLIT": GpuOperator(0),
    "SPLIT_V": GpuOperator(0),
    "STRIDED_SLICE": GpuOperator(4, None, "three or four axes; no ellipsis, new_axis or shrink_axis mask"),
    "SUM": GpuOperator(0, _ONE, _AXES),
    "TILE": GpuOperator(0, _ONE),
    "TRANSPOSE": GpuOperator(4, _ONE),
    "TRANSPOSE_CONV": GpuOperator(3, _ONE_OR_TWO),
    "UNPACK": GpuOperator(0),
}
"""By name, as `tflite.names.OPERATORS` spells them."""

CUSTOM = ("Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler")
"""Operators that are no built-in ones, MediaPipe's, which it takes as well."""

_DOCUMENTED = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGICAL_AND LOGISTIC LSTM"
    " MAX_POOL_2D MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB"
    " TRANSPOSE_CONV"
)
DOCUMENTED = set(_DOCUMENTED.split())
"""Those that the documentation lists."""
