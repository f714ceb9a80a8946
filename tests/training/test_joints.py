import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from blazeface.models.blocks import ConvNorm, SameConv2d
from blazeface.training.accelerate import accelerate
from blazeface.training.joints import SOURCE, KernelConvNorm, KernelMaxPool2d, _Join, _Pool
from blazeface.training.kernels import load_kernels

pytestmark = pytest.mark.skipif(load_kernels(SOURCE) is None, reason="no C compiler on this machine")


def nhwc(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values).contiguous(memory_format=torch.channels_last)


def test_joins_literally() -> None:
    # Two pixels, 1 and 3: mean 2, deviation 1. Normalised -1 and 1, doubled and raised by one: -1 and 3.
    x = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2)
    weight, bias = torch.tensor([2.0]), torch.tensor([1.0])
    answer, mean, variance = _Join.apply(x, weight, bias, None, 0.0)
    assert answer.flatten().tolist() == [0, 3] and (mean.item(), variance.item()) == (2, 1)
    answer, _, _ = _Join.apply(x, weight, bias, torch.tensor([1.5, -1.0]).reshape(1, 1, 1, 2), 0.0)
    assert answer.flatten().tolist() == [0.5, 2]


@settings(max_examples=50, deadline=None)
@given(
    batch=st.integers(1, 5),
    channels=st.integers(1, 40),
    sides=st.tuples(st.integers(3, 9), st.integers(4, 9)),
    shortcut=st.booleans(),
    threads=st.sampled_from([1, 2]),
    middle=st.sampled_from([0.0, 300.0]),
    seed=st.integers(0, 99),
)
def test_joins_as_autograd_in_double_precision(batch, channels, sides, shortcut, threads, middle, seed):
    """Also around a mean that is large beside the deviation, where sums of squares would lose all digits."""
    x, beside = nhwc(batch, channels, *sides, seed=seed), nhwc(batch, channels, *sides, seed=seed + 1)
    weight, bias = torch.rand(channels) + 0.5, torch.randn(channels)
    x += middle
    results = []
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for kind in (torch.float32, torch.float64):
            leaves = [t.detach().to(kind).requires_grad_() for t in (x, weight, bias, beside)]
            other = leaves[3] if shortcut else None
            if kind == torch.float32:
                answer, mean, variance = _Join.apply(*leaves[:3], other, 1e-5)
            else:
                mean, variance = leaves[0].mean((0, 2, 3)), leaves[0].var((0, 2, 3), correction=0)
                answer = F.batch_norm(leaves[0], None, None, leaves[1], leaves[2], True, eps=1e-5)
                answer = F.relu(answer + other if shortcut else answer)
            answer.backward(nhwc(*answer.shape, seed=seed + 2).to(kind))
            results.append([answer, mean, variance, *(leaf.grad for leaf in leaves[: 3 + shortcut])])
    finally:
        torch.set_num_threads(before)
    # A value within rounding of zero may fall on either side of the ReLU: there gradients differ by a whole step.
    unsure = (results[1][0] - results[0][0].double()).abs() > 1e-3
    assert not unsure.any()
    edge = ((results[1][0] > 0) != (results[0][0] > 0)).any()
    for mine, exact in zip(*results, strict=True):
        if not edge:
            torch.testing.assert_close(
                mine.double(), exact, rtol=2e-3 if middle else 1e-4, atol=2e-3 if middle else 1e-4
            )


def test_a_layer_trains_as_before_and_keeps_its_statistics() -> None:
    torch.manual_seed(0)
    plain = ConvNorm(SameConv2d(7, 12, 1), norm=True).to(memory_format=torch.channels_last)
    ours = accelerate(copy.deepcopy(plain))
    assert type(ours) is KernelConvNorm
    for step in range(3):
        for layer in (plain, ours):
            x, shortcut = nhwc(3, 7, 6, 6, seed=step), nhwc(3, 12, 6, 6, seed=9)
            layer.rectify(x, shortcut).square().mean().backward()
    assert ours[1].num_batches_tracked == 3
    for (name, mine), library in zip(ours.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, library, msg=name)
    for mine, library in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, library.grad, rtol=1e-4, atol=1e-5)
    x = nhwc(2, 7, 4, 4)
    torch.testing.assert_close(ours.eval().rectify(x), plain.eval().rectify(x))


def test_what_is_not_a_number_shows() -> None:
    """A network that has gone wrong must be noticed, so the ReLU lets it through."""
    x = nhwc(1, 2, 2, 2)
    x[0, 1, 0, 0] = float("nan")
    answer, _, _ = _Join.apply(x, torch.ones(2), torch.zeros(2), None, 1e-5)
    assert answer[0, 1].isnan().all() and not answer[0, 0].isnan().any()


def test_a_pool_gives_the_gradient_to_the_first_of_equals() -> None:
    x = torch.tensor([[1.0, 2, 5, 5], [2, 0, 5, 5]]).reshape(1, 1, 2, 4).requires_grad_()
    answer = _Pool.apply(x)
    assert answer.flatten().tolist() == [2, 5]
    answer.backward(torch.tensor([10.0, 20]).reshape(1, 1, 1, 2))
    assert x.grad.reshape(2, 4).tolist() == [[0, 10, 20, 0], [0, 0, 0, 0]]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_pools_as_the_library(batch, channels, height, width, seed):
    # Whole numbers, so that equals are common.
    values = nhwc(batch, channels, 2 * height, 2 * width, seed=seed).round()
    grad = nhwc(batch, channels, height, width, seed=seed + 1)
    answers = []
    for pool in (nn.MaxPool2d(2), accelerate(nn.Sequential(nn.MaxPool2d(2)))[0]):
        x = values.clone(memory_format=torch.channels_last).requires_grad_()
        answer = pool(x)
        answer.backward(grad)
        answers.append((answer, x.grad))
    assert type(pool) is KernelMaxPool2d and "_Pool" in type(answer.grad_fn).__name__
    for mine, library in zip(*answers, strict=True):
        assert torch.equal(mine, library)


def test_odd_maps_other_pools_and_other_layouts_stay_with_the_library() -> None:
    pool = accelerate(nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(3, 2), nn.MaxPool2d(2, ceil_mode=True)))
    assert [type(m) for m in pool] == [KernelMaxPool2d, nn.MaxPool2d, nn.MaxPool2d]
    for x in (nhwc(1, 3, 5, 4), torch.randn(1, 3, 4, 4), nhwc(1, 3, 4, 4).double()):
        assert "_Pool" not in type(pool[0](x.requires_grad_()).grad_fn).__name__
    layer = accelerate(ConvNorm(SameConv2d(3, 3, 1), norm=True).to(memory_format=torch.channels_last))
    for x in (nhwc(1, 3, 1, 1).expand(2, 3, 1, 1), nhwc(2, 3, 4, 4)):
        with torch.no_grad():
            assert torch.isfinite(layer.rectify(x)).all()
    layer.requires_grad_(False)
    assert not layer.rectify(nhwc(2, 3, 4, 4)).requires_grad
