"""Allocator settings: freed memory is kept for the next step instead of being returned to the system."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # from glibc's malloc.h


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks of any size; elsewhere do nothing.

    Activations are large and freed after each step. By default each goes back to the system, which hands
    out zeroed pages anew. In a single trial on two CPU cores, keeping it raised 82 images per second at batch
    64 to 94.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another C library
    for option in (M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD):
        mallopt(option, 256 * 2**20 if option == M_TOP_PAD else 2**31 - 1)
