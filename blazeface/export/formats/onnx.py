"""ONNX: one file for onnxruntime, OpenVINO, TensorRT, the browser, and most other converters."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxscript  # noqa: F401  (what torch.onnx writes the graph with: better missed here than in the middle)
import onnxslim
import torch

from blazeface.backends.onnx_backend import ANCHORS, HEIGHT, MULTIPLE_KEY, WIDTH, OnnxBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats.onnx_decode import add_decoding, check_suppression
from blazeface.export.formats.onnx_opset import WRITTEN, set_opset
from blazeface.export.formats.onnx_precision import to_float16, to_int8
from blazeface.export.formats.onnx_shortcuts import without_padding
from blazeface.export.labelled import LabelledSet
from blazeface.export.make import export_network
from blazeface.export.parity import ParityReport, check_parity
from blazeface.geometry import Image
from blazeface.models.light.blocks import Shuffle
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.version import __version__


def write(network: BlazeFace, path: Path, options: Options, float_stem: bool = True) -> None:
    """See `formats`. float_stem: int8 leaves the first layer in float32. The file has the input "image" (batch, 3, S, S) float32, the outputs "logits" and
    "regressions", batch norm folded, and the ModelSpec and the origin of the weights in its metadata. Decoded, it is as `onnx_decode` says."""
    spec = network.spec
    # In int8 a split costs .004 of AP >= .1 (front-128 on 400 val pictures): both parts are rounded once more where they join.
    model = to_onnx(network, options.batch, options.free_shape, split=options.precision != "int8")
    if options.precision == "float16":
        model = to_float16(model)
    elif options.precision == "int8":
        model = to_int8(model, spec, options.calibration, _floating(model, float_stem))
    _finish(model, network, options.free_shape)
    if options.decode:
        model = add_decoding(model, spec, options.nms)
    set_opset(model, options.opset)
    onnx.checker.check_model(model, full_check=True)
    leaked = local_paths(model)
    if leaked:
        raise BlazeFaceError(f"the graph names folders of this machine: {', '.join(leaked)}")
    path.write_bytes(model.SerializeToString(deterministic=True))


def check_nms_parity(
    network: BlazeFace, path: Path, pictures: list[Image], options: Options, labelled: LabelledSet | None
) -> ParityReport:
    """Verify a file with suppression: the same file without it is compared with PyTorch, and what suppression keeps of the same
    candidates is held against hard suppression."""
    without = replace(options, nms=False)
    with tempfile.TemporaryDirectory(prefix="blazeface-") as folder:
        plain = Path(folder) / path.name
        write(network.folded(), plain, without)
        report = check_parity(network, OnnxBackend(plain, 1).run, pictures, without, labelled, "onnxruntime")
        check_suppression(path, plain, network.spec, pictures)
    return report


def export_onnx(network: BlazeFace, path: Path, pictures: Sequence[Image]) -> ParityReport:
    """A float32 file for any batch size, height and width, verified on `pictures`, without a report: see `make.export_network`.

    A network that shuffles channels has the height and width of its square: the exporter writes the shuffle for one size.
    """
    options = Options(batch=None, free_shape=not _shuffles(network))
    return export_network(network, path, "onnx", options, pictures, report=False)


def _shuffles(network: BlazeFace) -> bool:
    return any(isinstance(module, Shuffle) for module in network.modules())


def to_onnx(
    network: BlazeFace, batch: int | None = None, free_shape: bool = False, split: bool = True
) -> onnx.ModelProto:
    """The graph of a folded network, simplified, with nothing in it about the machine it was made on.

    batch: pictures at once, None for any number. free_shape: any height and width that the strides divide. split: see
    `onnx_shortcuts.without_padding`.
    """
    spec, multiple = network.spec, max(network.layout.strides)
    if free_shape and _shuffles(network):
        raise BlazeFaceError("--shape dynamic: a network that shuffles channels is written for its square alone")
    network = without_padding(network, split)
    # A batch of 1 would be taken for a constant where the batch is to stay open; so would sides that are equal.
    example = torch.zeros(batch or 2, 3, spec.input_size, spec.input_size + multiple * free_shape)
    free = {0: torch.export.Dim("batch")} if batch is None else {}
    if free_shape:
        free |= {axis: multiple * torch.export.Dim(name) for axis, name in ((2, "rows"), (3, "columns"))}
    with without_exporter_noise():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=WRITTEN,
            input_names=["image"],
            output_names=["logits", "regressions"],
            dynamic_shapes=(free,) if free else None,
            verbose=False,
        )
        assert program is not None
        model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    if free_shape:
        _free_rows(model, spec)
    _finish(model, network, free_shape)
    return model


def _free_rows(model: onnx.ModelProto, spec: ModelSpec) -> None:
    """Let the heads' answers be put in rows without their shape being computed first, and name the free sizes."""
    graph = model.graph
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.value_info, *graph.output)}
    for node in (node for node in graph.node if node.op_type == "Reshape" and ranks[node.output[0]] < 4):
        rows = [0, -1, spec.num_coords][: ranks[node.output[0]]]
        name = f"{node.output[0]}_shape"
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(rows, np.int64), name))
        node.input[1] = name
        del node.attribute[:]  # allowzero, by which 0 would be no batch
    _drop_unused(graph)
    del graph.value_info[:]  # they speak of the sizes by other names
    for value, names in ((graph.input[0], {2: HEIGHT, 3: WIDTH}), *((end, {1: ANCHORS}) for end in graph.output)):
        for axis, name in names.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Take out nodes, and then constants, whose results nothing reads."""
    while True:
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        unused = [node for node in graph.node if not read & set(node.output)]
        if not unused:
            break
        for node in unused:
            graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _finish(model: onnx.ModelProto, network: BlazeFace, free_shape: bool) -> None:
    """Set the file's own metadata and remove what the export tools left in it."""
    spec, multiple = network.spec, max(network.layout.strides)
    strip_origin(model)
    model.graph.name = spec.name
    model.producer_name, model.producer_version = "blazeface", __version__
    model.doc_string = _description(spec, multiple if free_shape else None)
    about = {METADATA_KEY: spec.to_json()} | ({MULTIPLE_KEY: str(multiple)} if free_shape else {})
    if network.origin:
        about[ORIGIN_KEY] = network.origin.to_json()
    onnx.helper.set_model_props(model, about)


