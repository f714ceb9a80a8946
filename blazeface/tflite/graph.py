"""What a .tflite file holds, as plain data: operations, tensor shapes, constants.

The file is a flatbuffer; it is decoded with the schema that LiteRT itself ships
(`ai_edge_litert.schema_py_generated`), of which nothing leaves this module. That decoder believes
every offset in the file, so all that it gives back is checked here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError, install_command

MARK = b"TFL3"
MAX_BYTES = 64 << 20
MAX_OPERATIONS = 10_000
MAX_ELEMENTS = 2**26
ACTIVATIONS = ("NONE", "RELU")

Array = NDArray[Any]


@dataclass(frozen=True)
class Operation:
    """One operation. inputs, outputs: tensor numbers.

    options: those that its kind has of padding ("SAME", "VALID"), stride, dilation and filter (two
    numbers each, height first), activation (the fused one: "NONE", "RELU"), axis, half_pixel (bool).
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """inputs, outputs: tensor numbers. shapes: of all tensors. constants: values of those that have any.
    metadata: bytes that were put in under a name.

    Float16 constants that the file turns into float32 as its first act (DEQUANTIZE) are given under
    the number of the float32 tensor, and those operations left out.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    constants: Mapping[int, Array]
    metadata: Mapping[str, bytes]


def read_graph(path: Path) -> Graph:
    """Decode a .tflite file. Raises BlazeFaceError, naming the file and the fault, for any that cannot be."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise BlazeFaceError(
            f"reading .tflite files needs LiteRT's schema: {install_command('tflite')} ({error})"
        ) from error
    data = _read_bytes(path)
    try:
        return _decode(data, schema)
    except BlazeFaceError as error:
        raise BlazeFaceError(f"{path}: {error}") from error
    except Exception as error:  # a damaged offset makes the decoder fail in any of a dozen ways
        raise BlazeFaceError(
            f"{path}: a damaged TensorFlow Lite file: expected tables within its {len(data)} bytes,"
            f" found one that cannot be read ({type(error).__name__})"
        ) from error


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise BlazeFaceError(f"{path}: no such file")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BlazeFaceError(
                f"{path}: expected a face detector of at most {MAX_BYTES >> 20} MiB, found {size} bytes"
            )
        data = path.read_bytes()
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data[4:8] != MARK:
        raise BlazeFaceError(
            f"{path}: expected a TensorFlow Lite file ({MARK.decode()} at byte 4), found {len(data)} bytes"
            f" with {data[4:8]!r} there"
        )
    return data


def _decode(data: bytes, schema: Any) -> Graph:
    model = schema.Model.GetRootAsModel(data, 0)
    if model.SubgraphsLength() != 1:
        raise BlazeFaceError(f"expected a model of one graph, found {model.SubgraphsLength()}")
    table = model.Subgraphs(0)
    for what, count in (("operations", table.OperatorsLength()), ("tensors", table.TensorsLength())):
        if not 0 < count <= MAX_OPERATIONS:
            raise BlazeFaceError(f"expected 1 to {MAX_OPERATIONS} {what}, found {count}")
    shapes, constants = [], {}
    for number in range(table.TensorsLength()):
        tensor = table.Tensors(number)
        shapes.append(_shape(tensor))
        values = _constant(model, tensor, shapes[-1], schema)
        if values is not None:
            constants[number] = values
    operations = []
    for index in range(table.OperatorsLength()):
        operation = _operation(model, table.Operators(index), len(shapes), schema)
        _check_inputs(operation, shapes)
        _check_sizes(operation, shapes, constants)
        if operation.name == "DEQUANTIZE" and operation.inputs[0] in constants:
            constants[operation.outputs[0]] = constants[operation.inputs[0]].astype(np.float32)
        else:
            operations.append(operation)
    return Graph(
        operations=tuple(operations),
        inputs=_numbers(table.InputsAsNumpy(), len(shapes)),
        outputs=_numbers(table.OutputsAsNumpy(), len(shapes)),
        shapes=tuple(shapes),
        constants=constants,
        metadata=_metadata(model),
    )


def _metadata(model: Any) -> dict[str, bytes]:
    """Of each name the first entry, as far as it has bytes."""
    found: dict[str, bytes] = {}
    for index in range(min(model.MetadataLength(), MAX_OPERATIONS)):
        entry = model.Metadata(index)
        buffer = model.Buffers(entry.Buffer())
        if entry.Name() is not None and buffer.DataLength() > 0:
            found.setdefault(entry.Name().decode(), buffer.DataAsNumpy().tobytes())
    return found


def _shape(tensor: Any) -> tuple[int, ...]:
    if tensor.ShapeLength() > 8:
        raise BlazeFaceError(f"expected tensors of at most 8 axes, found one of {tensor.ShapeLength()}")
    shape = tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))
    # LiteRT would take the memory, or compute for ever.
    if math.prod(max(1, abs(side)) for side in shape) > MAX_ELEMENTS:
        raise BlazeFaceError(f"expected tensors of at most {MAX_ELEMENTS:,} numbers, found one of shape {shape}")
    return shape


def _constant(model: Any, tensor: Any, shape: tuple[int, ...], schema: Any) -> Array | None:
    """The values that the file holds for a tensor; None for one that is computed, or of a kind not read here."""
    buffer = model.Buffers(tensor.Buffer())
    dtypes: dict[int, np.dtype[Any]] = {
        schema.TensorType.FLOAT32: np.dtype("<f4"),
        schema.TensorType.FLOAT16: np.dtype("<f2"),
        schema.TensorType.INT32: np.dtype("<i4"),
    }
    if buffer.DataLength() == 0 or tensor.Type() not in dtypes or tensor.Sparsity() is not None:
        return None
    dtype = dtypes[tensor.Type()]
    raw = buffer.DataAsNumpy().tobytes()
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(raw) != expected:
        raise BlazeFaceError(f"expected {expected} bytes for a tensor of shape {shape}, found {len(raw)}")
    return np.frombuffer(raw, dtype).reshape(shape)


