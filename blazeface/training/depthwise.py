"""Depthwise convolutions by own kernels (depthwise.c), for training on a CPU; see `accelerate`."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from blazeface.models.blocks import SameConv2d
from blazeface.training.kernels import fits, in_parts, learning, load_kernels

SOURCE = "depthwise.c"


def is_built_in(module: SameConv2d) -> bool:
    """Whether there is a kernel for this convolution."""
    return (
        module.groups == module.in_channels == module.out_channels
        and module.kernel_size in ((3, 3), (5, 5))
        and module.stride in ((1, 1), (2, 2))
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
    )


class KernelConv2d(SameConv2d):
    """A depthwise SameConv2d that trains with the kernels wherever it can."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and learning() and self.weight.requires_grad and fits(x) and self._divides(x)):
            return super().forward(x)
        answer: Tensor = _DepthwiseConv2d.apply(x, self.weight, self.bias, self.stride[0], self._pad())  # type: ignore[no-untyped-call]
        return answer

    def _divides(self, x: Tensor) -> bool:
        return self.weight.dtype == x.dtype and all(side % self.stride[0] == 0 for side in x.shape[2:])

    def _pad(self) -> int:
        """Zeros above and to the left; the kernels see to those below and to the right."""
        return self.uneven[0] if self.uneven else int(self.padding[0])


class _DepthwiseConv2d(torch.autograd.Function):
    """(B, C, H, W) -> (B, C, H / stride, W / stride), one filter per channel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, pad: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pad = stride, pad
        if stride == 1:  # here the library is as fast, and so for the input's gradient
            return torch.conv2d(x, weight, bias, stride, pad, 1, len(weight))
        return convolve(x, weight, bias, (x.shape[2] // stride, x.shape[3] // stride), stride, pad)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        kernel = weight.shape[2]
        grad_x = grad_weight = grad_bias = None
        grad = grad.contiguous(memory_format=torch.channels_last)
        if ctx.needs_input_grad[0] and ctx.stride == 1:
            numbers = ([1, 1], [ctx.pad] * 2, [1, 1], False, [0, 0], len(weight), [True, False, False])
            grad_x = torch.ops.aten.convolution_backward(grad, x, weight, None, *numbers)[0]
        elif ctx.needs_input_grad[0]:
            turned = weight.flip(2, 3)
            grad_x = convolve(grad, turned, None, x.shape[2:], 1, kernel - 1 - ctx.pad, spread=ctx.stride)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            grad_weight, grad_bias = filter_gradient(x, grad, kernel, ctx.stride, ctx.pad)
        return grad_x, grad_weight, grad_bias if ctx.needs_input_grad[2] else None, None, None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out_sides: tuple[int, int] | torch.Size,
    stride: int,
    pad: int,
    spread: int = 1,
) -> Tensor:
    """Depthwise convolution of (B, C, H, W) with (C, 1, kernel, kernel): (B, C, *out_sides), channels_last.

    pad: zeros above and to the left; what is missing below and to the right counts as zero too. spread: the
    input's pixels stand so far apart, with zeros in between. Raises ValueError for maps the kernel does not
    read and shapes it is not built for, RuntimeError where the kernel cannot be had.
    """
    kernel = _check(weight.shape[2], stride, x)
    answer = torch.empty(*x.shape[:2], *out_sides, memory_format=torch.channels_last)
    taps = weight.detach().reshape(len(weight), kernel * kernel).T.contiguous()
    offset = None if bias is None else bias.detach().contiguous().data_ptr()
    library = _library()

    def run(part: int, first: int, last: int) -> None:
        maps = _maps(x[first:last], answer[first:last], kernel, stride, pad, spread)
        if library.depthwise_filter(ctypes.byref(maps), taps.data_ptr(), offset):
            raise MemoryError("no memory for the lines of the depthwise kernel")

    in_parts(len(x), run)
    return answer


def filter_gradient(x: Tensor, grad: Tensor, kernel: int, stride: int, pad: int) -> tuple[Tensor, Tensor]:
    """Gradients of a depthwise filter and its bias: (C, 1, kernel, kernel) and (C,).

    x: input (B, C, H, W) and grad: gradient of the output (B, C, H', W'). Otherwise as `convolve`.
    """
    _check(kernel, stride, x, grad)
    if grad.shape[:2] != x.shape[:2]:
        raise ValueError(f"a gradient of shape {tuple(grad.shape)} does not belong to {tuple(x.shape)}")
    channels, library = x.shape[1], _library()
    sums = torch.zeros(max(1, torch.get_num_threads()), kernel * kernel + 1, channels)

    def run(part: int, first: int, last: int) -> None:
        maps = _maps(x[first:last], grad[first:last], kernel, stride, pad, 1)
        if library.depthwise_filter_gradient(ctypes.byref(maps), sums[part].data_ptr()):
            raise MemoryError("no memory for the lines of the depthwise kernel")

    in_parts(len(x), run)
    total = sums.sum(dim=0) if len(sums) > 1 else sums[0]
    return total[:-1].T.reshape(channels, 1, kernel, kernel), total[-1]


class _Maps(ctypes.Structure):
    """`Maps` of depthwise.c."""

    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        *(
            (name, ctypes.c_int64)
            for name in (
                "batch", "height", "width", "channels", "out_height", "out_width", "kernel", "stride", "pad", "spread",
            )
        ),
    )  # fmt: skip


def _maps(x: Tensor, out: Tensor, kernel: int, stride: int, pad: int, spread: int) -> _Maps:
    batch, channels, height, width = x.shape
    return _Maps(
        x.data_ptr(), out.data_ptr(), batch, height, width, channels, *out.shape[2:], kernel, stride, pad, spread
    )


def _check(kernel: int, stride: int, *maps: Tensor) -> int:
    if not fits(*maps):
        raise ValueError("the depthwise kernel wants channels_last maps of float32 on the CPU")
    if kernel not in (3, 5) or stride not in (1, 2):
        raise ValueError(f"the depthwise kernel is not built for kernel {kernel}, stride {stride}")
    return kernel


def _library() -> ctypes.CDLL:
    library = load_kernels(SOURCE)
    if library is None:
        raise RuntimeError("there is no compiled depthwise kernel on this machine")
    library.depthwise_filter.argtypes = [ctypes.POINTER(_Maps), ctypes.c_void_p, ctypes.c_void_p]
    library.depthwise_filter_gradient.argtypes = [ctypes.POINTER(_Maps), ctypes.c_void_p]
    return library
