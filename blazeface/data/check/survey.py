"""Each picture read once: its size, whether it is missing or broken, and a small copy to compare."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.data.headers import READERS, UPRIGHT, Size, read_header
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture

THUMB = 32
"""Side of the small grey copies, in pixels."""

FLAT = 4.0
"""Standard deviation of grey below which a picture shows nothing that could be recognised."""

ALIKE = 0.97
"""Correlation of two small copies from which two pictures are taken for the same one."""

CHUNK = 2048


@dataclass(frozen=True)
class Look:
    """One picture. size: (width, height); thumb: (THUMB * THUMB,) float32 of mean 0 and length 1; None where the picture
    cannot be read, or is too flat. fault: why it cannot be read; missing: because it is not there. orientation: EXIF's, 1 to 8,
    of a JPEG.
    """

    size: Size | None = None
    thumb: NDArray[np.float32] | None = None
    fault: str = ""
    missing: bool = False
    orientation: int = UPRIGHT


def look_at(paths: Sequence[Path], quiet: bool = False) -> list[Look]:
    """A look at each picture, in order, with a progress bar."""
    with ThreadPoolExecutor(READERS) as pool:
        bar = tqdm(
            pool.map(_look, paths), "reading pictures", len(paths), leave=False, unit="", disable=quiet or None
        )
        return list(bar)


def same_pictures(first: Sequence[Look], second: Sequence[Look]) -> list[tuple[int, int]]:
    """(i, j): picture i of the first and j of the second look alike, upright or mirrored; each i once, with its closest.

    Compared are small grey copies, so another size, quality or format does not hide a picture; another cut or light does.
    """
    ours, theirs = _stacked(first), _stacked(second)
    if not len(ours[1]) or not len(theirs[1]):
        return []
    mirrored = theirs[1].reshape(-1, THUMB, THUMB)[:, :, ::-1].reshape(-1, THUMB * THUMB)
    pairs = []
    for start in range(0, len(ours[1]), CHUNK):
        part = ours[1][start : start + CHUNK]
        likeness = np.maximum(part @ theirs[1].T, part @ mirrored.T)
        closest = likeness.argmax(axis=1)
        for row in np.flatnonzero(likeness[np.arange(len(part)), closest] > ALIKE):
            pairs.append((ours[0][start + row], theirs[0][closest[row]]))
    return pairs


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """A BGR picture as (THUMB * THUMB,) grey values of mean 0 and length 1; None for one that is flat."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32).reshape(-1)
    if grey.std() < FLAT:
        return None
    grey -= grey.mean()
    normed: NDArray[np.float32] = grey / np.linalg.norm(grey)
    return normed


def _look(path: Path) -> Look:
    try:
        image = read_picture(str(path))
    except BlazeFaceError as error:
        return Look(fault=str(error), missing=not path.exists())
    height, width = image.shape[:2]
    header = read_header(path)
    return Look((width, height), thumbnail(image), orientation=header.orientation if header else UPRIGHT)


def _stacked(looks: Sequence[Look]) -> tuple[list[int], NDArray[np.float32]]:
    """Positions of the pictures that have a small copy, and these copies (N, THUMB * THUMB)."""
    known = [(i, look.thumb) for i, look in enumerate(looks) if look.thumb is not None]
    thumbs = [thumb for _, thumb in known]
    return [i for i, _ in known], np.stack(thumbs) if thumbs else np.zeros((0, THUMB * THUMB), np.float32)
