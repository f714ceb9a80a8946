"""OpenVINO: an .xml file and its .bin, read by OpenVINO from our ONNX file.

OpenVINO's own converter for PyTorch is not used: it is part of a tool that sends usage reports, and a second conversion
of the network would have to be verified as well.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from blazeface.backends.openvino_backend import SPEC_PLACE, openvino
from blazeface.export.format_table import Options
from blazeface.export.formats import onnx
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY, Origin
from blazeface.spec import ModelSpec


def write(network: BlazeFace, path: Path, options: Options) -> None:
    """See `formats`. Input "image" (batch, 3, S, S) float32, outputs "logits" and "regressions" as in ONNX, the ModelSpec
    in rt_info. float16: the weights only, which OpenVINO widens. int8: scales and ranges as for ONNX, but with the first layer in int8
    too, which saves a fifth of the time here (docs/export.md)."""
    half = options.precision == "float16"
    with tempfile.TemporaryDirectory(prefix="blazeface-") as folder:
        source = Path(folder) / "network.onnx"
        onnx.write(network, source, replace(options, precision="float32") if half else options, float_stem=False)
        from_onnx(source, path, network.spec, half, network.origin)


def from_onnx(source: Path, path: Path, spec: ModelSpec, half: bool = False, origin: Origin | None = None) -> None:
    """An ONNX file of ours as an .xml and a .bin, with the height and width of the square where they are free. half: weights
    in float16."""
    graph = openvino.Core().read_model(str(source))
    shape = graph.input(0).get_partial_shape()
    if shape[2].is_dynamic:
        shape[2] = shape[3] = spec.input_size
        graph.reshape(shape)
    graph.set_rt_info(spec.to_json(), SPEC_PLACE)
    if origin:
        graph.set_rt_info(origin.to_json(), ORIGIN_KEY.split("."))
    graph.set_friendly_name(spec.name)
    # Constants are named by a counter of the whole process; the same call shall give the same bytes.
    for number, step in enumerate(graph.get_ordered_ops()):
        if step.get_type_name() != "Parameter":
            step.set_friendly_name(f"{step.get_type_name()}_{number}")
    openvino.save_model(graph, str(path), compress_to_fp16=half)
