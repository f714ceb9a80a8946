"""Faster training on a CPU: an own kernel for the filter gradients of depthwise convolutions.

For the filter of a 5 x 5 depthwise convolution in channels_last format the library needs 6 to 22 times as
long as for the forward pass of the same layer, the kernel about one to two times (front-128, float32, one
thread). `accelerate` replaces that one gradient; the forward pass and the gradient of the input stay the
library's. The kernel (depthwise.c) is compiled once for the machine at hand, with the C compiler that the
system has. Without a compiler, or for maps it is not made for, everything is as before.

    network = accelerate(network)      # parameters, names, answers: unchanged

`benchmarks/training/step_speed.py` measures what it brings.
"""

from __future__ import annotations

import ctypes
import functools
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from blazeface.models.blocks import SameConv2d
from blazeface.training.compiler import compile_library

Network = TypeVar("Network", bound=nn.Module)
log = logging.getLogger(__name__)


def accelerate(network: Network) -> Network:
    """Train the depthwise convolutions of `network` with the kernel, in place; returns the network.

    Call it before training, on a network in channels_last memory format (others stay with the library).
    State dict, copies, export and the answers do not change; a copy of the network is accelerated too.
    """
    depthwise = [m for m in network.modules() if type(m) is SameConv2d and _shape_is_built_in(m)]
    if depthwise and load_kernel() is not None:
        for module in depthwise:
            module.__class__ = KernelConv2d
    return network


class KernelConv2d(SameConv2d):
    """A depthwise SameConv2d whose filter gradient comes from the kernel wherever that can be."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # Export and compilation trace eval mode or trace with stand-in tensors: they see the library only.
        if not self.training or torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return self._library(input, weight, bias)
        if torch.is_autocast_enabled(input.device.type):
            dtype = torch.get_autocast_dtype(input.device.type)
            input, weight = input.to(dtype), weight.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        if not weight.requires_grad or not kernel_fits(input) or input.dtype != weight.dtype:
            return self._library(input, weight, bias)
        answer: Tensor = _DepthwiseConv2d.apply(input, weight, bias, self.stride[0], int(self.padding[0]))  # type: ignore[no-untyped-call]
        return answer

    def _library(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        answer: Tensor = super()._conv_forward(input, weight, bias)
        return answer


class _DepthwiseConv2d(torch.autograd.Function):
    """conv2d with one filter per channel; only the gradients of filter and bias differ from the library's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, pad: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pad = stride, pad
        return torch.conv2d(x, weight, bias, stride, pad, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = grad_bias = None
        grad = grad.contiguous(memory_format=torch.channels_last)
        if ctx.needs_input_grad[0]:
            grad_x = torch.ops.aten.convolution_backward(
                grad,
                x,
                weight,
                None,
                [ctx.stride] * 2,
                [ctx.pad] * 2,
                [1, 1],
                False,
                [0, 0],
                len(weight),
                [True, False, False],
            )[0]
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            grad_weight, grad_bias = filter_gradient(x, grad, weight.shape[2], ctx.stride, ctx.pad)
            grad_weight, grad_bias = grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)
        return grad_x, grad_weight, grad_bias if ctx.needs_input_grad[2] else None, None, None


def filter_gradient(x: Tensor, grad: Tensor, kernel: int, stride: int, pad: int) -> tuple[Tensor, Tensor]:
    """Gradients of a depthwise filter and its bias: (C, 1, kernel, kernel) and (C,), float32.

    x: input (B, C, H, W) and grad: gradient of the output (B, C, H', W'), both channels_last on the CPU and
    both float32 or both bfloat16. pad: zeros on each side of the input. Kernel 3 or 5, stride 1 or 2.
    Uses `torch.get_num_threads()` threads. Raises RuntimeError where the kernel cannot be had.
    """
    library = load_kernel()
    if library is None:
        raise RuntimeError("there is no compiled depthwise kernel on this machine")
    if not kernel_fits(x) or not kernel_fits(grad) or x.dtype != grad.dtype:
        raise ValueError("the depthwise kernel wants two channels_last maps of one type on the CPU")
    if kernel not in (3, 5) or stride not in (1, 2):
        raise ValueError(f"the depthwise kernel is not built for kernel {kernel}, stride {stride}")
    (batch, channels, height, width), (out_height, out_width) = x.shape, grad.shape[2:]
    expected = [(side + 2 * pad - kernel) // stride + 1 for side in (height, width)]
    if grad.shape != (batch, channels, *expected):
        raise ValueError(f"a gradient of shape {tuple(grad.shape)} does not belong to {tuple(x.shape)}")
    parts = max(1, min(torch.get_num_threads(), batch))
    sums = torch.empty(parts, kernel * kernel + 1, channels)

    def run(part: int) -> int:
        first, last = batch * part // parts, batch * (part + 1) // parts
        maps = _Maps(
            x[first:last].data_ptr(), grad[first:last].data_ptr(), x.dtype == torch.bfloat16, last - first,
            height, width, channels, out_height, out_width, kernel, stride, pad,
        )  # fmt: skip
        # ctypes lets go of the interpreter's lock for the time of the call.
        return int(library.depthwise_weight_gradient(ctypes.byref(maps), sums[part].data_ptr()))

    if any(_pool(parts).map(run, range(parts)) if parts > 1 else [run(0)]):
        raise MemoryError("no memory for the lines of the depthwise kernel")
    total = sums.sum(dim=0) if parts > 1 else sums[0]
    return total[:-1].T.reshape(channels, 1, kernel, kernel), total[-1]


def kernel_fits(maps: Tensor) -> bool:
    """Whether the kernel reads tensors of this kind."""
    return (
        maps.device.type == "cpu"
        and maps.dtype in (torch.float32, torch.bfloat16)
        and maps.dim() == 4
        and maps.numel() > 0
        and maps.is_contiguous(memory_format=torch.channels_last)
    )


@functools.cache
def load_kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it cannot be had; says once which."""
    try:
        library = compile_library("depthwise.c")
    except OSError as error:
        log.info("depthwise filter gradients: the library's (%s)", error)
        return None
    library.depthwise_weight_gradient.argtypes = [ctypes.POINTER(_Maps), ctypes.c_void_p]
    library.depthwise_weight_gradient.restype = ctypes.c_int
    log.info("depthwise filter gradients: own kernel")
    return library


class _Maps(ctypes.Structure):
    """`Maps` of depthwise.c."""

    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("bfloat16", ctypes.c_int32),
        *(
            (name, ctypes.c_int64)
            for name in (
                "batch", "height", "width", "channels", "out_height", "out_width", "kernel", "stride", "pad",
            )
        ),
    )  # fmt: skip


def _shape_is_built_in(module: SameConv2d) -> bool:
    return (
        module.groups == module.in_channels == module.out_channels
        and module.kernel_size in ((3, 3), (5, 5))
        and module.stride in ((1, 1), (2, 2))
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
    )


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="depthwise")
