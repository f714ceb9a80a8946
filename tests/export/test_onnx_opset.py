"""Operator sets: the oldest that a graph needs, one that was asked for, or a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxconverter_common", reason="the export extra is not installed")

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.detector import WEIGHTS
from blazeface.errors import BlazeFaceError
from blazeface.export.calibration import require_faces
from blazeface.export.format_table import Options, check_options
from blazeface.export.formats.onnx import write
from blazeface.export.formats.onnx_opset import set_opset
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.models.origin import Origin


def versions(model: onnx.ModelProto) -> tuple[int, int]:
    (entry,) = model.opset_import
    return entry.version, model.ir_version


def one_node(
    kind: str, *inputs: str, constants: dict[str, Any] | None = None, **attributes: Any
) -> onnx.ModelProto:
    node = helper.make_node(kind, ["x", *inputs], ["y"], **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (one_node("Relu"), (9, 4)),
        (one_node("MaxPool", kernel_shape=[2, 2], dilations=[1, 1], ceil_mode=0), (9, 4)),
        (one_node("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), (10, 5)),
        (one_node("MaxPool", kernel_shape=[2, 2], ceil_mode=1), (10, 5)),
        (one_node("Concat", "x", axis=1), (9, 4)),
        (one_node("Concat", "x", axis=-1), (11, 6)),
        (one_node("Softmax", axis=1), (13, 7)),
        (one_node("HardSwish"), (14, 7)),
        (one_node("Reshape", "s", constants={"s": np.array([2, 16])}, allowzero=1), (9, 4)),
        (one_node("Reshape", "s", constants={"s": np.array([0, -1])}, allowzero=1), (14, 7)),
        (one_node("ReduceMean", "a", constants={"a": np.array([1])}), (18, 8)),
        (
            one_node("Resize", "", "s", constants={"s": np.ones(4, np.float32)}, antialias=0, mode="linear"),
            (11, 6),
        ),
        (
            one_node("Resize", "", "s", constants={"s": np.ones(4, np.float32)}, antialias=1, mode="linear"),
            (18, 8),
        ),
    ],
)
def test_the_oldest_set_that_a_graph_needs(model: onnx.ModelProto, expected: tuple[int, int]) -> None:
    set_opset(model)
    assert versions(model) == expected


def test_a_set_that_is_too_old_is_one_sentence() -> None:
    with pytest.raises(BlazeFaceError, match=r"--opset 13: it has no HardSwish$"):
        set_opset(one_node("HardSwish"), 13)
    with pytest.raises(BlazeFaceError, match=r"--opset 11: its Softmax is another one than from 13 on"):
        set_opset(one_node("Softmax", axis=1), 11)
    with pytest.raises(BlazeFaceError, match="--opset: a tflite file has no operator set to choose"):
        check_options("tflite", Options(opset=11))


@pytest.mark.parametrize("name", ["front-128", "paper-128", "refine", "segment"])
@pytest.mark.parametrize("wanted", [None, 13, 17, 21])
def test_shipped_graphs_give_the_same_numbers(name: str, wanted: int | None, tmp_path: Path) -> None:
    """As they are, for set 18, and rewritten, Resize among them, in a runtime that knows all these sets."""
    before = onnx.load(WEIGHTS / f"{name}.onnx")
    after = onnx.load(WEIGHTS / f"{name}.onnx")
    set_opset(after, wanted)
    onnx.checker.check_model(after, full_check=True)
    oldest = {"front-128": 11, "paper-128": 9, "refine": 13, "segment": 9}[name]
    assert versions(after)[0] == (wanted or oldest)
    sessions = [onnxruntime.InferenceSession(model.SerializeToString()) for model in (before, after)]
    (image,) = sessions[0].get_inputs()
    side = image.shape[3] if isinstance(image.shape[3], int) else 128
    x = np.random.default_rng(0).normal(size=(2, 3, side, side)).astype(np.float32)
    for one, other in zip(*(session.run(None, {image.name: x}) for session in sessions), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        (Options(), 9),
        (Options(opset=15), 15),
        (Options("float16"), 9),
        (Options("int8"), 13),
        (Options(decode=True), 10),
        (Options(decode=True, nms=True), 11),  # GatherND
        (Options(batch=None, free_shape=True), 9),
    ],
)
def test_each_kind_of_file_has_its_oldest_set(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, options: Options, opset: int
) -> None:
    path = tmp_path / "x.onnx"
    network.origin = Origin("here", "CC0", "drawings")
    try:
        write(network.folded(), path, replace(options, calibration=photographs))
    finally:
        network.origin = Origin()
    model = onnx.load(path)
    assert versions(model)[0] == opset
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert Origin.from_json(properties["blazeface.origin"]) == Origin("here", "CC0", "drawings")
    if not options.nms:
        OnnxBackend(path, 1)  # what it is held against before a runtime sees it lets it through


def test_an_opset_that_int8_cannot_have(network: BlazeFace, photographs: list[Image], tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="--opset 11: its DequantizeLinear has no axis"):
        write(network.folded(), tmp_path / "x.onnx", Options("int8", calibration=photographs, opset=11))


def test_calibration_without_a_face_is_refused(network: BlazeFace, photographs: list[Image]) -> None:
    require_faces(network, photographs)  # the small network sees faces everywhere
    blind = network.folded()
    for head in blind.score_heads:
        torch.nn.init.zeros_(head.get_parameter("weight"))
        torch.nn.init.constant_(head.get_parameter("bias"), -9)
    with pytest.raises(BlazeFaceError, match="no face was found in the 3 pictures of the calibration"):
        require_faces(blind, photographs)
