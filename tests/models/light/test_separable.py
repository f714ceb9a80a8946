"""The depthwise-separable convolution with its options: structure, counts, and `lighten` with the same option."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blazeface.models.layouts import BETWEEN
from blazeface.models.light.lighten import lighten
from blazeface.models.light.separable import compared, depthwise_separable


def kinds(module: nn.Module) -> list[str]:
    """Leaf layers in order; a convolution with its kernel, groups and bias."""
    return [
        f"conv {m.kernel_size[0]} {m.groups} {m.bias is not None}"
        if isinstance(m, nn.Conv2d)
        else type(m).__name__
        for m in module.modules()
        if not list(m.children())
    ]


def test_what_stands_between_and_after() -> None:
    assert kinds(depthwise_separable(4, 6, 3)) == ["conv 3 4 True", "conv 1 1 True"]
    assert kinds(depthwise_separable(4, 6, 5, bias=False, between="norm")) == [
        "conv 5 4 False",
        "BatchNorm2d",
        "conv 1 1 False",
    ]
    keypoints = depthwise_separable(4, 6, 3, stride=2, between="norm-relu", norm_after=True)
    assert kinds(keypoints) == ["conv 3 4 True", "BatchNorm2d", "ReLU", "conv 1 1 True", "BatchNorm2d"]
    assert keypoints(torch.zeros(2, 4, 8, 8)).shape == (2, 6, 4, 4)
    with pytest.raises(ValueError, match="not 'relu'"):
        depthwise_separable(4, 6, 3, between="relu")


def test_the_published_pair() -> None:
    dense, light = compared(64, 128, 3, (32, 32), bias=True)
    assert (dense.macs, dense.parameters) == (75_497_472, 73_856)
    assert (light.macs, light.parameters) == (8_978_432, 8_960)


@settings(max_examples=30, deadline=None)
@given(
    wide=st.integers(2, 40),
    out=st.integers(1, 40),
    kernel=st.sampled_from([1, 2, 3, 5, 7]),
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    bias=st.booleans(),
)
def test_counts_follow_the_formula(wide: int, out: int, kernel: int, rows: int, columns: int, bias: bool) -> None:
    dense, light = compared(wide, out, kernel, (rows, columns), bias)
    cells, square = rows * columns, kernel**2
    assert dense.macs == wide * square * out * cells and dense.parameters == wide * square * out + bias * out
    assert light.macs == (wide * square + wide * out) * cells
    assert light.parameters == wide * square + wide * out + bias * (wide + out)
    assert light.macs / dense.macs == pytest.approx(1 / out + 1 / square)


@pytest.mark.parametrize("rule", ["separable", "factorized"])
def test_lighten_takes_the_same_option(rule: str) -> None:
    found = {}
    for between in BETWEEN:
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1))
        lighten(model, rule, between=between)
        found[between] = [kind for kind in kinds(model[1]) if not kind.startswith("conv")]
    assert found == {"nothing": [], "norm": ["BatchNorm2d"], "norm-relu": ["BatchNorm2d", "ReLU"]}


def test_lighten_refuses_what_cannot_be() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1))
    with pytest.raises(ValueError, match="between must be one of"):
        lighten(model, "separable", between="gelu")
    with pytest.raises(ValueError, match="no ReLU may interrupt"):
        lighten(model, "separable", between="norm-relu", init="svd")
