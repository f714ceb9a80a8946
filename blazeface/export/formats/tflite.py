"""TensorFlow Lite: one file for LiteRT and MediaPipe on phones, with NHWC axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import IMAGE_KEY, IMAGE_VALUE, OUTPUTS, as_pictures
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats.tflite_modules import append_block
from blazeface.export.make import export_network
from blazeface.export.parity import ParityReport
from blazeface.geometry import Image
from blazeface.models.blocks import (
    BlazeBlock,
    DenseBlock,
    DoubleBlazeBlock,
    Luminance,
    SameConv2d,
    Shortcut,
    UpBlock,
)
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.tflite.model import Model
from blazeface.tflite.quantize import quantise
from blazeface.tflite.task_metadata import task_metadata
from blazeface.tflite.writer import GraphWriter, model_bytes, set_batch


def write(network: BlazeFace, path: Path, options: Options) -> None:
    """See `formats`. The file has the input "input" (batch, S, S, 3) float32, the outputs "regressors"
    (batch, A, 4 + 2K) and "classificators" (batch, A, 1), in the names and the order of Google's released files,
    and the ModelSpec in its metadata. Decoded, it is as `backends.decoded` says."""
    weights = "float16" if options.precision == "float16" else "float32"
    model = to_model(network, weights, options.decode)
    if options.precision == "int8":
        planes = np.stack([prepare(picture, network.spec)[0] for picture in options.calibration])
        batch = as_pictures(planes, network.spec) if options.decode else planes.transpose(0, 2, 3, 1)
        quantise(model, np.ascontiguousarray(batch), stays_float32)
    if options.batch:
        set_batch(model, options.batch)
    path.write_bytes(model_bytes(model))


def stays_float32(kind: str, name: str) -> bool:
    """Whether an operation lies before the stem or behind the heads' convolutions, where int8 files compute in
    float32: each head keeps a scale of its own, and the border is the same for files of every precision."""
    before, behind = ("image.", "normalised"), ("regressors", "classificators", *OUTPUTS)
    return name.startswith(before) or (name.startswith(behind) and kind != "CONV_2D")


def export_tflite(
    network: BlazeFace, path: Path, pictures: Sequence[Image], precision: str = "float32"
) -> ParityReport:
    """A file for one picture at a time, verified on `pictures`, without a report: see `make.export_network`."""
    return export_network(network, path, "tflite", Options(precision), pictures, report=False)


def to_tflite(network: BlazeFace, precision: str = "float32", decode: bool = False) -> bytes:
    """The file of `to_model`."""
    return model_bytes(to_model(network, precision, decode))


@torch.no_grad()
def to_model(network: BlazeFace, precision: str = "float32", decode: bool = False) -> Model:
    """The TensorFlow Lite model of a folded network, for one picture.

    precision: of the weights, "float32" or "float16"; a runtime computes in float32 or, on a phone's GPU, as it
    likes. Raises BlazeFaceError for weights that the precision cannot hold.
    """
    spec = network.spec
    graph = NetworkGraph(np.dtype(precision))
    shape = (1, spec.input_size, spec.input_size, 3)
    image = x = graph.picture(shape, spec) if decode else graph.writer.tensor("input", shape)
    x = graph.normalised(x, spec) if decode else x
    head_inputs = graph.trunk(x if network.luminance is None else graph.luminance(x, network.luminance), network)
    metadata = {METADATA_KEY: spec.to_json().encode()}
    if network.origin:
        metadata[ORIGIN_KEY] = network.origin.to_json().encode()
    if decode:
        metadata[IMAGE_KEY] = IMAGE_VALUE.encode()
        found = graph.decoded(head_inputs, network)
    else:
        metadata["TFLITE_METADATA"] = task_metadata(spec, network.origin.licence)
        regressions = graph.head(head_inputs, network.regression_heads, "regressors", spec.num_coords)
        found = [regressions, graph.head(head_inputs, network.score_heads, "classificators", 1)]
    return graph.writer.finish(spec.name, _description(spec, decode), [image], found, metadata)


class NetworkGraph:
    """The network's parts as operations on NHWC tensors. Each method gives the number of its output."""

    def __init__(self, weights: np.dtype[np.float32] | np.dtype[np.float16]):
        self.writer = GraphWriter()
        self._dtype = weights

    def luminance(self, x: int, layer: Luminance) -> int:
        """Grey from colours, as a convolution without a bias."""
        weight = self._weights("luminance.weight", layer.weight.permute(0, 2, 3, 1).numpy())
        return self.writer.convolution(
            x, weight, self._weights("luminance.bias", np.zeros(1, np.float32)), "luminance"
        )

    def trunk(self, x: int, network: BlazeFace) -> list[int]:
        """Stem and blocks; the maps that feed the heads, the finest first."""
        x = self.convolution(x, network.stem, "stem", "RELU")
        outputs: list[int] = []
        for index, (module, numbers) in enumerate(zip(network.blocks, network.layout.blocks, strict=True)):
            joined = None if numbers.skip_from is None else outputs[numbers.skip_from]
            x = self.block(x, module, f"blocks.{index}", joined)
            outputs.append(x)
        return [outputs[index] for index in network.layout.feeding]

    def block(self, x: int, module: nn.Module, name: str, joined: int | None) -> int:
        if isinstance(module, UpBlock):
            assert joined is not None
            coarse = self.convolution(x, module.coarse, f"{name}.coarse", "RELU")
            coarse = self.writer.upscale(coarse, f"{name}.up", f"{name}.size")
            fine = self.convolution(joined, module.fine, f"{name}.fine", "RELU")
            return self.writer.add(fine, coarse, name)
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
            return append_block(self, x, module, name)
        if module.shortcut is None:
            return inner
        return self.writer.add(inner, self._shortcut(x, module.shortcut, name), name, "RELU")

    def head(self, head_inputs: Sequence[int], heads: nn.ModuleList, name: str, columns: int) -> int:
        """One convolution per map; its last axis holds anchor after anchor, so a reshape gives the rows."""
        rows = []
        for index, (tensor, head) in enumerate(zip(head_inputs, heads, strict=True)):
            values = self.convolution(tensor, head, f"{name}.{index}")
            shape = (1, int(np.prod(self.writer.shape(values))) // columns, columns)
            # With a single map there is nothing to concatenate, and its rows are the output itself.
            rows.append(
                self.writer.reshape(values, shape, f"{name}.{index}.rows" if len(head_inputs) > 1 else name)
            )
        if len(rows) == 1:
            return rows[0]
        return self.writer.concatenate(rows, 1, name)

    def picture(self, shape: Sequence[int], spec: ModelSpec) -> int:
        """The input "image", uint8. TensorFlow Lite reads it as (value - whole mean) / std."""
        return self.writer.picture("image", shape, 1 / spec.std, _zero_point(spec))

    def normalised(self, image: int, spec: ModelSpec) -> int:
        """(value - mean) / std: a scale of uint8 has a whole zero point, so what is left of the mean is added."""
        x = self.writer.dequantize(image, "image.float")
        rest = np.full((1, 1, 1, 1), (_zero_point(spec) - spec.mean) / spec.std, np.float32)
        return self.writer.add(x, self.writer.constant("image.rest", rest), "normalised")

    def decoded(self, head_inputs: Sequence[int], network: BlazeFace) -> list[int]:
        """Boxes, keypoints and scores. Decoding is linear but for the anchors, so that the heads do it themselves."""
        spec = network.spec
        anchors, points = spec.num_anchors, spec.num_keypoints
        if points == 0:  # their head would have no channels
            raise BlazeFaceError(
                f"{spec.name} has no keypoints, and a TFLite file that decodes must give some: leave out --decode"
            )
        centers = anchor_centers(spec.anchor_maps)[None].astype(np.float32)
        results = []
        for name, rows in zip(OUTPUTS, decoding_matrices(spec), strict=False):
            heads = nn.ModuleList(combined_head(head, rows) for head in network.regression_heads)
            offsets = self.head(head_inputs, heads, f"{name}.offsets", len(rows))
            where = self.writer.constant(f"{name}.anchors", np.tile(centers, len(rows) // 2))
            results.append(self.writer.add(offsets, where, name if name == "boxes" else f"{name}.rows"))
        boxes, flat = results
        keypoints = self.writer.reshape(flat, (1, anchors, points, 2), "keypoints")
        logits = self.head(head_inputs, network.score_heads, "scores.logits", 1)
        scores = self.writer.elementwise("LOGISTIC", logits, "scores.rows")
        return [boxes, keypoints, self.writer.reshape(scores, (1, anchors), "scores")]

    def convolution(self, x: int, layer: nn.Module, name: str, activation: str = "NONE") -> int:
        """A SameConv2d, alone or in a folded chain of them (`models.light.lighten` makes chains).

        In groups it is an ordinary CONV_2D, whose filters are as deep as a group is wide.
        """
        if isinstance(layer, nn.Sequential):
            *before, layer = layer
            for index, part in enumerate(before):
                x = self.convolution(x, part, f"{name}.{index}")
            return self.convolution(x, layer, name, activation)
        assert isinstance(layer, SameConv2d)
        deep = layer.groups == layer.in_channels == layer.out_channels > 1
        weight = layer.weight.permute((1, 2, 3, 0) if deep else (0, 2, 3, 1)).numpy()
        bias = np.zeros(layer.out_channels, np.float32) if layer.bias is None else layer.bias.numpy()
        constants = self._weights(f"{name}.weight", weight), self._weights(f"{name}.bias", bias)
        stride = (layer.stride[0], layer.stride[1])
        dilation = (layer.dilation[0], layer.dilation[1])
        if deep:
            return self.writer.depthwise(x, *constants, name, stride, activation, dilation)
        grouped = layer.groups > 1
        return self.writer.convolution(x, *constants, name, stride, activation, grouped, dilation)

    def _weights(self, name: str, values: NDArray[np.float32]) -> int:
        if self._dtype == np.float32:
            return self.writer.constant(name, values)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if not np.isfinite(narrow).all():  # LiteRT may clip infinities, so that the comparison would miss them
            raise BlazeFaceError(f"{name} holds numbers beyond float16's range: export as float32")
        return self.writer.dequantize(self.writer.constant(f"{name}.float16", narrow), name)

    def _shortcut(self, x: int, shortcut: Shortcut, name: str) -> int:
        """Max pool where the block strides; new channels are zeros behind the others, or all come from a projection."""
        if shortcut.stride > 1:
            x = self.writer.pool("MAX_POOL_2D", x, f"{name}.pool", shortcut.stride, shortcut.stride)
        if shortcut.projection is not None:
            x = self.convolution(x, shortcut.projection, f"{name}.projection")
        if shortcut.new_channels:
            x = self.writer.pad_channels(x, shortcut.new_channels, f"{name}.pad")
        return x


def _zero_point(spec: ModelSpec) -> int:
    return int(np.clip(round(spec.mean), 0, 255))


def decoding_matrices(spec: ModelSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `decode.decode` does, anchors aside, as matrices on one anchor's regressions (4 + 2K): the corners of its
    box, (4, 4 + 2K), and its keypoints, (2K, 4 + 2K)."""
    one = np.eye(spec.num_coords) / spec.decode_scale
    middle, half = one[0:2], one[2:4] / 2
    return np.concatenate([middle - half, middle + half]), one[4:]


def combined_head(head: nn.Module, rows: NDArray[np.float64]) -> SameConv2d:
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


def _description(spec: ModelSpec, decode: bool) -> str:
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
