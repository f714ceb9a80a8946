"""The operator set and format version of an ONNX file: the oldest that its graph needs, since older runtimes refuse newer ones.

The exporter writes for one set. An operator's specification changes only in some of the sets that follow, mostly by
attributes and types that are added: a node that uses none of them means the same in the older set.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import NEWEST_OPSET, OLDEST_OPSET

WRITTEN = 18
"""What the exporter is asked for."""

MEANS_THE_SAME_SINCE = {
    "Resize": 11,  # 10 has no coordinate_transformation_mode
    "Clip": 11,
    "Pad": 11,
    "Split": 13,
    "Softmax": 13,  # flattened before
    "Squeeze": 13,
    "Unsqueeze": 13,
}
"""Where an older specification with the same attributes says something else, or takes attributes for inputs."""

NEGATIVE_AXES_SINCE = 11
WITHOUT_EFFECT = {("MaxPool", "dilations"): 1}
"""Attributes without a default in the specification: the number that stands for leaving them out."""

ROI_OPTIONAL_SINCE = 13


def set_opset(model: onnx.ModelProto, wanted: int | None = None) -> None:
    """Declare the oldest operator set under which the graph means what it does now, or the wanted one, and the oldest version
    of the format that goes with it; attributes that the set does not know, and that have no effect, are taken out.

    Raises BlazeFaceError, naming the operator, where the graph cannot be written for the wanted set.
    """
    _drop_idle_allowzero(model.graph)
    types = types_of(model)
    for opset in range(OLDEST_OPSET, NEWEST_OPSET + 1) if wanted is None else (wanted,):
        faults = [fault for node in model.graph.node if (fault := fault_of(node, opset, types))]
        if not faults:
            break
    if faults:
        raise BlazeFaceError(f"--opset {opset}: {faults[0]}")
    for node in model.graph.node:
        known = onnx.defs.get_schema(node.op_type, opset, node.domain).attributes
        for attribute in [entry for entry in node.attribute if entry.name not in known]:
            node.attribute.remove(attribute)
    if opset < ROI_OPTIONAL_SINCE:
        _name_empty_roi(model.graph)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    model.ir_version = onnx.helper.find_min_ir_version_for(list(model.opset_import))


def fault_of(node: NodeProto, opset: int, types: dict[str, str]) -> str | None:
    """Why a node cannot stand in a file of that operator set; None where it can. types: of the tensors that are known."""
    kind, since = node.op_type, MEANS_THE_SAME_SINCE.get(node.op_type, 1)
    try:
        schema = onnx.defs.get_schema(kind, opset, node.domain)
    except onnx.defs.SchemaError:
        return f"it has no {kind}"
    if schema.deprecated or opset < since:
        return f"its {kind} is another one than from {since} on"
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"its {kind} does not have {len(node.input)} inputs"
    for attribute in node.attribute:
        if attribute.name not in schema.attributes and not without_effect(node, attribute):
            return f"its {kind} has no {attribute.name}"
        axis = attribute.name in ("axis", "axes") and min([attribute.i, *attribute.ints]) < 0
        if axis and opset < NEGATIVE_AXES_SINCE:
            return f"its {kind} does not count axes from the last one"
    for place, name in enumerate(node.input):
        allowed = schema.inputs[min(place, len(schema.inputs) - 1)].types
        if name in types and types[name] not in allowed:
            return f"its {kind} does not take {types[name]}"
    return None


def without_effect(node: NodeProto, attribute: onnx.AttributeProto) -> bool:
    """Whether an attribute says what holds without it."""
    number = WITHOUT_EFFECT.get((node.op_type, attribute.name))
    if number is not None:
        return all(value == number for value in attribute.ints)
    known = onnx.defs.get_schema(node.op_type, NEWEST_OPSET, node.domain).attributes
    default = known[attribute.name].default_value if attribute.name in known else None
    return default is not None and onnx.helper.get_attribute_value(attribute) == _value(default)


def _value(default: onnx.AttributeProto) -> object:
    return onnx.helper.get_attribute_value(default) if default.type else None


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    """The kind of number of each tensor, as the specifications name them, such as "tensor(float)"."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    found = {
        value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)
    }
    found |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: f"tensor({TensorProto.DataType.Name(kind).lower()})" for name, kind in found.items() if kind}


def _drop_idle_allowzero(graph: onnx.GraphProto) -> None:
    """Take out an attribute of Reshape that the oldest sets do not know, where its shape is a constant without a zero."""
    shapes = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if (
            node.op_type == "Reshape"
            and node.input[1] in shapes
            and numpy_helper.to_array(shapes[node.input[1]]).all()
        ):
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)


def _name_empty_roi(graph: onnx.GraphProto) -> None:
    """Before set 13 the second input of Resize, which is read in one mode only, could not be left out."""
    left_out = [node for node in graph.node if node.op_type == "Resize" and not node.input[1]]
    for node in left_out:
        node.input[1] = "no_region"
    if left_out:
        graph.initializer.append(numpy_helper.from_array(np.zeros(0, np.float32), "no_region"))
