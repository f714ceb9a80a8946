"""int8 TensorFlow Lite: the numbers in the file, held against the rules written out a second time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ai_edge_litert import schema_py_generated as schema

from blazeface.backends.tflite_backend import TfliteBackend
from blazeface.export.format_table import Options
from blazeface.export.formats.tflite import stays_float32, to_model, to_tflite
from blazeface.export.make import export_network
from blazeface.export.verify import Differences
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.tflite.quantize import (
    activation_ranges,
    activation_scale,
    quantise,
    quantise_bias,
    quantise_weights,
)
from blazeface.tflite.writer import model_bytes

FLOATS = st.floats(-1e4, 1e4, width=32)


@given(FLOATS, FLOATS)
def test_an_activation_scale_covers_its_range_and_has_a_zero(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    found = activation_scale(low, high)
    assert found.scale > 0 and -128 <= found.zero_point <= 127
    # Every value of the range comes back from int8 within a step and a half at the ends (the zero point is rounded).
    for value in (low, high, 0.0, (low + high) / 2):
        q = min(127, max(-128, round(value / found.scale) + found.zero_point))
        back = found.scale * (q - found.zero_point)
        assert abs(back - value) <= 1.01 * found.scale, (value, back)


def test_activation_scales_that_are_known() -> None:
    relu = activation_scale(0.0, 2.55)
    assert relu.zero_point == -128 and relu.scale == pytest.approx(0.01, rel=1e-6)
    picture = activation_scale(-1.0, 1.0)
    assert picture.zero_point in (-1, 0) and picture.scale == pytest.approx(2 / 255, rel=1e-6)
    assert activation_scale(0.0, 0.0).scale == 1.0


@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 3, 3, 2), (1, 5, 5, 4), (6, 1, 1, 8)]), st.integers(0, 3))
def test_weights_are_symmetric_with_a_scale_for_each_channel(seed: int, shape: tuple[int, ...], axis: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=shape) * np.exp(rng.normal(size=shape[-1]))).astype(np.float32)
    values[..., 0] *= rng.integers(0, 2)  # a channel of zeros now and then
    found, scales = quantise_weights(values, axis)
    assert found.dtype == np.int8 and found.min() >= -127 and scales.shape == (shape[axis],)
    for channel in range(shape[axis]):
        part, whole = np.take(values, channel, axis), np.take(found, channel, axis)
        if not part.any():
            assert not whole.any()
            continue
        assert abs(whole.astype(int)).max() == 127
        assert np.abs(whole * np.float64(scales[channel]) - part).max() <= scales[channel] * 0.5001


def test_biases_count_in_units_of_input_times_weight() -> None:
    assert quantise_bias(np.array([1.0, -0.26], np.float32), np.array([0.5, 0.1])).tolist() == [2, -3]
    assert quantise_bias(np.array([1e9], np.float32), np.array([1e-9])).tolist() == [2**31 - 1]


@pytest.fixture(scope="module")
def batch() -> Any:
    return np.random.default_rng(0).uniform(-1, 1, size=(4, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model(network: BlazeFace, batch: Any) -> Any:
    """As LiteRT's own code reads the file."""
    quantised = to_model(network.folded())
    quantise(quantised, batch, stays_float32)
    return unpack(model_bytes(quantised))


def unpack(data: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(data, 0)


def kind_names(model: Any) -> list[str]:
    """The name of each kind of operation, by the number that operations call it by."""
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]


