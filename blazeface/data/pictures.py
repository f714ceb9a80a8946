"""A cache of decoded training pictures in memory; one that cannot be read is reported once and skipped."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image

BLOCK = 2**26
"""Bytes of a block of shared memory: each is one open file, of which a process may have few."""

SHARED_FOLDER = Path("/dev/shm")
SPARED = 2**26
"""Bytes of shared memory left to the batches on their way from the workers."""


class PictureCache:
    """Decoded pictures by position, kept up to a budget of memory, read from disk beyond it.

    Made before the data loader starts its workers, which then share the memory: by fork as it is, and where workers are
    started anew (spawn, forkserver: macOS, Windows, Python 3.14) in blocks of shared memory, to which they are handed a
    reference. `get` gives BGR uint8 (H, W, 3), or None for a picture that is missing or broken: it is named on stderr
    once, by whichever process meets it first.
    """

    def __init__(self, paths: list[Path], budget_mb: int, quiet: bool = False):
        self._paths = paths
        self._kept: list[Image | None] = [None] * len(paths)
        self._shared = SharedPictures(len(paths)) if start_method() != "fork" else None
        self._broken = torch.zeros(len(paths), dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        left = budget_mb * 2**20
        progress = tqdm(range(len(paths)), desc="reading pictures", unit="", leave=False, disable=quiet or None)
        for index in progress:
            if left <= 0:
                break
            image = self.get(index)
            if image is None:
                continue
            if self._shared is None:
                self._kept[index] = image
            elif not self._shared.keep(index, image):
                print(
                    f"{SHARED_FOLDER}: too little shared memory for all pictures: {index} of {len(paths)} are kept, the"
                    " others are read anew each time (a container has more with --shm-size)",
                    file=sys.stderr,
                )
                break
            left -= image.nbytes

    @property
    def unreadable(self) -> NDArray[np.uint8]:
        """(N,) 1 for each picture that was found missing or broken so far, by any of the processes."""
        seen: NDArray[np.uint8] = self._broken.numpy()
        return seen

    def get(self, index: int) -> Image | None:
        kept = self._shared.get(index) if self._shared else self._kept[index]
        if kept is not None:
            return kept
        if self._broken[index]:
            return None
        try:
            return read_picture(str(self._paths[index]))
        except BlazeFaceError as error:
            self._broken[index] = 1
            print(f"{error}; left out", file=sys.stderr)
            return None


class SharedPictures:
    """Pictures in blocks of shared memory: a process that this is pickled to sees the same memory."""

    def __init__(self, count: int):
        self._blocks: list[Tensor] = []
        self._used = BLOCK
        self._places = np.full((count, 5), -1, np.int64)  # block, offset, height, width, channels

    def keep(self, index: int, image: Image) -> bool:
        """Copy a picture in; false where the system has no shared memory left for it."""
        if self._used + image.nbytes > BLOCK:
            size = max(BLOCK, image.nbytes)
            if free_shared_memory() < size + SPARED:
                return False
            self._blocks.append(torch.empty(size, dtype=torch.uint8).share_memory_())  # type: ignore[no-untyped-call]
            self._used = 0
        self._places[index] = (len(self._blocks) - 1, self._used, *image.shape)
        self._blocks[-1].numpy()[self._used : self._used + image.nbytes] = image.reshape(-1)
        self._used += image.nbytes
        return True

    def get(self, index: int) -> Image | None:
        block, offset, *shape = self._places[index].tolist()
        if block < 0:
            return None
        kept: Image = self._blocks[block].numpy()[offset : offset + int(np.prod(shape))].reshape(shape)
        return kept


def start_method() -> str:
    """How this program's workers will be started; asking the library alone would fix it for good."""
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def free_shared_memory() -> int:
    """Bytes that may still be taken. Writing beyond them ends a process on Linux, where they are a folder's; elsewhere
    the system says no by itself."""
    if not SHARED_FOLDER.is_dir() or not hasattr(os, "statvfs"):
        return sys.maxsize
    found = os.statvfs(SHARED_FOLDER)
    return found.f_bavail * found.f_frsize
