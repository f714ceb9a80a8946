"""What of a file a mobile GPU would leave to the CPU, by the rules of LiteRT's GPU delegate (`gpu_operators`).

Arithmetic is in float16 or float32; quantised 8-bit models are taken as well, and computed in floating point, where the app
has not switched that off. Tensors have at most four axes. What is not taken runs on the CPU, and each transfer between them
costs time. Drivers of single phones may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blazeface.inspection.table import Graph, Layer, ModelFile, Tensor
from blazeface.tflite.gpu_operators import CUSTOM, DOCUMENTED, OPERATORS

FLOATS = {"float32", "float16"}
EIGHT_BITS = {"int8", "uint8"}
COMPARING = {"EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"}
BOOLEAN = {"LOGICAL_AND", "SELECT", "SELECT_V2", "CAST", *COMPARING}
INDICES = {"CAST", "GATHER", "ONE_HOT"}
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
    """An operator that the delegate leaves to the CPU. about: "operator", "version", "dtype", "rank", "shape", "inputs" or
    "options"."""

    layer: Layer
    about: str
    reason: str


def refusals(model: ModelFile) -> list[Refusal]:
    """All that the delegate would not take. Of an ONNX file, which it cannot read, what it would not take of the same
    operators in a .tflite file; converters may add others, above all TRANSPOSE."""
    found = []
    for number, graph in enumerate(model.graphs):
        fixed = _constants(graph)
        for layer in graph.layers:
            if number:
                found.append(Refusal(layer, "operator", f"it stands in a branch or loop ({graph.name})"))
            elif fault := _fault(graph, layer, model.format, fixed):
                found.append(Refusal(layer, *fault))
    return found


def undocumented(model: ModelFile) -> list[str]:
    """Operators that the delegate takes though its documentation does not list them."""
    taken = OPERATORS.keys() - DOCUMENTED
    return sorted(name for name in model.operators if _operator_name(name, model.format) in taken)


def _constants(graph: Graph) -> set[int]:
    """Numbers of tensors that are constants, or that DEQUANTIZE or DENSIFY makes of one, as it does of float16 weights."""
    fixed = {number for number, tensor in enumerate(graph.tensors) if tensor.constant}
    for layer in graph.layers:
        if layer.operator in ("DEQUANTIZE", "DENSIFY") and fixed.issuperset(layer.inputs):
            fixed.update(layer.outputs)
    return fixed


def _fault(graph: Graph, layer: Layer, kind: str, fixed: set[int]) -> tuple[str, str] | None:
    """The first fault, what it is about and in words: one is enough."""
    name = _operator_name(layer.operator, kind)
    if name.startswith("CUSTOM:") or "." in layer.operator:
        known = name.removeprefix("CUSTOM:") in CUSTOM
        return None if known else ("operator", "it is no built-in operator")
    if name not in OPERATORS:
        return "operator", "it is not among the delegate's operators"
    rule = OPERATORS[name]
    if kind == "tflite" and 0 < rule.version < layer.version:
        return "version", f"it is of version {layer.version}, and the newest that is taken is {rule.version}"
    moving = [
        graph.tensors[n] for n in (*layer.inputs, *layer.outputs) if n >= 0 and not graph.tensors[n].constant
    ]
    for tensor in moving:
        if not _dtype_supported(name, tensor):
            return "dtype", f"tensor {tensor.name!r} is {tensor.dtype}"
    for tensor in moving:
        if tensor.shape is not None and len(tensor.shape) > MAX_AXES:
            return "rank", f"tensor {tensor.name!r} has {len(tensor.shape)} axes, of at most {MAX_AXES}"
    for tensor in moving:
        if tensor.shape is not None and _has_open_shape(tensor, kind):
            return "shape", f"tensor {tensor.name!r} has an open shape, ({_sizes(tensor)})"
    if kind != "tflite":
        return None
    computed = sum(number >= 0 and number not in fixed for number in layer.inputs)
    if rule.computed and not rule.computed[0] <= computed <= rule.computed[1]:
        return "inputs", f"{computed} of its inputs are computed, not {_range(*rule.computed)}"
    fault = _option_fault(name, layer, [graph.tensors[number] for number in layer.inputs if number >= 0])
    if not fault and name in COMPARING:
        fault = _comparison_fault(graph, layer)
    return ("options", fault) if fault else None


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} or {high}"


def _dtype_supported(name: str, tensor: Tensor) -> bool:
    if tensor.dtype in FLOATS or (tensor.dtype in EIGHT_BITS and tensor.quantised) or tensor.dtype == "?":
        return True
    if name in ("QUANTIZE", "DEQUANTIZE"):
        return tensor.dtype in EIGHT_BITS
    if tensor.dtype == "bool":
        return name in BOOLEAN
    return tensor.dtype == "int32" and name in INDICES


def _has_open_shape(tensor: Tensor, kind: str) -> bool:
    """A batch that an ONNX file leaves open becomes fixed in a .tflite file."""
    sizes = tensor.shape or ()
    return any(isinstance(size, str) for size in (sizes[1:] if kind == "onnx" else sizes))


def _option_fault(name: str, layer: Layer, inputs: Sequence[Tensor]) -> str | None:
    options = layer.options
    match name:
        case "ADD" | "ADD_N" | "MUL":
            if len(inputs) != 2:
                return f"it has {len(inputs)} inputs, not 2"
        case "BATCH_MATMUL":
            if (
                len(inputs) > 1
                and inputs[1].constant
                and inputs[1].shape is not None
                and len(inputs[1].shape) != 2
            ):
                return f"its constant has {len(inputs[1].shape)} axes, not 2"
        case "DEPTHWISE_CONV_2D" | "SLICE" | "STRIDED_SLICE":
            least = 4 if name == "DEPTHWISE_CONV_2D" else 3
            if inputs and inputs[0].shape is not None and len(inputs[0].shape) < least:
                return f"its input has {len(inputs[0].shape)} axes, of at least {least}"
            masks = [word for word in ("ellipsis", "new_axis", "shrink_axis") if options.get(word)]
            if masks:
                return f"its mask {masks[0]} is set"
        case "GATHER":
            if len(inputs) > 1 and inputs[1].shape is not None and len(inputs[1].shape) != 1:
                return f"its indices have {len(inputs[1].shape)} axes, not 1"
        case "MEAN" | "SUM" | "REDUCE_MAX" | "REDUCE_MIN" | "REDUCE_PROD":
            if len(inputs) > 1 and not (inputs[1].constant and inputs[1].dtype == "int32"):
                return "its axes are no int32 constants"
        case "PAD" | "PADV2" | "MIRROR_PAD":
            shape = inputs[1].fixed if len(inputs) > 1 else None
            if shape not in ((4, 2), (3, 2)):
                return f"it pads {shape[0] if shape else 'an unknown number of'} axes, not 3 or 4"
        case "SOFTMAX":
            if options.get("beta", 1) != 1:
                return f"its beta is {options['beta']:g}, not 1"
        case "RESIZE_BILINEAR":
            if options.get("align_corners") and options.get("half_pixel"):
                return "it has both align_corners and half_pixel_centers"
    return None


def _comparison_fault(graph: Graph, layer: Layer) -> str | None:
    """A comparison gives bool, which the delegate only knows on its way into a CAST or SELECT to floats."""
    readers = [other for other in graph.layers if layer.outputs and layer.outputs[0] in other.inputs]
    if len(readers) == 1 and readers[0].operator in ("CAST", "SELECT", "SELECT_V2"):
        given = readers[0].outputs[:1]
        if given and graph.tensors[given[0]].dtype in FLOATS:
            return None
    return "what it gives does not go to one CAST or SELECT to floats alone"


def _operator_name(operator: str, kind: str) -> str:
    return operator if kind == "tflite" else TFLITE_NAMES.get(operator, operator.upper())


def _sizes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape or ()))
