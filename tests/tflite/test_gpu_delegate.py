"""What LiteRT's GPU delegate takes, by operator: the table against the source it is from, and each limit on a graph of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blazeface.inspection.table import Graph, Layer, ModelFile, Tensor
from blazeface.tflite.gpu_delegate import refusals
from blazeface.tflite.gpu_operators import DOCUMENTED, OPERATORS
from blazeface.tflite.names import OPERATORS as ALL


def image(name: str = "x", shape: tuple[int, ...] = (1, 8, 8, 4), dtype: str = "float32") -> Tensor:
    return Tensor(name, shape, dtype)


def fixed(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Tensor:
    return Tensor(name, shape, dtype, constant=True)


def asked(operator: str, *inputs: Tensor, version: int = 1, gives: str = "float32", **options: Any) -> str:
    """What the first operator is refused about, and why, in a graph of it alone; empty where it is taken."""
    tensors = (*inputs, image("y", dtype=gives))
    layer = Layer("y", operator, tuple(range(len(inputs))), (len(inputs),), 0, 0, options, version)
    graph = Graph("main", tensors, (), (), (layer,))
    found = refusals(ModelFile(Path("x.tflite"), "tflite", "", 0, {}, (graph,), {}))
    return f"{found[0].about}: {found[0].reason}" if found else ""


# The second column is a literal of the source: what CheckMaxSupportedOpVersion is given in each parser.
VERSIONS = {
    1: "CUMSUM DENSIFY GATHER ONE_HOT PRELU RESHAPE SELECT SELECT_V2",
    2: "ABS ADD ADD_N AVERAGE_POOL_2D CONCATENATION COS DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER"
    " GREATER_EQUAL LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC MAXIMUM MAX_POOL_2D MINIMUM MIRROR_PAD NEG NOT_EQUAL"
    " PAD PADV2 POW QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SQRT SQUARE"
    " SQUARED_DIFFERENCE SUB TANH",
    3: "DEQUANTIZE MUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR TRANSPOSE_CONV",
    4: "LSTM STRIDED_SLICE TRANSPOSE",
    6: "CONV_2D DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED",
    0: "BATCH_MATMUL CAST DEPTH_TO_SPACE HARD_SWISH MEAN PACK REDUCE_MAX REDUCE_MIN REDUCE_PROD SPLIT SPLIT_V SUM TILE UNPACK",
}


def test_every_operator_has_the_version_of_the_source() -> None:
    expected = {name: version for version, names in VERSIONS.items() for name in names.split()}
    assert {name: rule.version for name, rule in OPERATORS.items()} == expected


def test_what_only_another_accelerator_takes_is_refused() -> None:
    for name in (
        "ATAN2",
        "CEIL",
        "ROUND",
        "TOPK_V2",
        "BITCAST",
        "LOGICAL_NOT",
        "STABLEHLO_CLAMP",
        "NON_MAX_SUPPRESSION_V4",
    ):
        assert name in ALL and asked(name, image()) == "operator: it is not among the delegate's operators"
    assert asked("CUSTOM:MaxUnpooling2D", image(), image()) == ""
    assert asked("CUSTOM:Odd", image()) == "operator: it is no built-in operator"


@pytest.mark.parametrize(("name", "version"), [("CONV_2D", 6), ("RESHAPE", 1), ("ADD", 2), ("RESIZE_BILINEAR", 3)])
def test_a_newer_version_is_refused(name: str, version: int) -> None:
    inputs = (image(), fixed("w", (4, 3, 3, 4)))
    assert asked(name, *inputs, version=version) == ""
    said = f"version: it is of version {version + 1}, and the newest that is taken is {version}"
    assert asked(name, *inputs, version=version + 1) == said


SHAPE = fixed("shape", (4,), "int32")


@pytest.mark.parametrize(
    ("operator", "inputs", "options", "said"),
    [
        ("ADD", (image(), image("b")), {}, ""),
        ("ADD", (image(),), {}, "options: it has 1 inputs, not 2"),
        ("TANH", (image(), image("b")), {}, "inputs: 2 of its inputs are computed, not 1"),
        ("SUB", (image(), fixed("b", (4,))), {}, ""),
        ("SUB", (fixed("a", (4,)), fixed("b", (4,))), {}, "inputs: 0 of its inputs are computed, not 1 or 2"),
        ("CONV_2D", (image(), image("w"), image("b")), {}, "inputs: 3 of its inputs are computed, not 1 or 2"),
        ("DEPTHWISE_CONV_2D", (image(shape=(8, 8, 4)), fixed("w", (1, 3, 3, 4))), {}, "options: its input has 3 axes"),
        ("DEPTHWISE_CONV_2D", (image(), fixed("w", (1, 3, 3, 8))), {"multiplier": 2}, ""),
        ("PAD", (image(), fixed("p", (4, 2), "int32")), {}, ""),
        ("PAD", (image(), fixed("p", (2, 2), "int32")), {}, "options: it pads 2 axes, not 3 or 4"),
        ("RESHAPE", (image(), SHAPE), {}, ""),
        ("MEAN", (image(), fixed("a", (2,), "int32")), {}, ""),
        ("MEAN", (image(), fixed("a", (2,), "int64")), {}, "options: its axes are no int32 constants"),
        ("GATHER", (image(), fixed("i", (2, 2), "int32")), {}, "options: its indices have 2 axes, not 1"),
        ("GATHER", (image(), image("i", (2,), "int32")), {}, ""),
        ("TANH", (image(dtype="int32"),), {}, "dtype: tensor 'x' is int32"),
        ("BATCH_MATMUL", (image(), fixed("w", (1, 4, 4))), {}, "options: its constant has 3 axes, not 2"),
        ("SOFTMAX", (image(),), {"beta": 2.0}, "options: its beta is 2, not 1"),
        ("STRIDED_SLICE", (image(), SHAPE, SHAPE, SHAPE), {"new_axis": 1}, "options: its mask new_axis is set"),
        ("RESIZE_BILINEAR", (image(), SHAPE), {"align_corners": True, "half_pixel": True}, "options: it has both"),
        ("TANH", (image(shape=(1, 1, 8, 8, 4)),), {}, "rank: tensor 'x' has 5 axes, of at most 4"),
    ],
)  # fmt: skip
def test_each_limit(operator: str, inputs: tuple[Tensor, ...], options: dict[str, Any], said: str) -> None:
    found = asked(operator, *inputs, **options)
    assert found.startswith(said) and (said or not found)


def test_a_comparison_must_become_floats_at_once() -> None:
    assert asked("LESS", image(), image("b"), gives="bool").endswith("to one CAST or SELECT to floats alone")
    tensors = (image(), image("b"), image("c", dtype="bool"), image("y"))
    layers = (Layer("c", "LESS", (0, 1), (2,)), Layer("y", "CAST", (2,), (3,)))
    for readers, count in ((layers, 0), ((*layers, Layer("y", "CAST", (2,), (3,))), 1)):
        model = ModelFile(Path("x"), "tflite", "", 0, {}, (Graph("main", tensors, (), (), readers),), {})
        assert len(refusals(model)) == count


def test_float16_weights_count_as_constants() -> None:
    tensors = (image(), fixed("h", (4, 1, 1, 4), "float16"), image("w"), fixed("b", (4,)), image("y"))
    layers = (Layer("w", "DEQUANTIZE", (1,), (2,)), Layer("y", "CONV_2D", (0, 2, 3), (4,)))
    model = ModelFile(Path("x"), "tflite", "", 0, {}, (Graph("main", tensors, (), (), layers),), {})
    assert refusals(model) == []


def test_a_limit_that_is_not_checked_is_said_to_be_none() -> None:
    assert OPERATORS.keys() >= DOCUMENTED
    unchecked = {name for name, rule in OPERATORS.items() if not rule.checked}
    assert all(OPERATORS[name].limit for name in unchecked) and len(unchecked) == 8
