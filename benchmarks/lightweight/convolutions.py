"""Four convolutions in a row, dense and depthwise-separable, measured: where fewer multiplications are less time.

    python -m benchmarks.lightweight.measure --only convolutions tables

As many channels go out as come in, stride 1, ReLU behind each pair, float32, one thread, all taking turns. The models are
made here, operator by operator, and their weights are random.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.lightweight.latency import Run, measured, onnx_run, tflite_run
from blazeface.export.formats.onnx_opset import WRITTEN
from blazeface.tflite.writer import GraphWriter, model_bytes

CHANNELS, SIDES, KERNELS = (8, 16, 32, 64, 128), (64, 32, 16, 8), (3, 5)
DEPTH = 4

Part = tuple[NDArray[np.float32], int, bool]
"""Weights (out, in / groups, k, k), groups, and whether ReLU follows."""


def measure_convolutions(rounds: int) -> dict[str, Any]:
    """Median milliseconds by runtime, kernel, side, channels and form, and on what machine."""
    runs: dict[str, Run] = {}
    for kernel, side, channels in product(KERNELS, SIDES, CHANNELS):
        for form in ("dense", "separable"):
            layers = parts(channels, kernel, form)
            name = f"{kernel} {side} {channels} {form}"
            runs[f"onnxruntime {name}"] = onnx_run(onnx_bytes(layers, channels, side))
            runs[f"LiteRT {name}"] = tflite_run(tflite_bytes(layers, channels, side))
    return measured(runs, rounds)


def parts(channels: int, kernel: int, form: str) -> list[Part]:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)

    if form == "dense":
        return [(weights(channels, channels, kernel, kernel), 1, True) for _ in range(DEPTH)]
    pair = [((channels, 1, kernel, kernel), channels, False), ((channels, channels, 1, 1), 1, True)]
    return [(weights(*shape), groups, relu) for _ in range(DEPTH) for shape, groups, relu in pair]


def macs(layers: list[Part], side: int) -> int:
    """Multiply-accumulates at stride 1."""
    return sum(weight.size for weight, _, _ in layers) * side**2


def onnx_bytes(layers: list[Part], channels: int, side: int) -> bytes:
    """(1, C, side, side) -> the same, padding as large as keeps the size."""
    nodes, constants, x = [], [], "x"
    for index, (weight, groups, relu) in enumerate(layers):
        constants.append(numpy_helper.from_array(weight, f"w{index}"))
        constants.append(numpy_helper.from_array(np.zeros(channels, np.float32), f"b{index}"))
        pad = weight.shape[2] // 2
        nodes.append(
            helper.make_node("Conv", [x, f"w{index}", f"b{index}"], [f"c{index}"], group=groups, pads=[pad] * 4)
        )
        x = f"c{index}"
        if relu:
            nodes.append(helper.make_node("Relu", [x], [f"r{index}"]))
            x = f"r{index}"
    shape = [1, channels, side, side]
    entry, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", x))
    graph = helper.make_graph(nodes, "convolutions", [entry], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", WRITTEN)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def tflite_bytes(layers: list[Part], channels: int, side: int) -> bytes:
    """(1, side, side, C) -> the same."""
    writer = GraphWriter()
    entry = x = writer.tensor("x", (1, side, side, channels))
    for index, (weight, groups, relu) in enumerate(layers):
        deep = groups > 1
        constant = writer.constant(
            f"w{index}", np.ascontiguousarray(weight.transpose((1, 2, 3, 0) if deep else (0, 2, 3, 1)))
        )
        bias = writer.constant(f"b{index}", np.zeros(channels, np.float32))
        append = writer.depthwise if deep else writer.convolution
        x = append(x, constant, bias, f"c{index}", (1, 1), "RELU" if relu else "NONE")
    return model_bytes(writer.finish("convolutions", "", [entry], [x], {}))
