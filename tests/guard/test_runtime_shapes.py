"""The shapes that the lists of layers compute, held against those of the runtimes, layer by layer."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import small_network

from blazeface.guard.ncnn_check import _check_layer, check_ncnn
from blazeface.guard.onnx_check import cost_of
from blazeface.guard.onnx_values import Known
from blazeface.guard.openvino_check import check_openvino, read_graph
from blazeface.guard.openvino_rules import apply_openvino
from blazeface.guard.shape_rules import Shape


def exported(folder: Path, kind: str, suffix: str) -> Path:
    from blazeface.export.format_table import Options, load_format

    path = folder / f"x{suffix}"
    load_format(kind).write(small_network().folded(), path, Options())
    return path


def test_openvino(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    path = exported(tmp_path, "openvino", ".xml")
    check_openvino(path)
    root = ElementTree.parse(path).getroot()
    known: dict[str, Known] = {}
    side = small_network().spec.input_size
    cost_of(read_graph(root, path.with_suffix(".bin").read_bytes()), 1, side, known, apply_openvino)
    model = openvino.Core().read_model(str(path))
    model.reshape([1, 3, side, side])
    numbers = {layer.get("name"): layer.get("id") for layer in root.iter("layer")}
    compared = 0
    for op in model.get_ordered_ops():
        number = numbers.get(op.get_friendly_name())
        ports = [name for name in known if name.split(":")[0] == number]
        for port, output in zip(ports, op.outputs(), strict=False):
            if op.get_type_name() != "Result" and output.get_partial_shape().is_static:
                assert known[port].shape == tuple(output.get_shape()), op
                compared += 1
    assert compared > 20


def test_ncnn(tmp_path: Path) -> None:
    ncnn: Any = pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    path = exported(tmp_path, "ncnn", ".param")
    lines = [line for line in path.read_text().splitlines()[2:] if not line.startswith("#")]
    side = small_network().spec.input_size
    check_ncnn(path, lines, side, path.with_suffix(".bin").stat().st_size)
    known: dict[str, Shape] = {}
    for line in lines:
        _check_layer(line.split(), known, side)
    net = ncnn.Net()
    net.opt.lightmode = False
    net.opt.use_packing_layout = False
    assert net.load_param(str(path)) == net.load_model(str(path.with_suffix(".bin"))) == 0
    compared = 0
    for name, shape in known.items():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.zeros((3, side, side), np.float32)).clone())
        status, blob = extractor.extract(name)
        assert status == 0
        assert np.array(blob).shape == shape, name
        compared += 1
    assert compared > 10
