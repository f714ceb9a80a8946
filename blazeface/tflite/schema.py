"""The tables of a .tflite file, by the format's public schema, version 3 (TensorFlow's schema.fbs).

Both the reader and the writer take field numbers and defaults from here. Tables and fields that no code here asks
for are left out, from the end of a table on; a field's number is its place.
"""

from __future__ import annotations

from dataclasses import dataclass

MARK = b"TFL3"
"""The file identifier, at byte 4."""

NUMBERS = {"b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32", "I": "Uint32", "f": "Float32", "q": "Int64", "Q": "Uint64"}  # fmt: skip
"""Scalar types: the letter of `struct`, and flatbuffers' own name."""


@dataclass(frozen=True)
class Field:
    """type: a letter of NUMBERS, "text", the name of a table, "union" (a table whose type the field before it gives), or
    one of these in brackets: a vector. default: of a scalar."""

    name: str
    number: int
    type: str
    default: float


_TABLES = """
Model: version I, operator_codes [OperatorCode], subgraphs [SubGraph], description text, buffers [Buffer],
  metadata_buffer [i], metadata [Metadata]
OperatorCode: deprecated_builtin_code b, custom_code text, version i=1, builtin_code i
SubGraph: tensors [Tensor], inputs [i], outputs [i], operators [Operator], name text
Tensor: shape [i], type b, buffer I, name text, quantization QuantizationParameters, is_variable ?,
  sparsity SparsityParameters, shape_signature [i]
QuantizationParameters: min [f], max [f], scale [f], zero_point [q], details_type B, details union,
  quantized_dimension i
SparsityParameters:
Operator: opcode_index I, inputs [i], outputs [i], builtin_options_type B, builtin_options union
Buffer: data [B], offset Q, size Q
Metadata: name text, buffer I
Conv2DOptions: padding b, stride_w i, stride_h i, activation b, dilation_w i=1, dilation_h i=1
DepthwiseConv2DOptions: padding b, stride_w i, stride_h i, multiplier i, activation b, dilation_w i=1, dilation_h i=1
Pool2DOptions: padding b, stride_w i, stride_h i, filter_w i, filter_h i, activation b
SoftmaxOptions: beta f
ConcatenationOptions: axis i, activation b
AddOptions: activation b
MulOptions: activation b
SubOptions: activation b
DivOptions: activation b
FullyConnectedOptions: activation b, weights_format b, keep_num_dims ?
ReducerOptions: keep_dims ?
ResizeNearestNeighborOptions: align_corners ?, half_pixel ?
TransposeConvOptions: padding b, stride_w i, stride_h i, activation b
PadV2Options:
SliceOptions:
ResizeBilinearOptions: new_height i, new_width i, align_corners ?, half_pixel ?
ReshapeOptions: new_shape [i]
PadOptions:
TransposeOptions:
StridedSliceOptions: begin i, end i, ellipsis i, new_axis i, shrink_axis i
BatchMatMulOptions: transpose_x ?, transpose_y ?
DequantizeOptions:
QuantizeOptions:
"""


def _fields(text: str) -> tuple[Field, ...]:
    fields = []
    for number, entry in enumerate(part.split() for part in text.split(",") if part.strip()):
        name, kind = entry
        kind, _, default = kind.partition("=")
        fields.append(Field(name, number, kind, float(default or 0)))
    return tuple(fields)


def _tables(text: str) -> dict[str, tuple[Field, ...]]:
    lines = text.strip().replace(",\n ", ",").splitlines()
    return {name: _fields(rest) for name, _, rest in (line.partition(":") for line in lines)}


TABLES = _tables(_TABLES)
"""The fields of each table, by its name."""

OPTIONS = {
    "CONV_2D": ("Conv2DOptions", 1),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", 2),
    "MAX_POOL_2D": ("Pool2DOptions", 5),
    "AVERAGE_POOL_2D": ("Pool2DOptions", 5),
    "SOFTMAX": ("SoftmaxOptions", 9),
    "CONCATENATION": ("ConcatenationOptions", 10),
    "ADD": ("AddOptions", 11),
    "MUL": ("MulOptions", 21),
    "SUB": ("SubOptions", 28),
    "DIV": ("DivOptions", 29),
    "FULLY_CONNECTED": ("FullyConnectedOptions", 8),
    "MEAN": ("ReducerOptions", 27),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", 74),
    "TRANSPOSE_CONV": ("TransposeConvOptions", 49),
    "PADV2": ("PadV2Options", 43),
    "SLICE": ("SliceOptions", 48),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", 15),
    "RESHAPE": ("ReshapeOptions", 17),
    "PAD": ("PadOptions", 22),
    "TRANSPOSE": ("TransposeOptions", 26),
    "STRIDED_SLICE": ("StridedSliceOptions", 32),
    "DEQUANTIZE": ("DequantizeOptions", 38),
    "QUANTIZE": ("QuantizeOptions", 89),
    "BATCH_MATMUL": ("BatchMatMulOptions", 101),
}
"""The table of an operator's options, and its number in the union BuiltinOptions."""

PADDINGS = ("SAME", "VALID")
"""The enum Padding, by number."""

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""The enum ActivationFunctionType, by number."""
