import copy
import ctypes

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from blazeface.models.blocks import depthwise
from blazeface.training import compiler
from blazeface.training.accelerate import accelerate
from blazeface.training.depthwise import SOURCE, KernelConv2d, convolve, filter_gradient
from blazeface.training.kernels import load_kernels

needs_kernel = pytest.mark.skipif(load_kernels(SOURCE) is None, reason="no C compiler on this machine")


def nhwc(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values).contiguous(memory_format=torch.channels_last)


@needs_kernel
def test_filters_literally() -> None:
    # 3 x 3 numbers 1 to 9; the filter takes twice the pixel and adds its left neighbour; the bias is a half.
    x = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    weight = torch.tensor([[0.0, 0, 0], [1, 2, 0], [0, 0, 0]]).reshape(1, 1, 3, 3)
    answer = convolve(x, weight, torch.tensor([0.5]), (3, 3), stride=1, pad=1)
    assert answer[0, 0].tolist() == [[2.5, 5.5, 8.5], [8.5, 14.5, 17.5], [14.5, 23.5, 26.5]]
    # Spread by two, every other row and column is zero.
    corner = x[:, :, :2, :2].contiguous(memory_format=torch.channels_last)
    spread = convolve(corner, weight, None, (3, 3), stride=1, pad=1, spread=2)
    assert spread[0, 0].tolist() == [[2, 1, 4], [0, 0, 0], [8, 4, 10]]


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.integers(1, 40),
    sides=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]),
    pad=st.integers(0, 3),
    spread=st.sampled_from([1, 2]),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_convolves_as_the_library_in_double_precision(
    batch, channels, sides, kernel, stride, pad, spread, threads, seed
):
    x = nhwc(batch, channels, *sides, seed=seed)
    weight, bias = nhwc(channels, 1, kernel, kernel, seed=seed + 1).contiguous(), torch.randn(channels)
    wide = torch.zeros(batch, channels, *[(side - 1) * spread + 1 for side in sides], dtype=torch.float64)
    wide[:, :, ::spread, ::spread] = x
    # More zeros to the right and below than any output needs: their number is for the caller to choose.
    wide = F.pad(wide, (pad, kernel + 3, pad, kernel + 3))
    expected = F.conv2d(wide, weight.double(), bias.double(), stride, 0, 1, channels)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = convolve(x, weight, bias, expected.shape[2:], stride, pad, spread)
    finally:
        torch.set_num_threads(before)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


@needs_kernel
def test_counts_the_overlaps_of_a_map_of_ones() -> None:
    # 3 x 3 ones, padded by one: a corner tap meets 4 of the 9 outputs, an edge tap 6, the middle one all.
    ones = torch.ones(1, 1, 3, 3)
    weight, bias = filter_gradient(ones, ones, kernel=3, stride=1, pad=1)
    assert weight[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    assert bias.tolist() == [9]


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 5),
    channels=st.integers(1, 40),
    sides=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]),
    pad=st.integers(0, 3),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_equals_autograd_in_double_precision(batch, channels, sides, kernel, stride, pad, threads, seed):
    sides = tuple(max(side, kernel - 2 * pad) for side in sides)
    x = nhwc(batch, channels, *sides, seed=seed)
    weight = torch.zeros(channels, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(channels, dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(x.double(), weight, bias, stride, pad, 1, channels)
    grad = nhwc(*answer.shape, seed=seed + 1)
    answer.backward(grad.double())
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = filter_gradient(x, grad, kernel, stride, pad)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[0].double(), weight.grad, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found[1].double(), bias.grad, rtol=1e-5, atol=1e-4)


@needs_kernel
@pytest.mark.parametrize(
    "channels, kernel, stride, side", [(24, 5, 1, 16), (19, 5, 2, 14), (7, 3, 2, 8), (1, 3, 1, 5)]
)
def test_a_convolution_trains_as_before(channels: int, kernel: int, stride: int, side: int) -> None:
    plain = depthwise(channels, kernel, stride).to(memory_format=torch.channels_last)
    ours = accelerate(torch.nn.Sequential(copy.deepcopy(plain)))[0]
    assert type(ours) is KernelConv2d
    gradients = []
    for module in (plain, ours):
        x = nhwc(2, channels, side, side).requires_grad_()
        answer = module(x)
        answer.backward(nhwc(*answer.shape, seed=1))
        gradients.append((answer, x.grad, module.weight.grad, module.bias.grad))
    assert "_DepthwiseConv2d" in type(answer.grad_fn).__name__
    for mine, library in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, library, rtol=1e-5, atol=1e-4)


@needs_kernel
def test_refuses_maps_that_do_not_belong_together() -> None:
    x = nhwc(2, 8, 6, 6)
    with pytest.raises(ValueError, match="does not belong"):
        filter_gradient(x, nhwc(2, 7, 6, 6), 5, 1, 2)
    with pytest.raises(ValueError, match="kernel 7"):
        filter_gradient(x, x, 7, 1, 3)
    with pytest.raises(ValueError, match="channels_last"):
        filter_gradient(torch.zeros(2, 8, 6, 6), x, 5, 1, 2)
    with pytest.raises(ValueError, match="float32"):
        convolve(x.double(), torch.zeros(8, 1, 5, 5), None, (6, 6), 1, 2)


def test_a_compiler_that_refuses_leaves_nothing_behind(monkeypatch, tmp_path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'cc: no licence' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="refused: cc: no licence"):
        compiler.compile_library("depthwise.c")
    assert list((tmp_path / "cache" / "blazeface").iterdir()) == []


@needs_kernel
def test_is_compiled_once(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert isinstance(compiler.compile_library("depthwise.c"), ctypes.CDLL)
    (built,) = (tmp_path / "blazeface").iterdir()
    assert built.name.startswith("depthwise-") and built.suffix == ".so"
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    compiler.compile_library("depthwise.c")
    monkeypatch.setattr(compiler, "cpu_name", lambda: "another processor")
    with pytest.raises(OSError, match="no C compiler"):
        compiler.compile_library("depthwise.c")
