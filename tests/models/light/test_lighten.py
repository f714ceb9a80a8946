"""Dense convolutions exchanged: what is kept, what is left alone, how near the new ones come."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blazeface.models.blocks import SameConv2d
from blazeface.models.layouts import RULES
from blazeface.models.light.lighten import lighten
from blazeface.models.light.nearest import nearest_depthwise, nearest_factors, nearest_groups, nearest_separable

PaddingMode = Literal["zeros", "reflect", "circular"]


def stack(**options: Any) -> nn.Sequential:
    """A stem, a block of two in a list, a last layer."""
    block = nn.ModuleList([nn.Conv2d(8, 16, 3, padding=1, **options), nn.Conv2d(16, 16, 3, padding=1, **options)])
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Sequential(*block), nn.Conv2d(16, 4, 3, padding=1))


def convolutions(model: nn.Module) -> list[tuple[str, tuple[int, ...], int]]:
    return [(n, m.kernel_size, m.groups) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]


def test_each_rule_in_small() -> None:
    expected = {
        "separable": [("0.0", (3, 3), 8), ("0.1", (1, 1), 1), ("1.0", (3, 3), 16), ("1.1", (1, 1), 1)],
        "grouped": [("0", (3, 3), 4), ("1", (3, 3), 4)],
        "factorized": [("0.0", (1, 3), 1), ("0.1", (3, 1), 1), ("1.0", (1, 3), 1), ("1.1", (3, 1), 1)],
        "depthwise": [("0", (3, 3), 1), ("1", (3, 3), 16)],
    }
    for rule in RULES:
        model = stack()
        report = lighten(model, rule)
        assert convolutions(model[1]) == expected[rule], rule
        assert [change.layer for change in report.changes] == (["1.1"] if rule == "depthwise" else ["1.0", "1.1"])
        assert convolutions(model)[0] == ("0", (3, 3), 1) and convolutions(model)[-1] == ("2", (3, 3), 1)
        assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 8, 8)


@pytest.mark.parametrize("rule", RULES)
def test_a_second_call_does_nothing(rule: str) -> None:
    model = stack()
    assert lighten(model, rule, stem=True, last=True, groups=2).changes
    before = convolutions(model)
    again = lighten(model, rule, stem=True, last=True, groups=2)
    assert again.changes == () and convolutions(model) == before and again.parameters[0] == again.parameters[1]


def test_stem_last_and_predicate() -> None:
    model = stack()
    changed = lighten(model, "separable", stem=True, last=True, where=lambda name, layer: layer.in_channels != 8)
    assert [change.layer for change in changed.changes] == ["0", "1.1", "2"]
    with_linear = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 2))
    assert [change.layer for change in lighten(with_linear, "separable").changes] == ["1"]


@settings(max_examples=60, deadline=None)
@given(
    rule=st.sampled_from(["separable", "factorized", "depthwise", "grouped"]),
    kernel=st.sampled_from([(3, 3), (5, 3), (2, 3)]),
    stride=st.sampled_from([1, 2, (1, 2)]),
    padding=st.sampled_from([0, 1, (2, 0), "valid"]),
    dilation=st.sampled_from([1, 2, (1, 2)]),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    bias=st.booleans(),
    training=st.booleans(),
    trainable=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_all_that_a_layer_has_is_kept(
    rule: str, kernel: Any, stride: Any, padding: Any, dilation: Any, mode: PaddingMode, bias: bool,
    training: bool, trainable: bool, dtype: torch.dtype,
) -> None:  # fmt: skip
    old = nn.Conv2d(8, 8, kernel, stride, padding, dilation, 1, bias, mode).to(dtype)
    model = nn.Sequential(nn.Identity(), old).train(training).requires_grad_(trainable)
    x = torch.randn(2, 8, 16, 17, dtype=dtype)
    shape = model(x).shape
    lighten(model, rule, stem=True, last=True)
    answer = model(x)
    assert answer.shape == shape and answer.dtype == dtype
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all((layer.bias is not None) == bias for layer in layers)
    assert all(module.training == training for module in model.modules())
    assert all(p.requires_grad == trainable and p.dtype == dtype for p in model.parameters())


@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize("rule", ["separable", "factorized"])
def test_kernels_that_can_be_kept_are_kept_exactly(rule: str, mode: PaddingMode) -> None:
    """A kernel of rank one answers alike before and after, at every border, with stride, padding and dilation."""
    torch.manual_seed(1)
    old = nn.Conv2d(6, 10, 3, stride=2, padding=2, dilation=2, padding_mode=mode)
    rank_one = torch.randn(10, 6, 1, 1) * torch.randn(1, 6, 3, 3)
    if rule == "factorized":
        rank_one = torch.randn(10, 1, 3, 1) * torch.randn(1, 6, 1, 3)
    old.weight.data = rank_one
    model = nn.Sequential(old)
    x = torch.randn(2, 6, 15, 15)
    expected = model(x)
    report = lighten(model, rule, stem=True, last=True, init="svd")
    assert report.changes[0].error == pytest.approx(0, abs=1e-6)
    assert torch.allclose(model(x), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("rule", ["separable", "factorized"])
def test_same_padding_stays_same(rule: str, stride: int, kernel: int) -> None:
    torch.manual_seed(2)
    old = SameConv2d(4, 6, kernel, stride)
    if rule == "separable":
        old.weight.data = torch.randn(6, 4, 1, 1) * torch.randn(1, 4, kernel, kernel)
    else:
        old.weight.data = torch.randn(6, 1, kernel, 1) * torch.randn(1, 4, 1, kernel)
    model, x = nn.Sequential(old), torch.randn(1, 4, 8, 8)
    expected = model(x)
    lighten(model, rule, stem=True, last=True, init="svd")
    assert torch.allclose(model(x), expected, atol=1e-4)


def test_the_best_of_rank_one_by_alternating_least_squares() -> None:
    """A second way to the same factors, and no small change of them comes nearer."""
    torch.manual_seed(3)
    kernel = torch.randn(7, 5, 3, 3, dtype=torch.float64)
    _, rebuilt = nearest_separable(kernel.float())
    for channel in range(5):
        matrix = kernel[:, channel].reshape(7, 9)
        v = torch.ones(9, dtype=torch.float64)
        for _ in range(500):
            u = matrix @ v / (v @ v)
            v = matrix.T @ u / (u @ u)
        assert torch.allclose(rebuilt[:, channel].reshape(7, 9).double(), torch.outer(u, v), atol=1e-4)


def test_the_error_is_that_of_the_answers_over_white_noise() -> None:
    torch.manual_seed(4)
    old = nn.Conv2d(16, 16, 3, bias=False)
    model = nn.Sequential(old)
    x = torch.randn(64, 16, 12, 12)
    expected = model(x)
    error = lighten(model, "separable", stem=True, last=True, init="svd").changes[0].error
    measured = (model(x) - expected).norm() / expected.norm()
    assert error == pytest.approx(measured.item(), rel=0.05) and 0.3 < measured < 0.9


def test_nearest_factors_of_full_rank_rebuild_exactly() -> None:
    torch.manual_seed(5)
    kernel = torch.randn(8, 2, 3, 3)  # two groups of 4 out, 2 in: rank 6 at most, 4 kept
    (across, down), rebuilt = nearest_factors(kernel, groups=2)
    assert across.shape == (8, 2, 1, 3) and down.shape == (8, 4, 3, 1)
    x = torch.randn(1, 4, 9, 9)
    made = torch.conv2d(torch.conv2d(x, across, groups=2), down, groups=2)
    assert torch.allclose(made, torch.conv2d(x, rebuilt, groups=2), atol=1e-4)
    tall = torch.randn(12, 2, 3, 3)  # 6 channels between carry rank 6
    assert torch.allclose(nearest_factors(tall, groups=2)[1], tall, atol=1e-5)


def test_nearest_blocks_and_diagonal() -> None:
    kernel = torch.arange(16.0).reshape(4, 4, 1, 1)
    (blocks,), rebuilt = nearest_groups(kernel, 2)
    assert blocks.flatten().tolist() == [0, 1, 4, 5, 10, 11, 14, 15]
    assert rebuilt.flatten().tolist() == [0, 1, 0, 0, 4, 5, 0, 0, 0, 0, 10, 11, 0, 0, 14, 15]
    (diagonal,), dense = nearest_depthwise(blocks, 2)
    assert diagonal.flatten().tolist() == [0, 5, 10, 15]
    assert dense.flatten().nonzero().flatten().tolist() == [5, 10, 15]


def test_a_shared_layer_is_exchanged_once_for_one() -> None:
    shared = nn.Conv2d(4, 4, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), shared, nn.Sequential(nn.ReLU(), shared), nn.Conv2d(4, 1, 1))
    report = lighten(model, "separable")
    assert [change.layer for change in report.changes] == ["1"]
    assert model[1] is model.get_submodule("2.1") and isinstance(model[1], nn.Sequential)
    assert report.parameters == (sum([16, 148, 5]), sum([16, 60, 5]))


def test_classes_of_others_are_left_alone() -> None:
    class Odd(nn.Conv2d):
        pass

    model = nn.Sequential(nn.Conv2d(3, 4, 3), Odd(4, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3))
    assert lighten(model, "separable").changes == ()
    with pytest.raises(ValueError, match="single convolution"):
        lighten(nn.Conv2d(3, 3, 3), "separable")
    with pytest.raises(ValueError, match="unknown rule"):
        lighten(model, "thin")
    with pytest.raises(ValueError, match="init"):
        lighten(model, "grouped", init="zeros")


def test_the_report_counts_and_prints() -> None:
    model = stack()
    report = lighten(model, "separable", init="svd", example=torch.zeros(1, 3, 8, 8))
    assert report.changes[0].parameters == (1168, 224) and report.changes[0].macs == (73_728, 12_800)
    table = report.markdown().splitlines()
    assert table[2].startswith("| 1.0 | separable | 1,168 | 224 | 73,728 | 12,800 | 0.")
    assert table[-1].startswith(f"| whole network |  | {report.parameters[0]:,} | {report.parameters[1]:,} |")
    assert report.macs is not None and report.macs[0] - report.macs[1] == 73_728 - 12_800 + 147_456 - 25_600


def test_a_norm_between_starts_as_nothing() -> None:
    torch.manual_seed(6)
    model = stack().eval()
    plain = stack().eval()
    plain.load_state_dict(model.state_dict())
    lighten(model, "separable", init="svd", between="norm")
    lighten(plain, "separable", init="svd")
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(model(x), plain(x), atol=1e-4)
    assert isinstance(model.get_submodule("1.0.0.1"), nn.BatchNorm2d)
