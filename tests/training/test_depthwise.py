import copy
import ctypes
import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from blazeface.models.blocks import SameConv2d, depthwise
from blazeface.models.network import build
from blazeface.training import compiler
from blazeface.training.depthwise import (
    KernelConv2d,
    _DepthwiseConv2d,
    accelerate,
    filter_gradient,
    load_kernel,
)

needs_kernel = pytest.mark.skipif(load_kernel() is None, reason="no C compiler on this machine")


def nhwc(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values).to(dtype).contiguous(memory_format=torch.channels_last)


@needs_kernel
def test_counts_the_overlaps_of_a_map_of_ones() -> None:
    # 3 x 3 ones, padded by one: a corner feeds_head meets 4 of the 9 outputs, an edge feeds_head 6, the middle one all.
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
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 99),
)
def test_equals_autograd_in_double_precision(
    batch: int,
    channels: int,
    sides: tuple[int, int],
    kernel: int,
    stride: int,
    pad: int,
    threads: int,
    dtype: torch.dtype,
    seed: int,
) -> None:
    height, width = (max(side, kernel - 2 * pad) for side in sides)
    x = nhwc(batch, channels, height, width, seed=seed, dtype=dtype)
    weight = torch.zeros(channels, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(channels, dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(x.double(), weight, bias, stride, pad, 1, channels)
    grad = nhwc(*answer.shape, seed=seed + 1, dtype=dtype)
    answer.backward(grad.double())  # type: ignore[no-untyped-call]
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
    plain = depthwise(channels, kernel, stride).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ours = accelerate(torch.nn.Sequential(copy.deepcopy(plain)))[0]
    assert type(ours) is KernelConv2d
    gradients = []
    for module in (plain, ours):
        x = nhwc(2, channels, side, side).requires_grad_()
        answer = module(x)
        answer.backward(nhwc(*answer.shape, seed=1))
        weight, bias = (module.get_parameter(name).grad for name in ("weight", "bias"))
        gradients.append((answer, x.grad, weight, bias))
    assert "_DepthwiseConv2d" in type(answer.grad_fn).__name__
    for mine, library in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, library, rtol=1e-5, atol=1e-4)


@needs_kernel
def test_a_whole_network_gets_the_same_gradients() -> None:
    torch.manual_seed(0)
    plain = build("front-128").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ours = accelerate(copy.deepcopy(plain))
    x = nhwc(2, 3, 128, 128)
    for network in (plain, ours):
        logits, regressions = network(x)
        (logits.square().mean() + regressions.square().mean()).backward()
    for (name, mine), (_, library) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        # A bias before batch norm has no effect: its gradient is rounding, as large as that of its sums.
        scale = max(library.grad.abs().max().item(), 1e-2)
        assert (mine.grad - library.grad).abs().max() < 1e-3 * scale, name


@needs_kernel
def test_autocast_trains_in_bfloat16() -> None:
    module = accelerate(torch.nn.Sequential(depthwise(16, 5)).to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    x = nhwc(2, 16, 12, 12)
    with torch.autocast("cpu", torch.bfloat16):
        answer = module(x)
    answer.float().sum().backward()
    assert answer.dtype == torch.bfloat16
    assert module[0].weight.grad.dtype == torch.float32
    torch.testing.assert_close(module[0].bias.grad, torch.full((16,), 288.0))  # 2 x 12 x 12 outputs each


@needs_kernel
def test_copies_pickles_and_folds_like_any_network() -> None:
    torch.manual_seed(0)
    network = build("paper-128").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    names, x = list(network.state_dict()), nhwc(1, 3, 128, 128)
    expected = copy.deepcopy(network).folded()(x)
    ours = accelerate(network)
    assert ours is network and list(ours.state_dict()) == names
    assert sum(isinstance(m, KernelConv2d) for m in ours.modules()) == 17
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), ours):
        assert sum(isinstance(m, KernelConv2d) for m in other.modules()) == 17
        for mine, library in zip(other.folded()(x), expected, strict=True):
            assert torch.equal(mine, library)


@needs_kernel
def test_export_sees_the_library_alone() -> None:
    module = accelerate(torch.nn.Sequential(depthwise(8, 5, 2))).eval()
    program = torch.export.export(module, (torch.zeros(1, 8, 8, 8),))
    assert [str(n.target) for n in program.graph.nodes if "conv" in str(n.target)] == ["aten.conv2d.default"]


@needs_kernel
def test_other_layouts_types_and_shapes_stay_with_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the kernel was used")

    monkeypatch.setattr(_DepthwiseConv2d, "apply", refuse)
    module = accelerate(torch.nn.Sequential(depthwise(8, 5)))
    module(torch.randn(2, 8, 6, 6)).sum().backward()  # NCHW
    module.requires_grad_(False)(nhwc(2, 8, 6, 6))
    module.requires_grad_(True).double()(nhwc(2, 8, 6, 6).double()).sum().backward()
    with torch.no_grad():
        module.float()(nhwc(2, 8, 6, 6))
    module.eval()(nhwc(2, 8, 6, 6))
    others = accelerate(torch.nn.Sequential(depthwise(8, 7), SameConv2d(8, 8, 5), SameConv2d(8, 8, 1)))
    assert all(type(m) is SameConv2d for m in others)
    with pytest.raises(AssertionError, match="the kernel was used"):
        module.train()(nhwc(2, 8, 6, 6))


@needs_kernel
def test_refuses_maps_that_do_not_belong_together() -> None:
    x = nhwc(2, 8, 6, 6)
    with pytest.raises(ValueError, match="does not belong"):
        filter_gradient(x, nhwc(2, 8, 5, 6), 5, 1, 2)
    with pytest.raises(ValueError, match="kernel 7"):
        filter_gradient(x, x, 7, 1, 3)
    with pytest.raises(ValueError, match="channels_last"):
        filter_gradient(torch.zeros(2, 8, 6, 6), x, 5, 1, 2)


def test_without_a_compiler_everything_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    load_kernel.cache_clear()
    try:
        with caplog.at_level(logging.INFO):
            network = accelerate(torch.nn.Sequential(depthwise(8, 5)))
            accelerate(network)
        assert type(network[0]) is SameConv2d
        assert [r.getMessage() for r in caplog.records] == [
            "depthwise filter gradients: the library's (no C compiler found)"
        ]
    finally:
        load_kernel.cache_clear()


def test_a_compiler_that_refuses_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'cc: no licence' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="refused: cc: no licence"):
        compiler.compile_library("depthwise.c")
    assert list((tmp_path / "cache" / "blazeface").iterdir()) == []


@needs_kernel
def test_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert isinstance(compiler.compile_library("depthwise.c"), ctypes.CDLL)
    (built,) = (tmp_path / "blazeface").iterdir()
    assert built.name.startswith("depthwise-") and built.suffix == ".so"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    compiler.compile_library("depthwise.c")
    monkeypatch.setattr(compiler, "cpu_name", lambda: "another processor")
    with pytest.raises(OSError, match="no C compiler"):
        compiler.compile_library("depthwise.c")
