"""Normalisation, decoding and suppression as part of an ONNX graph, written around the network's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import IMAGE_KEY, IMAGE_VALUE, OUTPUTS, as_pictures
from blazeface.backends.onnx_backend import NMS_KEY, open_session
from blazeface.blend import hard_nms
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image
from blazeface.spec import ModelSpec

Array = NDArray[Any]


def add_decoding(model: onnx.ModelProto, spec: ModelSpec, nms: bool) -> onnx.ModelProto:
    """The graph of a network, with what comes before and after it: pictures in, boxes, keypoints and scores out.

    The input is "image" (batch, S, S, 3) uint8, RGB, the outputs are as `backends.decoded` says. With `nms`, the
    standard NonMaxSuppression keeps the best of each group of boxes of the spec's score threshold or more that overlap
    by more than its IoU: boxes (N, 4), keypoints (N, K, 2), scores (N,), and picture (N,), the number of the picture in
    the batch; best first within a picture. All of this is computed in float32.
    """
    graph = model.graph
    batch = graph.input[0].type.tensor_type.shape.dim[0]
    batch_size = batch.dim_param or batch.dim_value
    _rename(graph, {"image": "normalised"})
    writer = _Writer()
    _normalise(writer, spec)
    before = list(writer.nodes)
    writer.nodes.clear()
    boxes, keypoints, scores = ("all_boxes", "all_keypoints", "all_scores") if nms else OUTPUTS
    _decode(writer, spec, boxes, keypoints, scores)
    shapes: dict[str, list[Any]] = {
        "boxes": [batch_size, spec.num_anchors, 4],
        "keypoints": [batch_size, spec.num_anchors, spec.num_keypoints, 2],
        "scores": [batch_size, spec.num_anchors],
    }
    if nms:
        _suppress(writer, spec, boxes, keypoints, scores)
        shapes = {"boxes": ["faces", 4], "keypoints": ["faces", spec.num_keypoints, 2], "scores": ["faces"]}
    after = list(writer.nodes)
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(writer.constants)
    size = spec.input_size
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, [batch_size, size, size, 3]))
    for name, shape in shapes.items():
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    if nms:
        graph.output.append(helper.make_tensor_value_info("picture", TensorProto.INT64, ["faces"]))
    model.doc_string = _description(spec, nms)
    properties = {entry.key: entry.value for entry in model.metadata_props} | {IMAGE_KEY: IMAGE_VALUE}
    if nms:
        properties[NMS_KEY] = f"score >= {spec.score_threshold:g}, IoU <= {spec.blend_iou:g}"
    helper.set_model_props(model, properties)
    return model


class _Writer:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{output}_{kind}", **attributes))
        return output

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name


def _normalise(writer: _Writer, spec: ModelSpec) -> None:
    x = writer.add("Cast", ["image"], "image_float", to=TensorProto.FLOAT)
    x = writer.add("Sub", [x, writer.constant("mean", spec.mean)], "image_centred")
    x = writer.add("Div", [x, writer.constant("std", spec.std)], "image_scaled")
    writer.add("Transpose", [x], "normalised", perm=[0, 3, 1, 2])


def _decode(writer: _Writer, spec: ModelSpec, boxes: str, keypoints: str, scores: str) -> None:
    """See `blazeface.decode`."""
    centers = anchor_centers(spec.anchor_maps).astype(np.float32)
    points, ends = spec.num_keypoints, np.cumsum([0, 2, 2, 2 * spec.num_keypoints])
    writer.add("Div", ["regressions", writer.constant("decode_scale", spec.decode_scale)], "values")
    parts = []
    for name, first, last in zip(("offset", "sides", "point_offsets"), ends[:-1], ends[1:], strict=True):
        bounds = [writer.constant(f"{name}_{i}", [v], np.int64) for i, v in enumerate((first, last, 2))]
        parts.append(writer.add("Slice", ["values", *bounds], name))
    offset, sides, flat = parts
    middle = writer.add("Add", [offset, writer.constant("anchors", centers)], "middle")
    half = writer.add("Div", [sides, writer.constant("two", 2)], "half")
    corners = [writer.add("Sub", [middle, half], "low"), writer.add("Add", [middle, half], "high")]
    writer.add("Concat", corners, boxes, axis=2)
    shape = writer.constant("points_shape", [0, spec.num_anchors, points, 2], np.int64)
    relative = writer.add("Reshape", [flat, shape], "points_relative")
    writer.add("Add", [relative, writer.constant("anchors_of_points", centers[:, None])], keypoints)
    writer.add("Sigmoid", ["logits"], scores)


def _suppress(writer: _Writer, spec: ModelSpec, boxes: str, keypoints: str, scores: str) -> None:
    # By operators that are the same in every set: ReduceMin and Unsqueeze take their axes now as attributes, now as inputs.
    bounds = [writer.constant(f"side_{i}", [i], np.int64) for i in range(3)]
    width, height = (
        writer.add("Slice", ["sides", bounds[i], bounds[i + 1], bounds[2]], name)
        for i, name in enumerate(("width", "height"))
    )
    least = writer.add("Min", [width, height], "least_side")
    one_class = writer.constant("one_class", [0, 1, -1], np.int64)
    sides = writer.add("Reshape", [least, one_class], "least_side_of_class")
    class_scores = writer.add("Reshape", [scores, one_class], "class_scores")
    sound = writer.add("Greater", [sides, writer.constant("zero", 0)], "sound")
    kept = writer.add("Where", [sound, class_scores, writer.constant("minus_one", -1)], "sound_scores")
    # The operator wants more than its threshold, blazeface the threshold or more: the next float32 below makes them one.
    threshold = np.nextafter(np.float32(spec.score_threshold), np.float32(-1))
    chosen = writer.add(
        "NonMaxSuppression",
        [
            boxes,
            kept,
            writer.constant("most", [spec.num_anchors], np.int64),
            writer.constant("iou", [spec.blend_iou]),
            writer.constant("threshold", [threshold]),
        ],
        "chosen",
    )
    where = writer.add(
        "Gather", [chosen, writer.constant("picture_and_anchor", [0, 2], np.int64)], "where_chosen", axis=1
    )
    for source, name in ((boxes, "boxes"), (keypoints, "keypoints"), (scores, "scores")):
        writer.add("GatherND", [source, where], name)
    writer.add("Gather", [chosen, writer.constant("first_column", 0, np.int64)], "picture", axis=1)


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)


def _description(spec: ModelSpec, nms: bool) -> str:
    size, rows = spec.input_size, "faces" if nms else f"batch, {spec.num_anchors}"
    end = (
        "picture: (faces,) number of the picture in the batch. Of overlapping candidates the best is kept."
        if nms
        else "Overlapping candidates are not yet suppressed."
    )
    return (
        f"Face detector {spec.name}. image: (batch, {size}, {size}, 3) uint8, RGB. boxes: ({rows}, 4), x1 y1 x2 y2, and"
        f" keypoints: ({rows}, {spec.num_keypoints}, 2), x y, in units of the picture's side. scores: ({rows}). {end}"
    )


def check_suppression(suppressed: Path, plain: Path, spec: ModelSpec, pictures: Sequence[Image]) -> None:
    """Compare a file with suppression with `blend.hard_nms` applied to the outputs of the same file without it.

    Raises BlazeFaceError where they keep other faces.
    """
    ours, theirs = open_session(plain, 1), open_session(suppressed, 1)
    for picture in pictures:
        image = as_pictures(prepare(picture, spec)[0][None], spec)
        boxes, keypoints, scores = (np.asarray(output)[0] for output in ours.run(list(OUTPUTS), {"image": image}))
        sound = (scores >= np.float32(spec.score_threshold)) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        expected = hard_nms(boxes[sound], scores[sound], keypoints[sound], spec.blend_iou)
        found = [np.asarray(output) for output in theirs.run(list(OUTPUTS), {"image": image})]
        found = [found[0], found[2], found[1]]  # boxes, scores, keypoints, as above
        if len(found[1]) != len(expected[1]):
            raise BlazeFaceError(
                f"NonMaxSuppression keeps {len(found[1])} faces where {len(expected[1])} are expected"
            )
        order = np.argsort(-found[1], kind="stable")
        if not all(np.allclose(a[order], b, atol=1e-5) for a, b in zip(found, expected, strict=True)):
            raise BlazeFaceError(
                "NonMaxSuppression keeps other faces than hard suppression of the same candidates"
            )
