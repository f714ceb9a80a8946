"""OpenVINO's .xml files: layers, shapes and cost, computed from the text and its small constants."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.guard import UnlistedModel
from blazeface.guard.openvino_check import check_openvino

CONSTANTS = struct.pack("<4q", 1, 8, 16, 16) + struct.pack("<2q", 0, -1) + bytes(4 * 8 * 3 * 3 * 3)
"""A shape, a shape, and the weights of eight filters of 3 x 3 over three channels."""


def network(*layers: str, edges: str = "", shape: str = "?,3,32,32") -> str:
    parameter = layer(0, "Parameter", f'<data shape="{shape}" element_type="f32"/>', 0)
    lines = "".join(
        f'<edge from-layer="{a}" from-port="9" to-layer="{b}" to-port="{port}"/>'
        for a, b, port in (edge.split("-") for edge in edges.split())
    )
    return f'<net name="x"><layers>{parameter}{"".join(layers)}</layers><edges>{lines}</edges></net>'


def layer(number: int, kind: str, data: str = "", inputs: int = 1, version: str = "opset1") -> str:
    ports = "".join(f'<port id="{port}"/>' for port in range(inputs))
    return (
        f'<layer id="{number}" type="{kind}" version="{version}">{data}<input>{ports}</input>'
        f'<output><port id="9"/></output></layer>'
    )


def const(number: int, shape: str, offset: int, size: int, kind: str = "f32") -> str:
    data = f'<data element_type="{kind}" shape="{shape}" offset="{offset}" size="{size}"/>'
    return layer(number, "Const", data, 0)


WEIGHTS = const(1, "8, 3, 3, 3", 48, 864)
CONV = layer(
    2,
    "Convolution",
    '<data strides="2, 2" pads_begin="1, 1" pads_end="1, 1" dilations="1, 1" auto_pad="explicit"/>',
    2,
)
EDGES = "0-2-0 1-2-1"


def checked(folder: Path, text: str) -> None:
    (folder / "x.bin").write_bytes(CONSTANTS)
    (folder / "x.xml").write_text(text)
    check_openvino(folder / "x.xml")


def test_a_convolution_is_accepted(tmp_path: Path) -> None:
    checked(tmp_path, network(WEIGHTS, CONV, layer(3, "ReLU"), edges=f"{EDGES} 2-3-0"))


def test_shapes_follow_from_the_file(tmp_path: Path) -> None:
    reshape = layer(4, "Reshape", '<data special_zero="false"/>', 2)
    right = network(
        WEIGHTS, CONV, const(3, "4", 0, 32, "i64"), reshape, edges=f"{EDGES} 2-4-0 3-4-1", shape="1,3,32,32"
    )
    checked(tmp_path, right)  # 8 filters at 16 x 16
    with pytest.raises(UnlistedModel, match="Reshape of"):
        checked(tmp_path, right.replace("1,3,32,32", "1,3,34,32"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (network(layer(2, "Loop", "<body/>")), "the layer 'Loop'"),
        (network(layer(2, "ReadValue"), edges="0-2-0"), "the layer 'ReadValue'"),
        (network(layer(2, "Add", "<body/>", 2)), "the layer 'Add' of another kind"),
        (network(layer(2, "ReLU", version="extension"), edges="0-2-0"), "the layer 'ReLU' of another kind"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + network(), "an XML file with comments, entities"),
        (network(layer(2, "Add", "", 2), edges="0-2-0"), "Add with 2 inputs"),
        (network(layer(2, "ReLU"), edges="5-2-0"), "which nothing before it makes"),
        (network(WEIGHTS, CONV, edges=f"{EDGES} 0-2-1"), "an input that is fed twice"),
        (network(WEIGHTS, CONV, edges=EDGES, shape="?,4,32,32"), "Conv of"),
        (network(WEIGHTS, CONV.replace("explicit", "same_upper"), edges=EDGES), "auto_pad = 'same_upper'"),
        (network(WEIGHTS, CONV.replace('"1, 1" pads_end', '"1, 70" pads_end'), edges=EDGES), "pads = "),
        (network(WEIGHTS.replace('size="864"', 'size="860"'), CONV, edges=EDGES), "a constant"),
        (
            network(WEIGHTS.replace('offset="48"', 'offset="52"'), CONV, edges=EDGES),
            r"which the \.bin file does not hold",
        ),
        (network().replace("<edges>", "<!-- --><edges>"), "an XML file with comments"),
        ('<?xml version="1.0" encoding="latin-1"?>' + network(), "an XML file with comments"),
        (network().replace("<edges>", "<edges/><edges>"), "'net' with two parts of one name"),
        (network(layer(2, "ReLU", "<data/><data/>"), edges="0-2-0"), "'layer' with two parts of one name"),
        (
            network(layer(2, "ReLU").replace('id="2"', 'id="02"'), edges="0-2-0"),
            "'02' where the number of a layer",
        ),
        (network(WEIGHTS, CONV.replace('"2, 2"', '"1_6, 2"'), edges=EDGES), "strides = '1_6, 2'"),
        (network(WEIGHTS, CONV.replace('"2, 2"', '"\u0662, 2"'), edges=EDGES), "strides = "),
        (
            network(WEIGHTS.replace('offset="48"', 'offset="4_8"'), CONV, edges=EDGES),
            "where a whole number stands",
        ),
        (network(WEIGHTS.replace("8, 3, 3, 3", "8, 3, -3, -3"), CONV, edges=EDGES), "the shape"),
        (network(layer(2, "ReLU", '<data power="1"/>'), edges="0-2-0"), "ReLU with the attribute 'power'"),
        (network(layer(2, "ReLU"), edges="0-2-0", shape="?,3,9000,9000"), "numbers, more than"),
        (
            network(
                const(1, "2", 32, 16, "i64"), layer(2, "Broadcast", '<data mode="numpy"/>', 2), edges="0-2-0 1-2-1"
            ),
            "Broadcast to",
        ),
    ],
)
def test_others_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnlistedModel, match=words):
        checked(tmp_path, text)


@pytest.mark.parametrize("text", ["<net>", "no XML", "<a>" * 3000])
def test_what_is_no_xml_is_damaged(text: str, tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"x\.xml: not an OpenVINO file, or a damaged one"):
        checked(tmp_path, text)
