"""Clips of candidates on which the covers of C++, Kotlin and the page are held to Python's."""

from __future__ import annotations

import numpy as np

from blazeface.detections import Detections


def walking(seed: int, frames: int = 80, grows: bool = True) -> list[tuple[float, int, int, Detections]]:
    """Faces of all sizes that walk, blink, jump, grow and overlap, with noise, at uneven times; in one clip of four the
    picture changes its size at the end, unless it may not (`grows`). Time, width, height and faces of each frame."""
    rng = np.random.default_rng(seed)
    time, width, height, clip = 0.0, 120, 100, []
    places = rng.uniform((0, 0, 10), (width, height, 70), (4, 3))
    speeds = rng.normal(0, 1.5, (4, 3)) * (1, 1, 0.2)
    for n in range(frames):
        time += float(rng.choice([0.033, 0.04, 0.1, 0.7], p=[0.5, 0.3, 0.18, 0.02]))
        places += speeds
        seen = [(x, y, max(side, 4.0), rng.uniform(0.05, 1)) for x, y, side in places if rng.random() < 0.6]
        noise = [
            (*rng.uniform((0, 0, 5), (width, height, 90)), rng.uniform(0.05, 0.6)) for _ in range(rng.integers(3))
        ]
        rows = np.array(sorted([*seen, *noise], key=lambda row: -row[3]), np.float32).reshape(-1, 4)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:3]], axis=1)
        keypoints = (boxes[:, None, :2] + rng.uniform(0, 1, (len(rows), 6, 2)) * rows[:, None, 2:3]).astype(
            np.float32
        )
        size = (width, height) if not grows or n < frames - 20 or seed % 4 else (width + 10, height)
        clip.append((time, *size, Detections(boxes, rows[:, 3].copy(), keypoints)))
    return clip
