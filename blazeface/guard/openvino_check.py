"""OpenVINO's .xml files: the graph is read from the text, and its shapes and costs are computed as those of ONNX files are.

What the text itself says of shapes is not believed: OpenVINO computes them anew, and so does this.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file
from blazeface.guard import Refused, UnlistedModel
from blazeface.guard.limits import check_cost, check_growth
from blazeface.guard.onnx_check import SIDE, cost_of
from blazeface.guard.onnx_graph import SMALL, Node, OnnxGraph, Tensor
from blazeface.guard.openvino_rules import RULES, apply_openvino
from blazeface.guard.shape_rules import whole_number

MAX_XML = 16 << 20
MAX_WEIGHTS = 256 << 20
MAX_LAYERS = 10_000
ENDS = ("to-layer", "to-port", "from-layer", "from-port")
NOT_PLAIN = "an XML file with comments, entities, another encoding than UTF-8, or no network"
"""What OpenVINO's reader of XML and Python's may read in two ways, and OpenVINO does not write."""

ONCE = ("layers", "edges", "data", "input", "output")
"""Parts of which OpenVINO's reader takes the first."""

_HEAD = re.compile(rb"\s*(<\?xml version=['\"]1\.0['\"]( encoding=['\"](utf-8|UTF-8)['\"])?\s*\?>\s*)?<net[\s>]")
TYPES = {
    "f16": "<f2", "f32": "<f4", "f64": "<f8", "i8": "i1", "i32": "<i4", "i64": "<i8", "u8": "u1", "boolean": "?",
}  # fmt: skip
"""Types of constants, as numpy has them."""


def read_openvino(path: Path) -> tuple[bytes, bytes]:
    """The .xml file, and the .bin file beside it, b"" where there is none. Raises BlazeFaceError for what is too large."""
    weights = path.with_suffix(".bin")
    found = []
    for file, most in ((path, MAX_XML), (weights, MAX_WEIGHTS)):
        if file is weights and not file.exists():
            found.append(b"")
            continue
        require_regular_file(str(file))
        if file.stat().st_size > most:
            raise BlazeFaceError(f"{file}: larger than {most >> 20} MiB, too large for a network of this kind")
        found.append(file.read_bytes())
    return found[0], found[1]


def check_openvino(path: Path) -> tuple[bytes, bytes]:
    """Raises UnlistedModel for what no face detector of this kind has, or what costs too much, BlazeFaceError for what is no
    XML. Gives the bytes of the .xml file and of the .bin file beside it that were checked; small constants, which shapes come
    from, are read from that one."""
    data, weights = read_openvino(path)
    if b"\0" in data or b"<!" in data or b"<?" in data[1:]:
        raise UnlistedModel(str(path), NOT_PLAIN)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise BlazeFaceError(f"{path}: not an OpenVINO file, or a damaged one: {printable(str(error))}") from error
    if not _HEAD.match(data):
        raise UnlistedModel(str(path), NOT_PLAIN)
    try:
        graph = read_graph(root, weights)
        once = cost_of(graph, 1, SIDE, rules=apply_openvino)
        check_cost(once)
        if any(size is None for shape in graph.inputs.values() for size in shape):
            check_growth(once, cost_of(graph, 2, 2 * SIDE, rules=apply_openvino))
    except (Refused, ValueError, OverflowError) as error:
        raise UnlistedModel(str(path), printable(str(error))) from error
    return data, weights


def read_graph(root: ElementTree.Element, weights: bytes) -> OnnxGraph:
    """Layers as nodes, in the file's order; a tensor's name is that of its layer and port. Raises Refused."""
    for parent in root.iter():
        names = [child.tag for child in parent]
        if any(names.count(name) > 1 for name in ONCE):
            raise Refused(f"{parent.tag[:40]!r} with two parts of one name")
    if root.tag != "net":
        raise Refused(f"an XML file of {root.tag[:40]!r}")
    layers = root.findall("./layers/layer")
    if len(layers) > MAX_LAYERS:
        raise Refused(f"more than {MAX_LAYERS} layers")
    if len(layers) != len(list(root.iter("layer"))):
        raise Refused("layers within layers")
    sources: dict[tuple[str, str], str] = {}
    for edge in root.findall("./edges/edge"):
        taker, port, maker, output = (_number(edge.get(name, "")) for name in ENDS)
        place = (taker, port)
        if place in sources:
            raise Refused("an input that is fed twice")
        sources[place] = f"{maker}:{output}"
    inputs: dict[str, tuple[int | None, ...]] = {}
    constants: dict[str, Tensor] = {}
    nodes = []
    for layer in layers:
        kind, number = layer.get("type", ""), _number(layer.get("id", ""))
        attributes = dict(child.attrib if (child := layer.find("data")) is not None else {})
        if not layer.get("version", "opset1").startswith("opset") or layer.find("body") is not None:
            raise Refused(f"the layer {kind[:60]!r} of another kind")
        made = tuple(f"{number}:{_number(port.get('id', ''))}" for port in layer.findall("./output/port"))
        if kind in ("Parameter", "Const"):
            if len(made) != 1 or made[0] in inputs or made[0] in constants:
                raise Refused(f"{kind} with {len(made)} outputs, or a second one of its name")
            shape = _shape(attributes.get("shape", ""))
            if kind == "Parameter":
                inputs[made[0]] = shape
            else:
                constants[made[0]] = _constant(made[0], shape, attributes, weights)
            continue
        if kind not in RULES:
            raise Refused(f"the layer {kind[:60]!r}")
        taken = tuple(
            sources.get((number, _number(port.get("id", ""))), "") for port in layer.findall("./input/port")
        )
        nodes.append(Node(kind, taken, made, {**attributes, "opset": layer.get("version", "opset1")}))
    results = [node.inputs[0] for node in nodes if node.kind == "Result" and node.inputs]
    return OnnxGraph(0, tuple(nodes), inputs, tuple(results), constants)


def _number(text: str) -> str:
    """The number of a layer or port, in its one form: OpenVINO reads 1, 01 and +1 as the same."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or (text[0] == "0" and text != "0"):
        raise Refused(f"{text[:40]!r} where the number of a layer or port stands")
    return text


def _shape(text: str) -> tuple[int | None, ...]:
    """ "1,3,?,?" as (1, 3, None, None)."""
    sides = [part.strip() for part in text.split(",") if part.strip()]
    if len(sides) > 8 or not all(side in ("?", "-1") or (side.isascii() and side.isdigit()) for side in sides):
        raise Refused(f"the shape {text[:60]!r}")
    return tuple(None if side in ("?", "-1") else int(side) for side in sides)


def _constant(name: str, shape: tuple[int | None, ...], attributes: dict[str, str], weights: bytes) -> Tensor:
    known = tuple(side for side in shape if side is not None)
    kind = TYPES.get(attributes.get("element_type", ""))
    if kind is None or len(known) != len(shape):
        raise Refused(f"a constant of the type {attributes.get('element_type', '')[:20]!r} and the shape {shape}")
    start, size = whole_number(attributes.get("offset", "-1")), whole_number(attributes.get("size", "-1"))
    if start < 0 or size != math.prod(known) * np.dtype(kind).itemsize or start + size > len(weights):
        raise Refused(f"a constant {known} of {size} bytes at {start}, which the .bin file does not hold")
    if math.prod(known) > SMALL:
        return Tensor(name, known, 0)
    values = np.frombuffer(weights[start : start + size], kind).reshape(known)
    return Tensor(name, known, 0, values.astype(np.int64 if values.dtype.kind in "iub" else np.float64))
