"""What the compiled kernels of training share: how they are had, which maps they read, and how threads share them."""

from __future__ import annotations

import ctypes
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from blazeface.training.compiler import compile_library

log = logging.getLogger(__name__)


@functools.cache
def load_kernels(name: str) -> ctypes.CDLL | None:
    """The compiled file `name` of this package, or None where it cannot be had; says once which."""
    try:
        library = compile_library(name)
    except OSError as error:
        log.info("%s: the library's own way (%s)", name, error)
        return None
    log.info("%s: own kernels", name)
    return library


def fits(*maps: Tensor) -> bool:
    """Whether the kernels read such maps: (B, C, H, W) float32, channels_last, on the CPU."""
    return all(
        m.device.type == "cpu"
        and m.dtype == torch.float32
        and m.dim() == 4
        and m.numel() > 0
        and m.is_contiguous(memory_format=torch.channels_last)
        for m in maps
    )


def learning() -> bool:
    """Whether gradients are being taken; export and compilation, which trace, see the library alone."""
    return torch.is_grad_enabled() and not torch.compiler.is_compiling() and not torch.is_autocast_enabled("cpu")


def in_parts(images: int, run: Callable[[int, int, int], object]) -> int:
    """Call run(part, first, last) for even shares of `images`, in `torch.get_num_threads()` threads.

    Returns the number of parts. ctypes lets go of the interpreter's lock for the time of a call.
    """
    parts = max(1, min(torch.get_num_threads(), images))
    ends = [images * part // parts for part in range(parts + 1)]
    if parts == 1:
        run(0, 0, images)
    else:
        list(_pool(parts).map(run, range(parts), ends[:-1], ends[1:]))
    return parts


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernels")
