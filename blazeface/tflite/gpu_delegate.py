"""Operators that a mobile GPU would not run, by the published rules of LiteRT's GPU delegate for .tflite files.

Sources, both read in November 2026:
- DOCUMENTED: "GPU ML operations support" in LiteRT's documentation of GPU delegates
  (https://developers.google.com/edge/litert/performance/gpu). Arithmetic is in float16 or float32; quantised 8-bit
  models are taken as well, and computed in floating point, where the app has not switched that off.
- UNDOCUMENTED and the rules for single operators: the check that the delegate itself makes, `CheckGpuDelegateCompatibility` in
  TensorFlow's tensorflow/lite/tools/versioning/gpu_compatibility.cc (commit 03a5e4e). Tensors have at most four axes:
  tensorflow/lite/delegates/gpu/common/model_builder_helper.cc.
What is not taken runs on the CPU, and each transfer between them costs time. Drivers of single phones may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blazeface.inspection.table import Graph, Layer, ModelFile, Tensor

_DOCUMENTED = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGICAL_AND LOGISTIC LSTM"
    " MAX_POOL_2D MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB"
    " TRANSPOSE_CONV"
)
DOCUMENTED = set(_DOCUMENTED.split())

_ALSO = (
    "ABS ADD_N ATAN2 BATCH_MATMUL CAST CEIL COS CUMSUM DENSIFY DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU"
    " EMBEDDING_LOOKUP EQUAL FLOOR FLOOR_DIV FLOOR_MOD GATHER GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS"
    " LESS_EQUAL LOG MEAN MIRROR_PAD NEG NOT_EQUAL ONE_HOT PACK PADV2 POW QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD"
    " RELU_N1_TO_1 RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SPACE_TO_DEPTH SPLIT SPLIT_V SQRT"
    " SQUARE SQUARED_DIFFERENCE STABLEHLO_CLAMP SUM TANH TILE TRANSPOSE"
)
UNDOCUMENTED = set(_ALSO.split())
"""Taken by the delegate's own check although the documentation does not list them."""

FLOATS = {"float32", "float16"}
EIGHT_BITS = {"int8", "uint8"}
BOOLEAN = {
    "LOGICAL_AND",
    "EQUAL",
    "NOT_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "SELECT",
    "SELECT_V2",
}
INDICES = {"CAST", "GATHER", "ONE_HOT", "EMBEDDING_LOOKUP", "DYNAMIC_UPDATE_SLICE"}
MAX_AXES = 4

TFLITE_NAMES = {
    "Conv": "CONV_2D",
    "ConvTranspose": "TRANSPOSE_CONV",
    "Gemm": "FULLY_CONNECTED",
    "MatMul": "BATCH_MATMUL",
    "MaxPool": "MAX_POOL_2D",
    "AveragePool": "AVERAGE_POOL_2D",
    "GlobalAveragePool": "MEAN",
    "ReduceMean": "MEAN",
    "Concat": "CONCATENATION",
    "Sigmoid": "LOGISTIC",
    "Max": "MAXIMUM",
    "Min": "MINIMUM",
    "Flatten": "RESHAPE",
    "Squeeze": "RESHAPE",
    "Unsqueeze": "RESHAPE",
    "Identity": "RESHAPE",
    "Resize": "RESIZE_BILINEAR",
    "Clip": "RELU6",
    "BatchNormalization": "MUL",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
    "Slice": "STRIDED_SLICE",
    "PRelu": "PRELU",
    "LeakyRelu": "LEAKY_RELU",
    "HardSwish": "HARD_SWISH",
    "ReduceMax": "REDUCE_MAX",
    "ReduceSum": "SUM",
    "DepthToSpace": "DEPTH_TO_SPACE",
    "SpaceToDepth": "SPACE_TO_DEPTH",
    "Where": "SELECT_V2",
}
"""What an ONNX operator becomes in TensorFlow Lite, where its own name in capitals is not it."""


@dataclass(frozen=True)
class Refusal:
    """An operator that the delegate leaves to the CPU. about: "operator", "dtype", "rank", "shape" or "options"."""

    layer: Layer
    about: str
    reason: str