def _floating(model: onnx.ModelProto, float_stem: bool) -> list[str]:
    """Names of the nodes that stay in float32 in an int8 file: those that put the heads' answers in a row, so that each
    head has a scale of its own and small faces are not measured in the coarse steps of large ones; and the stem, whose
    int8 costs some faces of a tenth to a fifth of the picture (see docs/export.md)."""
    names = [node.name for node in model.graph.node if node.op_type in ("Transpose", "Reshape", "Concat")]
    stem = next(node.name for node in model.graph.node if node.op_type == "Conv")
    return [stem, *names] if float_stem else names


def local_paths(model: onnx.ModelProto) -> list[str]:
    """Folders of this machine whose names stand somewhere in a model that is to be published."""
    folders = {Path.cwd(), Path.home(), Path(sys.prefix), Path(sys.base_prefix)}
    folders |= {Path(torch.__file__).parents[1], Path(__file__).resolve().parents[2]}
    words = onnx.ModelProto()
    words.CopyFrom(model)
    for tensor in words.graph.initializer:  # any short name turns up by chance among random bytes
        tensor.ClearField("raw_data")
    text = words.SerializeToString()
    return sorted(
        str(folder) for folder in folders if folder != Path(folder.anchor) and f"{folder}{os.sep}".encode() in text
    )


def strip_origin(model: onnx.ModelProto) -> None:
    """Take out notes for debugging: the exporter leaves source lines with their paths in them."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _description(spec: ModelSpec, multiple: int | None) -> str:
    size, anchors = str(spec.input_size), str(spec.num_anchors)
    shape = f"{size}, {size}"
    if multiple is not None:
        shape = f"{HEIGHT}, {WIDTH}, both divided by {multiple}, {size} for a whole picture"
        anchors = ANCHORS
    return (
        f"Face detector {spec.name}. image: (batch, 3, {shape}) float32, RGB, (value - {spec.mean:g}) /"
        f" {spec.std:g}. logits: (batch, {anchors}), one per anchor. regressions: (batch, {anchors},"
        f" {spec.num_coords}): centre, width and height, then x y of {spec.num_keypoints} keypoints, times"
        f" {spec.decode_scale:g}. How to decode them: see {METADATA_KEY} in the metadata."
    )


@contextmanager
def without_exporter_noise() -> Iterator[None]:
    """The exporter talks of packages that are not needed here and of its own deprecations."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
