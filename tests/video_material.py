"""Material for tests: a red square that walks to the right, clips of it, and a detector that finds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from blazeface.detections import Detections
from blazeface.geometry import Image

VideoMaker = Callable[..., Path]


def walking_square(index: int, width: int = 64, height: int = 48) -> Image:
    """A grey picture with a red square of 8 x 8 at x = 4 + 2 * index, y = 4."""
    image = np.full((height, width, 3), 90, np.uint8)
    left = 4 + 2 * index
    image[4:12, left : left + 8] = (0, 0, 255)
    return image


class RedDetector:
    """Takes what is red for a face."""

    def detect(self, image: Image) -> Detections:
        red = (image[:, :, 2] > 170) & (image[:, :, 1] < 90)
        if not red.any():
            return Detections.empty()
        ys, xs = np.nonzero(red)
        box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
        center = (box[:, :2] + box[:, 2:]) / 2
        return Detections(box, np.array([0.75], np.float32), np.repeat(center[:, None], 6, axis=1))

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        return [self.detect(image) for image in images]


def make_video(
    path: Path,
    count: int = 12,
    rate: Fraction = Fraction(30000, 1001),
    width: int = 64,
    height: int = 48,
    rotation: int = 0,
    ticks: Sequence[int] | None = None,
    tick: Fraction | None = None,
) -> Path:
    import av  # only here: the rest of the material needs no PyAV

    tick = 1 / rate if tick is None else tick
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if tick.denominator > 65535 else "mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 2_000_000
        stream.codec_context.max_b_frames = 0
        stream.codec_context.time_base = stream.time_base = tick
        if rotation:
            stream.set_display_rotation(rotation)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(walking_square(i, width, height), "bgr24")
            frame.pts = i if ticks is None else ticks[i]
            frame.time_base = tick
            frame.duration = max(1, round(1 / rate / tick))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
