"""What stands between the convolutions, by own kernels (joints.c), for training on a CPU; see `accelerate`.

Batch norm, shortcut and ReLU are three operations and a dozen passes over maps larger than the cache; here they
are one operation and seven passes, forward and backward.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from blazeface.models.blocks import ConvNorm
from blazeface.training.kernels import fits, in_parts, learning, load_kernels

SOURCE = "joints.c"


class KernelConvNorm(ConvNorm):
    """A ConvNorm that trains with the kernels wherever it can."""

    def rectify(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        norm: nn.Module | None = self[1] if len(self) == 2 else None
        if not (isinstance(norm, nn.BatchNorm2d) and norm.training and learning() and _is_plain(norm)):
            return super().rectify(x, shortcut)
        x = self[0](x)
        maps = (x,) if shortcut is None else (x, shortcut)
        if not fits(*maps) or maps[-1].shape != x.shape or x.numel() == x.shape[1]:
            joined: Tensor = norm(x) if shortcut is None else norm(x) + shortcut
            return F.relu(joined)
        answer, mean, variance = _Join.apply(x, norm.weight, norm.bias, shortcut, norm.eps)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            count = x.numel() / x.shape[1]
            assert norm.running_mean is not None and norm.running_var is not None
            assert norm.num_batches_tracked is not None and norm.momentum is not None
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
            norm.num_batches_tracked += 1
        rectified: Tensor = answer
        return rectified


class KernelMaxPool2d(nn.MaxPool2d):
    """A 2 x 2 max pool that trains with the kernels wherever it can."""

    def forward(self, x: Tensor) -> Tensor:
        even = x.shape[-2] % 2 == x.shape[-1] % 2 == 0
        built_in = even and learning() and x.requires_grad and fits(x)
        answer: Tensor = _Pool.apply(x) if built_in else super().forward(x)  # type: ignore[no-untyped-call]
        return answer


def is_built_in(pool: nn.MaxPool2d) -> bool:
    """Whether there is a kernel for this pool."""
    numbers = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode, pool.return_indices)
    return numbers == (2, 2, 0, 1, False, False)


def _is_plain(norm: nn.BatchNorm2d) -> bool:
    return (
        norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and norm.weight.requires_grad
        and norm.weight.dtype == torch.float32
    )


class _Join(torch.autograd.Function):
    """ReLU(batch norm(x) + shortcut), with the batch's mean and (biased) variance.

    x, shortcut: (B, C, H, W). Batch norm: arXiv 1502.03167, algorithm 1; its gradient follows section 3.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        library, (images, channels, pixels) = _library(), _sides(x)
        means, spreads = torch.empty(images, channels), torch.empty(images, channels)

        def measure(part: int, first: int, last: int) -> None:
            library.moments(_at(x, first), last - first, pixels, channels, _at(means, first), _at(spreads, first))

        in_parts(images, measure)
        # Moments of parts, joined (Chan, Golub and LeVeque 1979).
        mean = means.double().mean(dim=0)
        variance = (spreads.double() / pixels + (means - mean) ** 2).mean(dim=0)
        deviation = torch.sqrt(variance + eps)
        scale = (weight / deviation).float()
        shift = (bias - mean * scale).float()
        answer = torch.empty_like(x)

        def join(part: int, first: int, last: int) -> None:
            beside = None if shortcut is None else _at(shortcut, first)
            count = (last - first) * pixels
            library.join(
                _at(x, first), beside, scale.data_ptr(), shift.data_ptr(), count, channels, _at(answer, first)
            )

        in_parts(images, join)
        ctx.save_for_backward(x, answer, weight, mean, deviation)
        mean, variance = mean.float(), variance.float()
        ctx.mark_non_differentiable(mean, variance)
        return answer, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: object) -> tuple[Tensor | None, ...]:
        x, answer, weight, mean, deviation = ctx.saved_tensors
        library, (images, channels, pixels) = _library(), _sides(x)
        grad = grad.contiguous(memory_format=torch.channels_last)
        gate, middle = torch.empty_like(x), mean.float()
        threads = max(1, torch.get_num_threads())
        sums = torch.zeros(threads, 2, channels, dtype=torch.float64)
        image_sums = torch.empty(threads, 2, channels)

        def measure(part: int, first: int, last: int) -> None:
            maps = [_at(m, first) for m in (grad, answer, x)]
            library.join_gradient_sums(
                *maps, middle.data_ptr(), last - first, pixels, channels,
                _at(gate, first), image_sums[part].data_ptr(), sums[part].data_ptr(),
            )  # fmt: skip

        in_parts(images, measure)
        total, aligned = sums.sum(dim=0)
        grad_x = None
        if ctx.needs_input_grad[0]:
            count = images * pixels
            scale = weight / deviation
            slope = -scale * aligned / (deviation**2 * count)
            offset = (-scale * total / count - slope * mean).float()
            scale, slope = scale.float(), slope.float()
            grad_x = torch.empty_like(x)

            def spread(part: int, first: int, last: int) -> None:
                library.join_gradient(
                    _at(gate, first), _at(x, first), scale.data_ptr(), slope.data_ptr(), offset.data_ptr(),
                    (last - first) * pixels, channels, _at(grad_x, first),
                )  # fmt: skip

            in_parts(images, spread)
        beside = gate if ctx.needs_input_grad[3] else None
        return grad_x, (aligned / deviation).float(), total.float(), beside, None


class _Pool(torch.autograd.Function):
    """The largest of each 2 x 2 pixels: (B, C, 2H, 2W) -> (B, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        answer = torch.empty(batch, channels, height // 2, width // 2, memory_format=torch.channels_last)
        library = _library()

        def run(part: int, first: int, last: int) -> None:
            library.pool(_at(x, first), last - first, height // 2, width // 2, channels, _at(answer, first))

        in_parts(batch, run)
        ctx.save_for_backward(x, answer)
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, answer = ctx.saved_tensors
        batch, channels, height, width = answer.shape
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x = torch.empty_like(x)
        library = _library()

        def run(part: int, first: int, last: int) -> None:
            maps = [_at(m, first) for m in (x, answer, grad)]
            library.pool_gradient(*maps, last - first, height, width, channels, _at(grad_x, first))

        in_parts(batch, run)
        return grad_x


def _sides(x: Tensor) -> tuple[int, int, int]:
    batch, channels, height, width = x.shape
    return batch, channels, height * width


def _at(maps: Tensor, image: int) -> int:
    """Address of an image in a dense batch."""
    return maps.data_ptr() + image * (maps.numel() // len(maps)) * maps.element_size()


def _library() -> ctypes.CDLL:
    library = load_kernels(SOURCE)
    assert library is not None, "only networks with compiled kernels come here"
    maps, size = c_void_p, c_int64
    library.moments.argtypes = [maps, size, size, size, maps, maps]
    library.join.argtypes = [maps] * 4 + [size, size, maps]
    library.join_gradient_sums.argtypes = [maps] * 4 + [size] * 3 + [maps] * 3
    library.join_gradient.argtypes = [maps] * 5 + [size, size, maps]
    library.pool.argtypes = [maps, size, size, size, size, maps]
    library.pool_gradient.argtypes = [maps] * 3 + [size] * 4 + [maps]
    return library
