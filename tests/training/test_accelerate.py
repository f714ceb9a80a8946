import copy
import logging
import pickle

import pytest
import torch
from torch import nn

from blazeface.models.blocks import ConvNorm, SameConv2d, depthwise
from blazeface.models.network import build
from blazeface.training import compiler
from blazeface.training.accelerate import accelerate
from blazeface.training.depthwise import KernelConv2d, _DepthwiseConv2d
from blazeface.training.joints import KernelConvNorm, KernelMaxPool2d
from blazeface.training.kernels import load_kernels
from tests.training.test_depthwise import nhwc

needs_kernels = pytest.mark.skipif(load_kernels("depthwise.c") is None, reason="no C compiler on this machine")
KINDS = (KernelConv2d, KernelConvNorm, KernelMaxPool2d)


def counts(network: nn.Module) -> list[int]:
    return [sum(type(m) is kind for m in network.modules()) for kind in KINDS]


@needs_kernels
def test_a_whole_network_gets_the_same_gradients() -> None:
    """Held against double precision: no farther from it than a few times the library's own rounding."""
    torch.manual_seed(0)
    plain = build("front-128").to(memory_format=torch.channels_last)
    ours, exact = accelerate(copy.deepcopy(plain)), copy.deepcopy(plain).double()
    x = nhwc(2, 3, 128, 128)
    for network, kind in ((plain, torch.float32), (ours, torch.float32), (exact, torch.float64)):
        logits, regressions = network(x.to(kind))
        (logits.square().mean() + regressions.square().mean()).backward()
    for (name, mine), library, wanted in zip(
        ours.named_parameters(), plain.parameters(), exact.parameters(), strict=True
    ):
        # A bias before batch norm has no effect: its gradient is rounding, as large as that of its sums.
        scale = max(wanted.grad.abs().max().item(), 1e-2)
        error = (mine.grad - wanted.grad).abs().max().item() / scale
        assert error < 3 * (library.grad - wanted.grad).abs().max().item() / scale + 1e-4, name
    for (name, mine), wanted in zip(ours.named_buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(mine.double(), wanted.double(), rtol=1e-4, atol=1e-5, msg=name)


@needs_kernels
def test_copies_pickles_and_folds_like_any_network() -> None:
    torch.manual_seed(0)
    network = build("front-128").to(memory_format=torch.channels_last)
    names, x = list(network.state_dict()), nhwc(1, 3, 128, 128)
    expected = copy.deepcopy(network).folded()(x)
    ours = accelerate(network)
    assert ours is network and list(ours.state_dict()) == names
    assert counts(ours) == [17, 18, 3]
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), ours):
        assert counts(other) == [17, 18, 3]
        for mine, library in zip(other.folded()(x), expected, strict=True):
            assert torch.equal(mine, library)


@needs_kernels
def test_export_sees_the_library_alone() -> None:
    module = accelerate(nn.Sequential(depthwise(8, 5, 2), nn.MaxPool2d(2))).eval()
    program = torch.export.export(module, (torch.zeros(1, 8, 8, 8),))
    called = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert called == ["aten.pad.default", "aten.conv2d.default", "aten.max_pool2d.default"]


@needs_kernels
def test_other_layouts_types_and_shapes_stay_with_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the kernel was used")

    monkeypatch.setattr(_DepthwiseConv2d, "apply", refuse)
    module = accelerate(nn.Sequential(depthwise(8, 5)))
    module(torch.randn(2, 8, 6, 6)).sum().backward()  # NCHW
    module.requires_grad_(False)(nhwc(2, 8, 6, 6))
    module.requires_grad_(True).double()(nhwc(2, 8, 6, 6).double()).sum().backward()
    with torch.no_grad():
        module.float()(nhwc(2, 8, 6, 6))
    module.eval()(nhwc(2, 8, 6, 6))
    with torch.autocast("cpu", torch.bfloat16):
        assert module.train()(nhwc(2, 8, 6, 6)).dtype == torch.bfloat16
    others = accelerate(nn.Sequential(depthwise(8, 7), SameConv2d(8, 8, 5), SameConv2d(8, 8, 1)))
    assert all(type(m) is SameConv2d for m in others)
    with pytest.raises(AssertionError, match="the kernel was used"):
        module.train()(nhwc(2, 8, 6, 6))


def test_without_a_compiler_everything_stays_as_it_was(monkeypatch, tmp_path, caplog) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    load_kernels.cache_clear()
    try:
        with caplog.at_level(logging.INFO):
            network = accelerate(nn.Sequential(depthwise(8, 5), ConvNorm(SameConv2d(8, 8, 1), norm=True)))
            accelerate(network)
        assert [type(m) for m in network] == [SameConv2d, ConvNorm]
        assert [r.getMessage() for r in caplog.records] == [
            "depthwise.c: the library's own way (no C compiler found)",
            "joints.c: the library's own way (no C compiler found)",
        ]
    finally:
        load_kernels.cache_clear()