def refusals(model: ModelFile) -> list[Refusal]:
    """All that the delegate would not take. Of an ONNX file, which it cannot read, what it would not take of the same
    operators in a .tflite file; converters may add others, above all TRANSPOSE."""
    found = []
    for number, graph in enumerate(model.graphs):
        for layer in graph.layers:
            if number:
                found.append(Refusal(layer, "operator", f"it stands in a branch or loop ({graph.name})"))
            else:
                found += [Refusal(layer, *fault) for fault in _faults(graph, layer, model.format)]
    return found


def undocumented(model: ModelFile) -> list[str]:
    """Operators that the delegate takes though its documentation does not list them."""
    return sorted(name for name in model.operators if _operator_name(name, model.format) in UNDOCUMENTED)


def _faults(graph: Graph, layer: Layer, kind: str) -> list[tuple[str, str]]:
    """The first fault only: one is enough."""
    name = _operator_name(layer.operator, kind)
    if name.startswith("CUSTOM:") or "." in layer.operator:
        return [("operator", "it is no built-in operator")]
    if name not in DOCUMENTED | UNDOCUMENTED:
        return [("operator", "it is not among the delegate's operators")]
    tensors = [graph.tensors[number] for number in (*layer.inputs, *layer.outputs) if number >= 0]
    inputs = [graph.tensors[number] for number in layer.inputs if number >= 0]
    moving = [tensor for tensor in tensors if not tensor.constant]
    for tensor in moving:
        if not _dtype_supported(name, tensor):
            return [("dtype", f"tensor {tensor.name!r} is {tensor.dtype}")]
    for tensor in moving:
        if tensor.shape is not None and len(tensor.shape) > MAX_AXES:
            return [("rank", f"tensor {tensor.name!r} has {len(tensor.shape)} axes, of at most {MAX_AXES}")]
    for tensor in moving:
        if tensor.shape is not None and _has_open_shape(tensor, kind):
            return [("shape", f"tensor {tensor.name!r} has an open shape, ({_sizes(tensor)})")]
    if kind == "tflite":
        fault = _option_fault(name, layer, inputs)
        return [("options", fault)] if fault else []
    return []


def _dtype_supported(name: str, tensor: Tensor) -> bool:
    if tensor.dtype in FLOATS or (tensor.dtype in EIGHT_BITS and tensor.quantised) or tensor.dtype == "?":
        return True
    if name in ("QUANTIZE", "DEQUANTIZE"):
        return tensor.dtype in EIGHT_BITS
    if tensor.dtype == "bool":
        return name in BOOLEAN | {"CAST"}
    return tensor.dtype == "int32" and name in INDICES


def _has_open_shape(tensor: Tensor, kind: str) -> bool:
    """A batch that an ONNX file leaves open becomes fixed in a .tflite file."""
    sizes = tensor.shape or ()
    return any(isinstance(size, str) for size in (sizes[1:] if kind == "onnx" else sizes))


def _option_fault(name: str, layer: Layer, inputs: Sequence[Tensor]) -> str | None:
    options = layer.options
    match name:
        case "DEPTHWISE_CONV_2D":
            channels = inputs[0].shape[-1] if inputs and inputs[0].shape else 1
            if options.get("multiplier", 1) > 1 and channels != 1:
                return "each channel has several filters"
        case "PAD" | "PADV2":
            shape = inputs[1].fixed if len(inputs) > 1 else None
            if shape not in ((4, 2), (3, 2)):
                return f"it pads {shape[0] if shape else 'an unknown number of'} axes, not 3 or 4"
        case "SOFTMAX":
            if options.get("beta", 1) != 1:
                return f"its beta is {options['beta']:g}, not 1"
        case "STRIDED_SLICE":
            masks = [word for word in ("ellipsis", "new_axis", "shrink_axis") if options.get(word)]
            if masks:
                return f"its mask {masks[0]} is set"
        case "RESIZE_BILINEAR":
            if options.get("align_corners") and options.get("half_pixel"):
                return "it has both align_corners and half_pixel_centers"
    return None


def _operator_name(operator: str, kind: str) -> str:
    return operator if kind == "tflite" else TFLITE_NAMES.get(operator, operator.upper())


def _sizes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape or ()))
