"""What is no face is blurred: a small U-Net says for each pixel of a picture how surely it belongs to one.

Core packages only. The network is trained by `blazeface segment`; it knows face regions, neither hair nor shoulders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.backends.onnx_backend import open_session
from blazeface.errors import BlazeFaceError
from blazeface.files.checksum import verify_checksum
from blazeface.geometry import Image, letterbox_image

WEIGHTS = Path(__file__).parents[1] / "weights" / "segment.onnx"
KEY = "blazeface.segment"
"""Name of the metadata entry of a file that `blazeface segment` wrote."""

SHARE = 0.3, 0.6
"""Nothing of what is a face less surely than this stays sharp, and all of what is one more surely."""

BLURRED_SIDE, SIGMA = 160, 3.0
"""The long side at which the background is blurred, so that the blur looks alike at every size, and how strongly."""


class BackgroundBlur:
    """Blurs all of a picture but its faces.

    path: an ONNX file that `blazeface segment` wrote; by default the shipped one. Raises BlazeFaceError for a file
    that is missing, damaged or foreign.
    """

    def __init__(self, path: Path = WEIGHTS, threads: int = 1):
        if not path.is_file():
            raise BlazeFaceError(f"{path}: no such model file")
        if path == WEIGHTS:
            verify_checksum(path)
        self._path, self._session = path, open_session(path, threads)
        if KEY not in self._session.get_modelmeta().custom_metadata_map:
            raise BlazeFaceError(f"{path}: it has no {KEY} metadata, so it is no segmenter of blazeface")
        found = {t.name: list(t.shape[1:]) for t in (*self._session.get_inputs(), *self._session.get_outputs())}
        self._size = found.get("pictures", [0])[-1]
        size = self._size
        expected = {"pictures": [3, size, size], "logits": [2, size, size]}
        if type(size) is not int or size < 8 or found != expected:
            raise BlazeFaceError(f"{path}: expected square pictures and logits of their size, found {found}")

    def mask(self, image: Image) -> NDArray[np.float32]:
        """How surely each pixel of a BGR uint8 picture (H, W, 3) belongs to a face: (H, W) in [0, 1]."""
        square, box = letterbox_image(image, self._size)
        planes = (square[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) - 127.5) / 127.5
        try:
            logits: NDArray[Any] = np.asarray(self._session.run(["logits"], {"pictures": planes})[0])[0]
        except Exception as error:  # a damaged file that could be loaded
            raise BlazeFaceError(f"{self._path}: the network cannot be run: {error}") from error
        sure = 1 / (1 + np.exp(np.clip(logits[0] - logits[1], -30, 30)))
        left, top = int(box.offset_x), int(box.offset_y)
        height, width = image.shape[:2]
        right, bottom = left + round(width * box.scale_x), top + round(height * box.scale_y)
        part = np.ascontiguousarray(sure[top:bottom, left:right], dtype=np.float32)
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def __call__(self, image: Image) -> Image:
        """A copy of a BGR uint8 picture (H, W, 3) whose background is blurred."""
        low, high = SHARE
        return keep(image, blurred(image), ((self.mask(image) - low) / (high - low)).clip(0, 1))


def blurred(image: Image) -> Image:
    """A picture out of focus, at the price of a small one."""
    height, width = image.shape[:2]
    scale = min(1.0, BLURRED_SIDE / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    soft = cv2.GaussianBlur(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (0, 0), SIGMA)
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def keep(image: Image, background: Image, mask: NDArray[np.float32]) -> Image:
    """`image` where the mask (H, W) is 1, `background` where it is 0, a mixture between."""
    share = mask[..., None]
    mixed: Image = np.rint(image * share + background * (np.float32(1) - share)).astype(np.uint8)
    return mixed
