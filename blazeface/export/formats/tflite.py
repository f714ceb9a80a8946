"""TensorFlow Lite: one file for LiteRT and MediaPipe on phones, in their own order of axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import nn

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import IMAGE_KEY, IMAGE_VALUE, OUTPUTS, as_pictures
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats.tflite_modules import walk
from blazeface.export.make import export_network
from blazeface.export.parity import ParityReport
from blazeface.geometry import Image
from blazeface.models.blocks import BlazeBlock, DenseBlock, DoubleBlazeBlock, SameConv2d, Shortcut, UpBlock
from blazeface.models.network import BlazeFace
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.tflite.quantize import to_int8
from blazeface.tflite.schema import with_batch
from blazeface.tflite.task_metadata import task_metadata
from blazeface.tflite.writer import GraphWriter


def write(network: BlazeFace, path: Path, options: Options) -> None:
    """See `formats`. The file has the input "input" (batch, S, S, 3) float32, the outputs "regressors"
    (batch, A, 4 + 2K) and "classificators" (batch, A, 1), in the names and the order of Google's released files,
    and the ModelSpec in its metadata. Decoded, it is as `backends.decoded` says."""
    weights = "float16" if options.precision == "float16" else "float32"
    data = to_tflite(network, weights, options.decode)
    if options.precision == "int8":
        planes = np.stack([prepare(picture, network.spec)[0] for picture in options.calibration])
        batch = as_pictures(planes, network.spec) if options.decode else planes.transpose(0, 2, 3, 1)
        data = to_int8(data, np.ascontiguousarray(batch), outside)
    path.write_bytes(data if options.batch == 1 else with_batch(data, options.batch or 1))


def outside(kind: str, name: str) -> bool:
    """Whether an operation lies before the stem or behind the heads' convolutions, where int8 files compute in
    float32: each head keeps a scale of its own, and the border is the same for files of every precision."""
    before, behind = ("image.", "normalised"), ("regressors", "classificators", *OUTPUTS)
    return name.startswith(before) or (name.startswith(behind) and kind != "CONV_2D")


def export_tflite(
    network: BlazeFace, path: Path, pictures: Sequence[Image], precision: str = "float32"
) -> ParityReport:
    """A file for one picture at a time, proved on `pictures`, without a report: see `make.export_network`."""
    return export_network(network, path, "tflite", Options(precision), pictures, report=False)


@torch.no_grad()
def to_tflite(network: BlazeFace, precision: str = "float32", decode: bool = False) -> bytes:
    """The .tflite file of a folded network, for one picture.

    precision: of the weights, "float32" or "float16"; a runtime computes in float32 or, on a phone's GPU, as it
    likes. Raises BlazeFaceError for weights that the precision cannot hold.
    """
    spec = network.spec
    graph = _Graph(np.dtype(precision))
    shape = (1, spec.input_size, spec.input_size, 3)
    image = x = graph.picture(shape, spec) if decode else graph.writer.tensor("input", shape)
    x = graph.convolution(graph.normalised(x, spec) if decode else x, network.stem, "stem", "RELU")
    outputs: list[int] = []
    for index, (module, numbers) in enumerate(zip(network.blocks, network.layout.blocks, strict=True)):
        name = f"blocks.{index}"
        x = graph.block(x, module, name, None if numbers.skip_from is None else outputs[numbers.skip_from])
        outputs.append(x)
    head_inputs = [outputs[index] for index in network.layout.feeding]
    metadata = {METADATA_KEY: spec.to_json().encode()}
    if decode:
        metadata[IMAGE_KEY] = IMAGE_VALUE.encode()
        found = graph.decoded(head_inputs, network)
    else:
        metadata["TFLITE_METADATA"] = task_metadata(spec)
        regressions = graph.head(head_inputs, network.regression_heads, "regressors", spec.num_coords)
        found = [regressions, graph.head(head_inputs, network.score_heads, "classificators", 1)]
    return graph.writer.finish(spec.name, _explanation(spec, decode), [image], found, metadata)


class _Graph:
    """The network's parts as operations on NHWC tensors. Each method gives the number of its output."""

    def __init__(self, weights: np.dtype[np.float32] | np.dtype[np.float16]):
        self.writer = GraphWriter()
        self._dtype = weights

    def block(self, x: int, module: nn.Module, name: str, joined: int | None) -> int:
        if isinstance(module, UpBlock):
            assert joined is not None
            coarse = self._upscale(self.convolution(x, module.coarse, f"{name}.coarse", "RELU"), name)
            fine = self.convolution(joined, module.fine, f"{name}.fine", "RELU")
            return self.add(fine, coarse, name)
        if isinstance(module, DenseBlock):
            return self.convolution(x, module.conv, f"{name}.conv", "RELU")
        if isinstance(module, DoubleBlazeBlock):
            inner = self.convolution(x, module.depthwise_in, f"{name}.depthwise_in")
            inner = self.convolution(inner, module.project, f"{name}.project", "RELU")
            inner = self.convolution(inner, module.depthwise_mid, f"{name}.depthwise_mid")
            inner = self.convolution(inner, module.expand, f"{name}.expand")
        elif isinstance(module, BlazeBlock):
            inner = self.convolution(x, module.depthwise, f"{name}.depthwise")
            activation = "RELU" if module.shortcut is None else "NONE"
            inner = self.convolution(inner, module.pointwise, f"{name}.pointwise", activation)
        else:
            return walk(self, x, module, name)
        if module.shortcut is None:
            return inner
        return self.add(inner, self._shortcut(x, module.shortcut, name), name, "RELU")

    def head(self, head_inputs: Sequence[int], heads: nn.ModuleList, name: str, columns: int) -> int:
        """One convolution per map; its last axis holds anchor after anchor, so a reshape gives the rows."""
        rows = []
        for index, (tensor, head) in enumerate(zip(head_inputs, heads, strict=True)):
            values = self.convolution(tensor, head, f"{name}.{index}")
            shape = (1, int(np.prod(self.writer.shape(values))) // columns, columns)
            # With a single map there is nothing to concatenate, and its rows are the output itself.
            rows.append(self.reshape(values, shape, f"{name}.{index}.rows" if len(head_inputs) > 1 else name))
        if len(rows) == 1:
            return rows[0]
        options = schema.ConcatenationOptionsT()
        options.axis = 1
        total = sum(self.writer.shape(row)[1] for row in rows)
        return self.writer.operation("CONCATENATION", rows, name, (1, total, columns), options)

    def picture(self, shape: Sequence[int], spec: ModelSpec) -> int:
        """The input "image", uint8. TensorFlow Lite reads it as (value - whole mean) / std."""
        return self.writer.picture("image", shape, 1 / spec.std, _whole_mean(spec))

    def normalised(self, image: int, spec: ModelSpec) -> int:
        """(value - mean) / std: a scale of uint8 has a whole zero point, so what is left of the mean is added."""
        shape = self.writer.shape(image)
        x = self.writer.operation("DEQUANTIZE", [image], "image.float", shape, schema.DequantizeOptionsT())
        rest = np.full((1, 1, 1, 1), (_whole_mean(spec) - spec.mean) / spec.std, np.float32)
        return self.add(x, self.writer.constant("image.rest", rest), "normalised")

    def decoded(self, head_inputs: Sequence[int], network: BlazeFace) -> list[int]:
        """Boxes, keypoints and scores. Decoding is linear but for the anchors, so that the heads do it themselves."""
        spec = network.spec
        anchors, points = spec.num_anchors, spec.num_keypoints
        centers = anchor_centers(spec.anchor_maps)[None].astype(np.float32)
        results = []
        for name, rows in zip(OUTPUTS, decoding_rows(spec), strict=False):
            heads = nn.ModuleList(recombined(head, rows) for head in network.regression_heads)
            offsets = self.head(head_inputs, heads, f"{name}.offsets", len(rows))
            where = self.writer.constant(f"{name}.anchors", np.tile(centers, len(rows) // 2))
            results.append(self.add(offsets, where, name if name == "boxes" else f"{name}.rows"))
        boxes, flat = results
        keypoints = self.reshape(flat, (1, anchors, points, 2), "keypoints")
        logits = self.head(head_inputs, network.score_heads, "scores.logits", 1)
        scores = self.writer.operation("LOGISTIC", [logits], "scores.rows", (1, anchors, 1))
        return [boxes, keypoints, self.reshape(scores, (1, anchors), "scores")]

    def reshape(self, x: int, shape: tuple[int, ...], name: str) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        size = self.writer.constant(f"{name}.shape", np.array(shape, np.int32))
        return self.writer.operation("RESHAPE", [x, size], name, shape, options)

    def convolution(self, x: int, layer: nn.Module, name: str, activation: str = "NONE") -> int:
        """A SameConv2d, alone or in a folded chain of them (`models.lighten` makes chains).

        In groups it is an ordinary CONV_2D, whose filters are as deep as a group is wide.
        """
        if isinstance(layer, nn.Sequential):
            *before, layer = layer
            for index, part in enumerate(before):
                x = self.convolution(x, part, f"{name}.{index}")
            return self.convolution(x, layer, name, activation)
        assert isinstance(layer, SameConv2d)
        deep = layer.groups == layer.in_channels == layer.out_channels > 1
        grouped = layer.groups > 1 and not deep
        options = schema.DepthwiseConv2DOptionsT() if deep else schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH, options.strideW = layer.stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
        if deep:
            options.depthMultiplier = 1
        weight = layer.weight.permute((1, 2, 3, 0) if deep else (0, 2, 3, 1)).numpy()
        bias = np.zeros(layer.out_channels, np.float32) if layer.bias is None else layer.bias.numpy()
        inputs = [x, self._weights(f"{name}.weight", weight), self._weights(f"{name}.bias", bias)]
        _, height, width, _ = self.writer.shape(x)
        shape = (1, -(-height // layer.stride[0]), -(-width // layer.stride[1]), layer.out_channels)
        kind = "DEPTHWISE_CONV_2D" if deep else "CONV_2D"
        return self.writer.operation(kind, inputs, name, shape, options, 6 if grouped else 1)

    def _weights(self, name: str, values: NDArray[np.float32]) -> int:
        if self._dtype == np.float32:
            return self.writer.constant(name, values)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if not np.isfinite(narrow).all():  # LiteRT may clip infinities, so that the comparison would miss them
            raise BlazeFaceError(f"{name} holds numbers beyond float16's range: export as float32")
        half = self.writer.constant(f"{name}.float16", narrow)
        return self.writer.operation("DEQUANTIZE", [half], name, values.shape, schema.DequantizeOptionsT())

    def _shortcut(self, x: int, shortcut: Shortcut, name: str) -> int:
        """Max pool where the block strides; new channels are zeros appended by PAD."""
        _, height, width, channels = self.writer.shape(x)
        if shortcut.stride > 1:
            options = schema.Pool2DOptionsT()
            options.padding = schema.Padding.SAME
            options.strideH = options.strideW = options.filterHeight = options.filterWidth = shortcut.stride
            height, width = height // shortcut.stride, width // shortcut.stride
            x = self.writer.operation("MAX_POOL_2D", [x], f"{name}.pool", (1, height, width, channels), options)
        if shortcut.new_channels:
            amounts = np.array([[0, 0], [0, 0], [0, 0], [0, shortcut.new_channels]], np.int32)
            inputs = [x, self.writer.constant(f"{name}.pad.amounts", amounts)]
            shape = (1, height, width, channels + shortcut.new_channels)
            x = self.writer.operation("PAD", inputs, f"{name}.pad", shape, schema.PadOptionsT())
        return x

    def _upscale(self, x: int, name: str) -> int:
        _, height, width, channels = self.writer.shape(x)
        options = schema.ResizeBilinearOptionsT()
        options.halfPixelCenters = True
        inputs = [x, self.writer.constant(f"{name}.size", np.array([2 * height, 2 * width], np.int32))]
        shape = (1, 2 * height, 2 * width, channels)
        return self.writer.operation("RESIZE_BILINEAR", inputs, f"{name}.up", shape, options)

    def add(self, one: int, other: int, name: str, activation: str = "NONE") -> int:
        options = schema.AddOptionsT()
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
        return self.writer.operation("ADD", [one, other], name, self.writer.shape(one), options)


def _whole_mean(spec: ModelSpec) -> int:
    return int(np.clip(round(spec.mean), 0, 255))


def decoding_rows(spec: ModelSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `decode.decode` does, anchors aside, as matrices on one anchor's regressions (4 + 2K): the corners of its
    box, (4, 4 + 2K), and its keypoints, (2K, 4 + 2K)."""
    one = np.eye(spec.num_coords) / spec.decode_scale
    middle, half = one[0:2], one[2:4] / 2
    return np.concatenate([middle - half, middle + half]), one[4:]


def recombined(head: nn.Module, rows: NDArray[np.float64]) -> SameConv2d:
    """A head (columns of each anchor after those of the one before) whose answers for each anchor are `rows`, a matrix
    (new columns, columns), times the old ones."""
    assert isinstance(head, SameConv2d) and head.bias is not None
    columns = rows.shape[1]
    weight = np.einsum("kj,ajc->akc", rows, head.weight.double().numpy().reshape(-1, columns, head.in_channels))
    bias = head.bias.double().numpy().reshape(-1, columns) @ rows.T
    new = SameConv2d(head.in_channels, bias.size, 1)
    new.weight.copy_(torch.from_numpy(weight).reshape(new.weight.shape))
    assert new.bias is not None
    new.bias.copy_(torch.from_numpy(bias).flatten())
    return new


def _explanation(spec: ModelSpec, decode: bool) -> str:
    size, anchors = spec.input_size, spec.num_anchors
    if decode:
        return (
            f"Face detector {spec.name}. image: (batch, {size}, {size}, 3) uint8, RGB. boxes: (batch, {anchors}, 4),"
            f" x1 y1 x2 y2, and keypoints: (batch, {anchors}, {spec.num_keypoints}, 2), x y, in units of the picture's"
            f" side. scores: (batch, {anchors}). Overlapping candidates are not yet suppressed."
        )
    return (
        f"Face detector {spec.name}. input: (batch, {size}, {size}, 3) float32, RGB, (value - {spec.mean:g}) /"
        f" {spec.std:g}. regressors: (batch, {anchors}, {spec.num_coords}): centre, width and height, then x y of"
        f" {spec.num_keypoints} keypoints, times {spec.decode_scale:g}. classificators: (batch, {anchors}, 1) logits."
        f" How to decode them: see {METADATA_KEY} in the metadata."
    )
