"""ONNX files as a table of layers, with shapes inferred where the file leaves them out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.inspection import macs
from blazeface.inspection.table import Graph, Layer, ModelFile, Shape, Tensor
from blazeface.inspection.text import MAX_SHOWN, as_text, read_bytes
from blazeface.spec import METADATA_KEY, ModelSpec

WEIGHTED = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv", "Gemm", "MatMul", "PRelu"), (1, 2)),
    **dict.fromkeys(("BatchNormalization",), (1, 2, 3, 4)),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization"), (1, 2)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3)),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
    "ConvInteger": (1,),
    "MatMulInteger": (1,),
    "Gather": (),
}
"""Which inputs of an operator are parameters, where they are constants; MatMul's first as well, see `_parameter_inputs`."""

NOT_COUNTED = {"LSTM", "GRU", "RNN", "Einsum", "Attention", "MultiHeadAttention", "DeformConv"}
"""Operators with multiply-accumulates that are not counted here. So are those of other domains."""

KEEP_CONSTANT = {"DequantizeLinear", "QuantizeLinear", "Cast", "Identity", "Transpose", "Reshape", "Unsqueeze"}
"""A constant that goes through one of them is still a constant."""

OTHER_DOMAINS = {"FusedConv", "QLinearAdd", "QLinearConcat", "QLinearSigmoid", "QLinearMul"}
"""Operators of other domains of which we know what they cost."""


def read_onnx(path: Path) -> ModelFile:
    """Read a file of any origin; weights in files beside it are measured, not read. Raises BlazeFaceError for what
    is no such file, or a damaged one, and without the package onnx."""
    try:
        import onnx
    except ImportError as error:
        raise BlazeFaceError(
            f"reading .onnx files needs the package onnx: run pip install onnx ({error})"
        ) from error
    data = read_bytes(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf has a class of its own for damage
        raise BlazeFaceError(f"{path}: a damaged ONNX file, or none: {error or 'it cannot be read'}") from error
    if not model.graph.node and not model.graph.initializer:
        raise BlazeFaceError(f"{path}: expected an ONNX file, found none of its graph in {len(data)} bytes")
    try:
        graphs = _Reader(onnx, model, _inferred(onnx, model)).graphs
        external = _external(onnx, model, path)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise BlazeFaceError(f"{path}: a damaged ONNX file: {error}") from error
    domains = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in model.opset_import)
    version = f"ONNX, version {model.ir_version} of the format, operators of {domains or 'no set'}"
    return ModelFile(path, "onnx", version, len(data), external, tuple(graphs), _metadata(model))


