"""OpenVINO's and ncnn's files by the kinds and the arity of their layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.guard import UnlistedModel
from blazeface.guard.layer_lists import check_ncnn, check_openvino

LAYERS = '<net name="x"><layers><layer id="0" type="Parameter"/><layer id="1" type="{kind}">{inner}</layer></layers></net>'


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_layers_of_a_detector_are_accepted(tmp_path: Path) -> None:
    check_openvino(written(tmp_path / "x.xml", LAYERS.format(kind="Convolution", inner="")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAYERS.format(kind="Loop", inner="<body/>"), "the layer 'Loop'"),
        (LAYERS.format(kind="ReadValue", inner=""), "the layer 'ReadValue'"),
        (LAYERS.format(kind="Add", inner="<body/>"), "the layer 'Add'"),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]>' + LAYERS.format(kind="Add", inner="&a;"),
            "an XML file that defines entities",
        ),
    ],
)
def test_others_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnlistedModel, match=words):
        check_openvino(written(tmp_path / "x.xml", text))


@pytest.mark.parametrize("text", ["<net>", "no XML", "<a>" * 3000])
def test_what_is_no_xml_is_damaged(text: str, tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"x\.xml: not an OpenVINO file, or a damaged one"):
        check_openvino(written(tmp_path / "x.xml", text))


GOOD = [
    "Input in0 0 1 in0",
    "Split s 1 2 in0 a b",
    "Convolution c 1 1 a c 0=8",
    "BinaryOp d 2 1 b c d 0=0",
    "ReLU e 1 1 d out0",
]


def test_ncnn_layers_of_a_detector_are_accepted() -> None:
    check_ncnn(Path("x.param"), GOOD)


@pytest.mark.parametrize(
    ("place", "line", "words"),
    [
        (2, "Convolution c 0 1 c 0=8", "Convolution with 0 inputs and 1 outputs"),
        (2, "Convolution c 2 1 a b c 0=8", "Convolution with 2 inputs"),
        (2, "Convolution c 1 0 a", "Convolution with 1 inputs and 0 outputs"),
        (3, "BinaryOp d 3 1 a b c d", "BinaryOp with 3 inputs"),
        (3, "LSTM d 1 1 c d", "the layer 'LSTM'"),
        (2, "Convolution c 1 1 d c", "reads what is not made yet"),
        (2, "Convolution c 1 1 a b", "makes what is there"),
    ],
)
def test_ncnn_layers_of_another_arity_are_refused(place: int, line: str, words: str) -> None:
    with pytest.raises(UnlistedModel, match=words):
        check_ncnn(Path("x.param"), [*GOOD[:place], line, *GOOD[place + 1 :]])