def _operation(model: Any, operator: Any, tensors: int, schema: Any) -> Operation:
    code = model.OperatorCodes(operator.OpcodeIndex())
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    name = names.get(number, f"operation {number}")
    return Operation(
        name=name,
        inputs=_numbers(operator.InputsAsNumpy(), tensors, lowest=-1),
        outputs=_numbers(operator.OutputsAsNumpy(), tensors),
        options=_options(name, operator.BuiltinOptions(), schema),
    )


def _check_inputs(operation: Operation, shapes: list[tuple[int, ...]]) -> None:
    """LiteRT believes that a convolution has a filter, and one that fits: without, it reads wild memory."""
    name, inputs = operation.name, operation.inputs
    # A bias may be left out, and it is always the third.
    if -1 in inputs[:2]:
        raise BlazeFaceError(f"{name} is without its input {inputs.index(-1)}")
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return
    if len(inputs) < 2 or len(operation.outputs) != 1:
        raise BlazeFaceError(f"expected an input, a filter and one output for {name}")
    maps, head_inputs, result = shapes[inputs[0]], shapes[inputs[1]], shapes[operation.outputs[0]]
    ranks = len(maps) == len(head_inputs) == len(result) == 4
    depthwise = name == "DEPTHWISE_CONV_2D"
    if (
        not ranks
        or head_inputs[3 if depthwise else 0] != result[3]
        or (not depthwise and maps[3] % max(head_inputs[3], 1))
    ):
        raise BlazeFaceError(f"{name}: a filter of shape {head_inputs} does not take {maps} to {result}")


def _check_sizes(operation: Operation, shapes: list[tuple[int, ...]], constants: Mapping[int, Array]) -> None:
    """LiteRT makes room for what padding, resizing and pooling ask for, whatever sizes the file gives the tensors."""
    name, inputs = operation.name, operation.inputs
    if name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        sides = shapes[inputs[0]][1:3] if inputs else ()
        if any(
            feeds_head > max(side, 16)
            for side, feeds_head in zip(sides, operation.options["filter"], strict=False)
        ):
            raise BlazeFaceError(f"{name}: a window of {operation.options['filter']} over a map of {sides}")
    if name not in ("PAD", "PADV2", "MIRROR_PAD", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return
    if len(inputs) < 2 or inputs[1] not in constants or len(operation.outputs) != 1:
        raise BlazeFaceError(f"expected an input, a constant size and one output for {name}")
    before, asked, result = shapes[inputs[0]], constants[inputs[1]], shapes[operation.outputs[0]]
    if name.startswith("RESIZE"):
        fits = len(before) == len(result) == 4 and asked.tolist() == list(result[1:3])
    else:
        pairs = asked.tolist() if asked.shape == (len(before), 2) else []
        fits = [side + low + high for side, (low, high) in zip(before, pairs, strict=False)] == list(result)
        fits = fits and bool((asked >= 0).all())
    if not fits:
        raise BlazeFaceError(f"{name}: {asked.tolist()} does not take {before} to {result}")


def _options(name: str, table: Any, schema: Any) -> dict[str, Any]:
    kinds = {
        "CONV_2D": schema.Conv2DOptions,
        "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptions,
        "MAX_POOL_2D": schema.Pool2DOptions,
        "AVERAGE_POOL_2D": schema.Pool2DOptions,
        "ADD": schema.AddOptions,
        "CONCATENATION": schema.ConcatenationOptions,
        "RESIZE_BILINEAR": schema.ResizeBilinearOptions,
    }
    if name not in kinds:
        return {}
    if table is None:
        raise BlazeFaceError(f"expected options for {name}, found none")
    source = kinds[name]()
    source.Init(table.Bytes, table.Pos)
    options: dict[str, Any] = {}
    if hasattr(source, "Padding"):
        options["padding"] = {0: "SAME", 1: "VALID"}.get(source.Padding(), "unknown")
        options["stride"] = (source.StrideH(), source.StrideW())
    if hasattr(source, "DilationHFactor"):
        options["dilation"] = (source.DilationHFactor(), source.DilationWFactor())
    if hasattr(source, "FilterHeight"):
        options["filter"] = (source.FilterHeight(), source.FilterWidth())
    if hasattr(source, "FusedActivationFunction"):
        number = source.FusedActivationFunction()
        options["activation"] = ACTIVATIONS[number] if number < len(ACTIVATIONS) else f"activation {number}"
    if hasattr(source, "Axis"):
        options["axis"] = source.Axis()
    if hasattr(source, "HalfPixelCenters"):
        options["half_pixel"] = source.HalfPixelCenters() and not source.AlignCorners()
    return options


def _numbers(values: Any, tensors: int, lowest: int = 0) -> tuple[int, ...]:
    """Tensor numbers from a vector of the file; -1 stands for an operation's input that is left out."""
    numbers = tuple(values.tolist()) if isinstance(values, np.ndarray) else ()
    wrong = [number for number in numbers if not lowest <= number < tensors]
    if wrong:
        raise BlazeFaceError(f"expected tensor numbers from {lowest} to {tensors - 1}, found {wrong[0]}")
    return numbers
