"""A second stage that finds every keypoint in the middle of its crop, as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from blazeface.crop import CROP_KEY, CropSpec


def middle_model(path: Path) -> Path:
    spec = CropSpec()
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "zeros"], ["none"]),
        helper.make_node("Add", ["none", "half"], ["places"]),
        helper.make_node("Reshape", ["places", "shape"], ["keypoints"]),
    ]
    values = {"zeros": np.zeros((3, 12), np.float32), "half": np.float32(0.5), "shape": np.array([-1, 6, 2])}
    graph = helper.make_graph(
        nodes,
        "middle",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["batch", 3, spec.size, spec.size])],
        [helper.make_tensor_value_info("keypoints", TensorProto.FLOAT, ["batch", 6, 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {CROP_KEY: spec.to_json()})
    onnx.save(model, path)
    return path