def _inferred(onnx: Any, model: Any) -> Any:
    """The model with shapes of a batch of one picture where it leaves the batch open, and of the model's own square where
    a file of ours leaves height and width open; as it is where inference fails, as it does for unknown operators'
    outputs, or damage."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    side = _own_side(model)
    for value in copy.graph.input:
        axes = value.type.tensor_type.shape.dim
        for axis in list(axes)[2:] if side else []:
            if axis.WhichOneof("value") != "dim_value":
                axis.dim_value = side
        if len(axes) > 1 and axes[0].WhichOneof("value") != "dim_value":
            axes[0].dim_value = 1
            del copy.graph.value_info[:]  # they would hold on to the open batch
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:  # a class of its own, raised from C++
        return model


def _own_side(model: Any) -> int | None:
    """Side of the square that a file of this project says it is for."""
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            try:
                return ModelSpec.from_json(entry.value).input_size
            except BlazeFaceError:
                return None
    return None


class _Reader:
    """Walks the graphs of one model, branches and loops after the graph that they stand in.

    inferred: the same model, with all the shapes that could be found out for one picture.
    """

    def __init__(self, onnx: Any, model: Any, inferred: Any):
        self._onnx = onnx
        self._seen: set[str] = set()
        self.graphs: list[Graph] = []
        stated = {value.name: _value(onnx, value) for value in model.graph.value_info}
        self._walk(inferred.graph, "main", stated, {})
        # What goes in and comes out is shown as the file has it, the batch open.
        ends = {value.name: _value(onnx, value) for value in (*model.graph.input, *model.graph.output)}
        main = self.graphs[0]
        tensors = tuple(tensor if tensor.constant else ends.get(tensor.name, tensor) for tensor in main.tensors)
        self.graphs[0] = replace(main, tensors=tensors)

    def _walk(self, graph: Any, name: str, outer: Mapping[str, Tensor], around: Mapping[str, str]) -> None:
        """outer: tensors of the graphs around this one, which its nodes may name. around: sources of those that are
        constants (see KEEP_CONSTANT)."""
        known = dict(outer) | self._tensors(graph)
        numbers = {key: place for place, key in enumerate(known)}
        sources = dict(around) | {key: key for key, tensor in known.items() if tensor.constant}
        place = len(self.graphs)
        layers, bodies = [], []
        for index, node in enumerate(graph.node):
            if any(
                isinstance(name, bytes)
                for name in (node.name, node.domain, node.op_type, *node.input, *node.output)
            ):
                raise ValueError(f"a name in node {index} is not UTF-8")
            attributes = {entry.name: entry for entry in node.attribute}
            for output in node.output:
                if output not in numbers:
                    numbers[output] = len(numbers)
                    known[output] = Tensor(output, None, "?")
            for key in (key for key in node.input if key and key not in numbers):
                raise ValueError(f"node {node.name or index} reads {key!r}, which nothing makes")
            if node.op_type == "Constant":
                known[node.output[0]] = _constant(self._onnx, known[node.output[0]], attributes)
                sources[node.output[0]] = node.output[0]
                continue
            if node.op_type in KEEP_CONSTANT and node.input and node.input[0] in sources:
                sources |= dict.fromkeys(node.output, sources[node.input[0]])
            title = node.name or (node.output[0] if node.output else f"node {index}")
            count = _macs(node, attributes, known)
            layers.append(
                Layer(
                    title,
                    node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}",
                    tuple(numbers[key] if key else -1 for key in node.input),
                    tuple(numbers[key] for key in node.output),
                    self._parameters(node, known, sources, name),
                    count,
                )
            )
            for entry in node.attribute:
                inner = [entry.g] if entry.HasField("g") else list(entry.graphs)
                bodies += [(body, f"{name} / {title}: {entry.name}") for body in inner]
        ends = [
            tuple(numbers[value.name] for value in part if value.name in numbers)
            for part in _inputs_and_outputs(graph)
        ]
        self.graphs.insert(place, Graph(name, tuple(known.values()), ends[0], ends[1], tuple(layers)))
        for body, title in bodies:
            self._walk(body, title, known, sources)

    def _tensors(self, graph: Any) -> dict[str, Tensor]:
        held = {tensor.name: _initializer(self._onnx, tensor) for tensor in graph.initializer}
        held |= {
            entry.values.name: _initializer(self._onnx, entry.values, entry.dims)
            for entry in graph.sparse_initializer
        }
        values = (*graph.input, *graph.output, *graph.value_info)
        return {value.name: _value(self._onnx, value) for value in values} | held

    def _parameters(self, node: Any, known: Mapping[str, Tensor], sources: Mapping[str, str], graph: str) -> int:
        total = 0
        for slot in _parameter_inputs(node.op_type):
            source = sources.get(node.input[slot]) if slot < len(node.input) else None
            if source is not None and f"{graph}/{source}" not in self._seen:
                self._seen.add(f"{graph}/{source}")
                total += math.prod(known[source].fixed or (0,))
        return total


def _parameter_inputs(operator: str) -> tuple[int, ...]:
    return (0, 1) if operator == "MatMul" else WEIGHTED.get(operator, ())


def _macs(node: Any, attributes: Mapping[str, Any], known: Mapping[str, Tensor]) -> int | None:
    name = node.op_type
    if name in NOT_COUNTED or (node.domain not in ("", "ai.onnx", "ai.onnx.ml") and name not in OTHER_DOMAINS):
        return None

    def shape(names: Any, slot: int) -> tuple[int, ...] | None:
        return known[names[slot]].fixed if slot < len(names) and names[slot] else None

    output = shape(node.output, 0)
    match name:
        case "Conv" | "FusedConv" | "ConvInteger":
            return macs.convolution(output, shape(node.input, 1))
        case "QLinearConv":
            return macs.convolution(output, shape(node.input, 3))
        case "ConvTranspose":
            return macs.transposed_convolution(shape(node.input, 0), shape(node.input, 1))
        case "Gemm":
            return macs.matrix_product(
                shape(node.input, 0), output, "transA" in attributes and bool(attributes["transA"].i)
            )
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return macs.matrix_product(shape(node.input, 0), output)
    return 0


def _value(onnx: Any, value: Any) -> Tensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Tensor(value.name, None, (kind or "?").removesuffix("_type"))
    tensor = value.type.tensor_type
    shape: Shape | None = None
    if tensor.HasField("shape"):
        shape = tuple(
            axis.dim_value if axis.WhichOneof("value") == "dim_value" else axis.dim_param or "?"
            for axis in tensor.shape.dim
        )
        if any(isinstance(size, int) and size < 0 for size in shape):
            raise ValueError(f"{value.name!r} has the shape {shape}")
    return Tensor(value.name, shape, _dtype(onnx, tensor.elem_type))


def _initializer(onnx: Any, tensor: Any, dims: Any = None) -> Tensor:
    sizes = tuple(tensor.dims if dims is None else dims)
    if any(size < 0 for size in sizes):
        raise ValueError(f"{tensor.name!r} has the shape {sizes}")
    return Tensor(tensor.name, sizes, _dtype(onnx, tensor.data_type), constant=True)


def _constant(onnx: Any, tensor: Tensor, attributes: Mapping[str, Any]) -> Tensor:
    if "value" in attributes:
        found = _initializer(onnx, attributes["value"].t)
        return Tensor(tensor.name, found.shape, found.dtype, constant=True)
    return Tensor(tensor.name, tensor.shape, tensor.dtype, constant=True)


def _dtype(onnx: Any, number: int) -> str:
    known: dict[int, str] = {value: key.lower() for key, value in onnx.TensorProto.DataType.items()}
    name = known.get(number, f"type {number}")
    return {"float": "float32", "double": "float64", "undefined": "?"}.get(name, name)


def _inputs_and_outputs(graph: Any) -> tuple[list[Any], list[Any]]:
    held = {tensor.name for tensor in graph.initializer}  # before version 4, weights were inputs as well
    return [value for value in graph.input if value.name not in held], list(graph.output)


def _external(onnx: Any, model: Any, path: Path) -> dict[str, int]:
    """Files beside the model that hold weights, and their bytes; names that lead elsewhere are not followed."""
    sizes = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            name = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            inside = name and not Path(name).is_absolute() and ".." not in Path(name).parts
            weights = path.parent / name
            sizes[name] = weights.stat().st_size if inside and weights.is_file() else 0
    return sizes


def _metadata(model: Any) -> dict[str, str]:
    found = {"producer": f"{model.producer_name} {model.producer_version}".strip(), "doc_string": model.doc_string}
    found = {key: as_text(_bytes(value)[: 4 * MAX_SHOWN]) for key, value in found.items() if value}
    return found | {as_text(_bytes(entry.key)): as_text(_bytes(entry.value)) for entry in model.metadata_props}


def _bytes(value: str | bytes) -> bytes:
    """A string of the file; protobuf gives bytes for one that is not UTF-8."""
    return value if isinstance(value, bytes) else value.encode()
