"""Pictures as Python callers hand them over: a path, a PIL picture or an array."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.errors import PictureError
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image


class PilPicture(Protocol):
    """The part of PIL.Image.Image that is used."""

    @property
    def mode(self) -> str: ...

    def convert(self, mode: str, /) -> Any: ...


ImageLike = str | os.PathLike[str] | PilPicture | NDArray[Any]
"""A picture: the path of a file, a PIL picture, or an array (H, W, 3) uint8."""


def as_bgr(image: ImageLike, rgb: bool = False, name: str = "image") -> Image:
    """The picture as BGR uint8 (H, W, 3); an array in that order is given back as it is.

    A file is read upright, as `read_picture` does. A PIL picture keeps the orientation it has in memory (apply
    `PIL.ImageOps.exif_transpose` for the one of its EXIF data), so that boxes are in its own pixels; its alpha channel
    is left out. rgb: arrays come in RGB order; files and PIL pictures say their order themselves. name: what to call it
    in errors.

    Raises PictureError for anything else, and BlazeFaceError for a file that cannot be read.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_picture(os.fspath(image))
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise PictureError(_refusal(name, rgb, f"{image.dtype} of shape {image.shape}"))
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if rgb else image  # type: ignore[return-value]
    pil = sys.modules.get("PIL.Image")  # a PIL picture cannot come from a process that has not imported PIL
    if pil is not None and isinstance(image, pil.Image):
        return _from_pil(image, name)
    hint = " (cv2.imread gives None for a file that it cannot read)" if image is None else ""
    raise PictureError(_refusal(name, rgb, "None" if image is None else type(image).__name__) + hint)


def _refusal(name: str, rgb: bool, found: str) -> str:
    order = "an RGB" if rgb else "a BGR"
    return f"{name} must be {order} uint8 array of shape (H, W, 3), a path or a PIL picture, not {found}"


def _from_pil(image: PilPicture, name: str) -> Image:
    if image.mode in ("I", "F"):
        raise PictureError(
            f"{name} is a PIL picture of mode {image.mode}, whose range is unknown: convert it to RGB"
        )
    if image.mode.startswith("I;16"):  # its convert("RGB") clips instead of scaling
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return _not_empty(np.repeat(grey[:, :, None], 3, axis=2), name)
    try:
        pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # PIL decodes when pixels are asked for
        raise PictureError(f"{name} is a PIL picture that cannot be decoded: {error}") from error
    return _not_empty(np.ascontiguousarray(pixels[:, :, ::-1]), name)


def _not_empty(pixels: Image, name: str) -> Image:
    if 0 in pixels.shape:
        raise PictureError(f"{name} is a PIL picture without pixels: {pixels.shape[1]} x {pixels.shape[0]}")
    return pixels
