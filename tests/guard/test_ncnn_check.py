"""ncnn's .param files: layers, settings, shapes and cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from blazeface.guard import UnlistedModel
from blazeface.guard.ncnn_check import _check_layer, _permute, _reshape, check_ncnn

PLENTY = 1 << 30
"""Bytes of weights."""

GOOD = [
    "Input in0 0 1 in0",
    "Split s 1 2 in0 a b",
    "Convolution c 1 1 a c 0=8 1=3 11=3 3=2 13=2 4=1 5=1 6=216 9=1",  # 8 x 3 x 3 x 3 weights
    "ConvolutionDepthWise d 1 1 c d 0=8 1=5 4=2 5=1 6=200 7=8",
    "Pooling p 1 1 b p 0=0 1=2 2=2 5=1",
    "Padding q 1 1 p q 7=0 8=5",
    "BinaryOp e 2 1 d q e 0=0",
    "ReLU r 1 1 e r",
    "Permute t 1 1 r t 0=3",
    "Reshape u 1 1 t u 0=8 1=-1",
    "Flatten v 1 1 r v",
    "Concat w 1 1 v out0 0=0",
    "Concat x 1 1 u out1 0=0",
]


def test_layers_of_a_detector_are_accepted() -> None:
    check_ncnn(Path("x.param"), GOOD, 32, PLENTY)


def test_shapes_are_those_that_ncnn_computes() -> None:
    known: dict[str, tuple[int, ...]] = {}
    for line in GOOD:
        _check_layer(line.split(), known, 32)
    assert known["c"] == (8, 16, 16)  # 8 filters, stride 2
    assert known["d"] == (8, 16, 16)
    assert known["p"] == (3, 16, 16)
    assert known["q"] == (8, 16, 16)  # five channels of zeros behind the three
    assert known["t"] == (16, 16, 8)
    assert known["u"] == (256, 8)
    assert known["out0"] == (2048,)


@pytest.mark.parametrize(
    ("place", "line", "words"),
    [
        (2, "Convolution c 0 1 c 0=8", "Convolution with 0 inputs and 1 outputs"),
        (2, "Convolution c 2 1 a b c 0=8", "Convolution with 2 inputs"),
        (2, "Convolution c 1 0 a", "Convolution with 1 inputs and 0 outputs"),
        (6, "BinaryOp e 3 1 d q p e 0=0", "BinaryOp with 3 inputs"),
        (6, "Eltwise e 1 1 d e 0=0", "Eltwise of one input"),  # ncnn reads a second one, and dies
        (6, "LSTM e 1 1 d e", "the layer 'LSTM'"),
        (2, "Convolution c 1 1 zz c", "reads what is not made yet"),
        (2, "Convolution c 1 1 a b", "makes what is there"),
        (2, "Convolution c 1 1 a c 0=8 1=3 6=217", "whose weights are not"),
        (2, "Convolution c 1 1 a c 0=8 1=65 6=101400", "the setting 1 = 65"),
        (2, "Convolution c 1 1 a c 0=8 1=3 6=216 19=1", "Convolution with the setting 19"),  # weights from a blob
        (2, "Convolution c 1 1 a c 0=8 1=3 4=-233 6=216", "the setting 4 = -233"),
        (2, "Convolution c 1 1 a c 0=8 1=40 6=38400", "a window of 40 over 32 pixels"),
        (3, "ConvolutionDepthWise d 1 1 c d 0=8 1=5 4=2 6=200 7=3", "8 filters in 3 groups"),
        (4, "Pooling p 1 1 b p 0=0 1=2 2=2 3=2", "padding is as wide as its window"),
        (4, "Pooling p 1 1 b p 0=0 7=1 8=30000 18=30000", "Pooling with the setting 7"),
        (5, "Padding q 1 1 p q 0=65", "the setting 0 = 65"),
        (6, "BinaryOp e 2 1 d p e 0=0", "shapes that do not go together"),
        (8, "Permute t 1 1 r t 0=6", "the setting 0 = 6"),
        (9, "Reshape u 1 1 t u 0=7 1=-1", "Reshape of"),
        (9, "Reshape u 1 1 t u 0=8 1=300", "Reshape of"),
        (11, "Concat w 2 1 v u out0 0=0", "a concatenation of"),
        (11, "Slice w 1 1 v out0 -23300=1,3000", "Slice of"),
        (11, "Interp w 1 1 e out0 0=1 1=1e9 2=1e9", "Interp by"),
        (11, "Interp w 1 1 e out0 0=1 1=2 2=2", "Interp by 2"),  # ncnn would read the integer's bits as a float
        (2, "Convolution c 1 1 a c 0=8.0 1=3 6=216", r"the setting 0 = 8\.0"),  # and the float's as an integer
        (2, "Convolution c 1 1 a c 0=0_8 1=3 6=216", "the value '0_8'"),
        (2, "Convolution c 1 1 a c 0=+8 1=3 6=216", "the value"),
        (
            2,
            "Convolution c 1 1 a c 0=0000000000000008 1=3 6=216",
            "the value",
        ),  # of which it would read 15 characters
        (2, "Convolution c 1 1 a c 0=8 1=3 6=216 0=4", "the setting 0 twice"),
        (2, "Convolution c 1 1 a c 0=8 1=3 6=216 -23300=1,4", "the setting -23300 twice"),
        (2, "Convolution c 1 1 a c 0=8 1=3 6=216 9=nan", "the value 'nan'"),
        (2, "Convolution c 1 1 a c 0=8 1=3 6=216 \u0661=3", "where a whole number stands"),
        (11, "InnerProduct w 1 1 v out0 0=4 2=5", "InnerProduct of"),
        (12, "Noop x 1 1 u elsewhere", "without the outputs"),
    ],
)
def test_others_are_refused(place: int, line: str, words: str) -> None:
    with pytest.raises(UnlistedModel, match=words):
        check_ncnn(Path("x.param"), [*GOOD[:place], line, *GOOD[place + 1 :]], 32, PLENTY)


def test_a_network_that_costs_too_much_is_refused() -> None:
    wide = [
        "Input in0 0 1 in0",
        "Convolution a 1 1 in0 a 0=2048 1=1 6=6144",
        "Convolution b 1 1 a b 0=2048 1=3 4=1 6=37748736",
    ]
    with pytest.raises(UnlistedModel, match="multiply-accumulates in a run"):
        check_ncnn(Path("x.param"), wide, 64, PLENTY)


def test_more_weights_than_the_file_holds() -> None:
    with pytest.raises(UnlistedModel, match=r"416 weights, more than x\.bin holds"):
        check_ncnn(Path("x.param"), GOOD, 32, 831)
    check_ncnn(Path("x.param"), GOOD, 32, 832)


@pytest.mark.parametrize(
    ("order", "shape"),
    [(0, (2, 3, 4)), (1, (2, 4, 3)), (2, (3, 2, 4)), (3, (3, 4, 2)), (4, (4, 2, 3)), (5, (4, 3, 2))],
)
def test_orders_of_permute(order: int, shape: tuple[int, ...]) -> None:
    """ncnn's table: 0 whc, 1 hwc, 2 wch, 3 cwh, 4 hcw, 5 chw, the innermost axis first; here (channels, height, width)."""
    assert _permute([(2, 3, 4)], {0: order})[0] == [shape]


def test_a_reshape_infers_one_side() -> None:
    assert _reshape([(4, 5, 6)], {0: 8, 1: -1})[0] == [(15, 8)]
    assert _reshape([(4, 5, 6)], {0: 120})[0] == [(120,)]
