"""OpenVINO's and ncnn's files: the kinds of layers, and with ncnn how many tensors go in and come out.

Their shapes and costs are not looked at, as those of ONNX and TensorFlow Lite files are: the runtimes compute them anew.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file
from blazeface.guard import UnlistedModel

MAX_XML = 16 << 20
MAX_LAYERS = 10_000

OPENVINO = frozenset(
    [
        "Parameter",
        "Result",
        "Const",
        "Convert",
        "Convolution",
        "GroupConvolution",
        "ConvolutionBackpropData",
        "GroupConvolutionBackpropData",
        "Add",
        "Subtract",
        "Multiply",
        "Divide",
        "Maximum",
        "Minimum",
        "Power",
        "ReLU",
        "PReLU",
        "Sigmoid",
        "Clamp",
        "HSwish",
        "HardSigmoid",
        "Swish",
        "SoftMax",
        "MaxPool",
        "AvgPool",
        "ReduceMean",
        "MatMul",
        "Concat",
        "Split",
        "VariadicSplit",
        "Reshape",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Pad",
        "Interpolate",
        "ShapeOf",
        "Gather",
        "Broadcast",
        "StridedSlice",
        "Slice",
        "FakeQuantize",
    ]
)

NCNN = {
    "Input": (0, 1), "Split": (1, None), "Convolution": (1, 1), "ConvolutionDepthWise": (1, 1), "Deconvolution": (1, 1),
    "InnerProduct": (1, 1), "Pooling": (1, 1), "ReLU": (1, 1), "PReLU": (1, 1), "Sigmoid": (1, 1), "HardSwish": (1, 1),
    "HardSigmoid": (1, 1), "Clip": (1, 1), "Padding": (1, 1), "Permute": (1, 1), "Reshape": (1, 1), "Flatten": (1, 1),
    "Squeeze": (1, 1), "ExpandDims": (1, 1), "ShuffleChannel": (1, 1), "Interp": (1, 1), "Softmax": (1, 1),
    "Dropout": (1, 1), "Noop": (1, 1), "Slice": (1, None), "Crop": (1, 1), "Concat": (None, 1), "Eltwise": (None, 1),
    "BinaryOp": (None, 1), "UnaryOp": (1, 1), "MemoryData": (0, 1),
}  # fmt: skip
"""Blobs that go into, and come out of, a layer; None: one or more (BinaryOp: one, or two)."""


def check_openvino(path: Path) -> None:
    """Raises UnlistedModel for a layer that no face detector of this kind has, BlazeFaceError for what is no XML."""
    require_regular_file(str(path))
    if path.stat().st_size > MAX_XML:
        raise BlazeFaceError(f"{path}: larger than {MAX_XML >> 20} MiB, too large for the text of a network")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnlistedModel(str(path), "an XML file that defines entities")
    try:
        kinds = [
            (layer.get("type", ""), layer.find("body") is not None)
            for layer in ElementTree.fromstring(data).iter("layer")
        ]
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise BlazeFaceError(f"{path}: not an OpenVINO file, or a damaged one: {printable(str(error))}") from error
    if len(kinds) > MAX_LAYERS:
        raise UnlistedModel(str(path), f"more than {MAX_LAYERS} layers")
    unknown = next((kind for kind, body in kinds if kind not in OPENVINO or body), None)
    if unknown is not None:
        raise UnlistedModel(str(path), printable(f"the layer {unknown[:60]!r}"))


def check_ncnn(path: Path, layers: Sequence[str]) -> None:
    """Raises UnlistedModel for a layer that is not on the list, or has another number of blobs than it needs: ncnn reads
    beyond its memory then. layers: the file's lines, each of the form that `ncnn_backend` has looked at."""
    made: set[str] = set()
    for line in layers:
        words = line.split()
        kind, counts = words[0], (int(words[2]), int(words[3]))
        if kind not in NCNN:
            raise UnlistedModel(str(path), printable(f"the layer {kind[:60]!r}"))
        for count, right, most in zip(counts, NCNN[kind], (2 if kind == "BinaryOp" else 64, 64), strict=True):
            if count != right and not (right is None and 1 <= count <= most):
                raise UnlistedModel(str(path), f"{kind} with {counts[0]} inputs and {counts[1]} outputs")
        inputs, outputs = words[4 : 4 + counts[0]], words[4 + counts[0] : 4 + sum(counts)]
        if not set(inputs) <= made or set(outputs) & made or len(set(outputs)) != len(outputs):
            raise UnlistedModel(str(path), f"{kind} that reads what is not made yet, or makes what is there")
        made |= set(outputs)
