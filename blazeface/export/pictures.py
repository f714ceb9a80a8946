"""Pictures to verify an export on, where few or none are at hand."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from blazeface.geometry import Image


def enough_pictures(pictures: Sequence[Image], least: int = 4) -> list[Image]:
    """At least `least` different pictures: if there are fewer, mirror images and halves of them as well."""
    if len(pictures) >= least:
        return list(pictures)
    more = []
    for picture in pictures:
        height, width = picture.shape[:2]
        more += [picture, picture[:, ::-1], picture[: (height + 1) // 2], picture[:, : (width + 1) // 2]]
    return [np.ascontiguousarray(picture) for picture in more]


def synthetic_pictures(count: int = 8) -> list[Image]:
    """Clouds of colour, coarse to fine, in several shapes. They have the statistics of no photograph, but
    reach every layer with values of every size."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(count):
        shape = ((240, 320), (320, 240), (128, 128), (90, 400))[i % 4]
        noise = rng.normal(size=(*shape, 3)).astype(np.float32)
        cloud = cv2.GaussianBlur(noise, (0, 0), 1 + 4 * i)
        span = float(cloud.max() - cloud.min())
        pictures.append(np.round((cloud - cloud.min()) / span * 255).astype(np.uint8))
    return pictures
