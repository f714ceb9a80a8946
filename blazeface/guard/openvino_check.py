"""OpenVINO's .xml files: the graph is read from the text, and its shapes and costs are computed as those of ONNX files are.

What the text itself says of shapes is not believed: OpenVINO computes them anew, and so does this.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file
from blazeface.guard import UnlistedModel
from blazeface.guard.limits import check_cost, check_growth
from blazeface.guard.onnx_check import SIDE, cost_of
from blazeface.guard.onnx_graph import SMALL, Node, OnnxGraph, Refused, Tensor
from blazeface.guard.openvino_rules import RULES, apply_openvino

MAX_XML = 16 << 20
MAX_LAYERS = 10_000
TYPES = {
    "f16": "<f2", "f32": "<f4", "f64": "<f8", "i8": "i1", "i32": "<i4", "i64": "<i8", "u8": "u1", "boolean": "?",
}  # fmt: skip
"""Types of constants, as numpy has them."""


def check_openvino(path: Path) -> None:
    """Raises UnlistedModel for what no face detector of this kind has, or what costs too much, BlazeFaceError for what is no
    XML. The .bin file beside it is read for small constants, which shapes come from."""
    require_regular_file(str(path))
    if path.stat().st_size > MAX_XML:
        raise BlazeFaceError(f"{path}: larger than {MAX_XML >> 20} MiB, too large for the text of a network")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnlistedModel(str(path), "an XML file that defines entities")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise BlazeFaceError(f"{path}: not an OpenVINO file, or a damaged one: {printable(str(error))}") from error
    try:
        graph = read_graph(root, path.with_suffix(".bin"))
        once = cost_of(graph, 1, SIDE, rules=apply_openvino)
        check_cost(once)
        if any(size is None for shape in graph.inputs.values() for size in shape):
            check_growth(once, cost_of(graph, 2, 2 * SIDE, rules=apply_openvino))
    except (Refused, ValueError, OverflowError) as error:
        raise UnlistedModel(str(path), printable(str(error))) from error


def read_graph(root: ElementTree.Element, weights: Path) -> OnnxGraph:
    """Layers as nodes, in the file's order; a tensor's name is that of its layer and port. Raises Refused."""
    layers = root.findall("./layers/layer")
    if len(layers) > MAX_LAYERS:
        raise Refused(f"more than {MAX_LAYERS} layers")
    if len(layers) != len(list(root.iter("layer"))):
        raise Refused("layers within layers")
    sources: dict[tuple[str, str], str] = {}
    for edge in root.findall("./edges/edge"):
        place = (edge.get("to-layer", ""), edge.get("to-port", ""))
        if place in sources:
            raise Refused("an input that is fed twice")
        sources[place] = f"{edge.get('from-layer', '')}:{edge.get('from-port', '')}"
    inputs: dict[str, tuple[int | None, ...]] = {}
    constants: dict[str, Tensor] = {}
    nodes = []
    room = weights.stat().st_size if weights.is_file() else 0
    for layer in layers:
        kind, number = layer.get("type", ""), layer.get("id", "")
        attributes = dict(child.attrib if (child := layer.find("data")) is not None else {})
        if not layer.get("version", "opset1").startswith("opset") or layer.find("body") is not None:
            raise Refused(f"the layer {kind[:60]!r} of another kind")
        made = tuple(f"{number}:{port.get('id', '')}" for port in layer.findall("./output/port"))
        if kind in ("Parameter", "Const"):
            if len(made) != 1 or made[0] in inputs or made[0] in constants:
                raise Refused(f"{kind} with {len(made)} outputs, or a second one of its name")
            shape = _shape(attributes.get("shape", ""))
            if kind == "Parameter":
                inputs[made[0]] = shape
            else:
                constants[made[0]] = _constant(made[0], shape, attributes, weights, room)
            continue
        if kind not in RULES:
            raise Refused(f"the layer {kind[:60]!r}")
        taken = tuple(sources.get((number, port.get("id", "")), "") for port in layer.findall("./input/port"))
        nodes.append(Node(kind, taken, made, {**attributes, "opset": layer.get("version", "opset1")}))
    results = [node.inputs[0] for node in nodes if node.kind == "Result" and node.inputs]
    return OnnxGraph(0, tuple(nodes), inputs, tuple(results), constants)


def _shape(text: str) -> tuple[int | None, ...]:
    """ "1,3,?,?" as (1, 3, None, None)."""
    sides = [part.strip() for part in text.split(",") if part.strip()]
    if len(sides) > 8 or not all(side in ("?", "-1") or (side.isascii() and side.isdigit()) for side in sides):
        raise Refused(f"the shape {text[:60]!r}")
    return tuple(None if side in ("?", "-1") else int(side) for side in sides)


def _constant(
    name: str, shape: tuple[int | None, ...], attributes: dict[str, str], weights: Path, room: int
) -> Tensor:
    known = tuple(side for side in shape if side is not None)
    kind = TYPES.get(attributes.get("element_type", ""))
    if kind is None or len(known) != len(shape):
        raise Refused(f"a constant of the type {attributes.get('element_type', '')[:20]!r} and the shape {shape}")
    start, size = int(attributes.get("offset", "-1")), int(attributes.get("size", "-1"))
    if start < 0 or size != math.prod(known) * np.dtype(kind).itemsize or start + size > room:
        raise Refused(f"a constant {known} of {size} bytes at {start}, which {weights.name} does not hold")
    if math.prod(known) > SMALL:
        return Tensor(name, known, 0)
    with weights.open("rb") as file:
        file.seek(start)
        values = np.frombuffer(file.read(size), kind).reshape(known)
    return Tensor(name, known, 0, values.astype(np.int64 if values.dtype.kind in "iub" else np.float64))
