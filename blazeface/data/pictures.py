"""A cache of decoded training pictures in memory; one that cannot be read is reported once and skipped."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image


class PictureCache:
    """Decoded pictures by position, kept up to a budget of memory, read from disk beyond it.

    Made before the data loader starts its workers, which then share the memory. `get` gives BGR uint8
    (H, W, 3), or None for a picture that is missing or broken: it is named on stderr once, by whichever
    process meets it first.
    """

    def __init__(self, paths: list[Path], budget_mb: int, quiet: bool = False):
        self._paths = paths
        self._kept: list[Image | None] = [None] * len(paths)
        self._broken = torch.zeros(len(paths), dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        left = budget_mb * 2**20
        progress = tqdm(range(len(paths)), desc="reading pictures", unit="", leave=False, disable=quiet or None)
        for index in progress:
            if left <= 0:
                break
            image = self.get(index)
            if image is not None:
                self._kept[index] = image
                left -= image.nbytes

    def get(self, index: int) -> Image | None:
        kept = self._kept[index]
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