def test_the_graph_is_int8_from_the_picture_to_the_heads(model: Any) -> None:
    graph, kinds = model.subgraphs[0], kind_names(model)
    types = {schema.TensorType.INT8: "int8", schema.TensorType.FLOAT32: "float32"}
    seen = Counter(
        (kinds[step.opcodeIndex], types[graph.tensors[step.outputs[0]].type]) for step in graph.operators
    )
    # Stem, one single and two double blocks, two heads on each of two maps.
    assert seen == {
        ("QUANTIZE", "int8"): 1,
        ("CONV_2D", "int8"): 1 + 1 + 2 * 2 + 4,
        ("DEPTHWISE_CONV_2D", "int8"): 1 + 2 * 2,
        ("ADD", "int8"): 3,
        ("MAX_POOL_2D", "int8"): 2,
        ("PAD", "int8"): 3,
        ("DEQUANTIZE", "float32"): 4,
        ("RESHAPE", "float32"): 4,
        ("CONCATENATION", "float32"): 2,
    }
    names = [graph.tensors[number].name.decode() for number in (*graph.inputs, *graph.outputs)]
    assert names == ["input", "regressors", "classificators"]
    versions = dict(zip(kinds, (code.version for code in model.operatorCodes), strict=True))
    assert versions["CONV_2D"] == versions["DEPTHWISE_CONV_2D"] == 3  # scales by channel came with it


def test_parameters_are_those_of_the_specification(model: Any, network: BlazeFace, batch: Any) -> None:
    graph, kinds = model.subgraphs[0], kind_names(model)
    before = unpack(to_tflite(network.folded()))
    originals = {tensor.name: tensor for tensor in before.subgraphs[0].tensors}
    ranges = activation_ranges(to_tflite(network.folded()), batch)
    numbers = {tensor.name: number for number, tensor in enumerate(before.subgraphs[0].tensors)}
    checked: Counter[str] = Counter()
    for step in graph.operators:
        kind = kinds[step.opcodeIndex]
        tensors = [graph.tensors[number] for number in (*step.inputs, *step.outputs)]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            source, weight, bias, target = tensors
            axis = 0 if kind == "CONV_2D" else 3
            assert weight.quantization.quantizedDimension == axis
            assert len(weight.quantization.scale) == weight.shape[axis] and not weight.quantization.zeroPoint.any()
            units = source.quantization.scale[0] * weight.quantization.scale
            np.testing.assert_allclose(bias.quantization.scale, units, rtol=1e-6)
            whole = np.asarray(model.buffers[bias.buffer].data, np.uint8).view(np.int32)
            real = np.asarray(before.buffers[originals[bias.name].buffer].data, np.uint8).view(np.float32)
            np.testing.assert_allclose(whole * units.astype(np.float64), real, atol=float(units.max()) * 0.51)
            low, high = ranges[numbers[target.name]]
            # A head's answer has the range that was seen; one that goes on into a shared scale has at least that.
            assert target.quantization.scale[0] >= (max(high, 0) - min(low, 0)) / 255 * 0.999
            checked[kind] += 1
        if kind in ("MAX_POOL_2D", "PAD"):
            assert tensors[0].quantization.scale[0] == tensors[-1].quantization.scale[0]
            assert tensors[0].quantization.zeroPoint[0] == tensors[-1].quantization.zeroPoint[0]
            checked[kind] += 1
    assert checked == {"CONV_2D": 10, "DEPTHWISE_CONV_2D": 5, "MAX_POOL_2D": 2, "PAD": 3}


@pytest.mark.parametrize("options", [Options("int8"), Options("int8", batch=3), Options("int8", decode=True)])
def test_faces_are_found_as_in_float(
    options: Options, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "x.tflite"
    options = Options(options.precision, options.batch, options.decode, calibration=photographs)
    found = export_network(network, path, "tflite", options, photographs).differences
    assert isinstance(found, Differences) and 1e-4 < found.largest < 0.12 and found.mean < 0.02
    first = path.read_bytes()
    export_network(network, path, "tflite", options, photographs)
    assert path.read_bytes() == first
    batch = np.random.default_rng(3).uniform(-1, 1, size=(4, 3, 32, 32)).astype(np.float32)
    backend = TfliteBackend(path, threads=1)
    together = backend.run(batch)
    for i in range(4):
        for alone, row in zip(backend.run(batch[i : i + 1]), together, strict=True):
            np.testing.assert_array_equal(alone[0], row[i])
