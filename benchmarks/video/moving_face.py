"""By how many frames smoothing lags behind a face whose motion is known.

A face made of numbers moves at an even speed, or swings to and fro, with errors of a hundredth of its size, through the
tracker and the One-Euro filter. The lag of even motion is the distance behind over the distance per frame; that of a swing
the delay at which the truth fits best.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker

SIZE, NOISE = 100.0, 0.01
SPEEDS = (0.5, 1.0, 2.0, 4.0)
RATES = (25.0, 30.0)
MAX_LAG = 8


def moving_face() -> dict[str, Any]:
    """Lags in frames: by speed in face sizes a second, and of a swing of a quarter of the size once a second."""
    found: dict[str, Any] = {}
    for rate in RATES:
        time = np.arange(int(6 * rate)) / rate
        row = {}
        for speed in SPEEDS:
            truth = np.maximum(time - 1, 0) * speed * SIZE  # a second at rest, then even motion
            behind = (truth - tracked(truth, rate))[int(2 * rate) :].mean()
            row[f"{speed:g} sizes a second"] = round(float(behind / (speed * SIZE / rate)), 2)
        swing = SIZE / 4 * np.sin(2 * np.pi * time)
        row["swing"] = round(best_delay(swing, tracked(swing, rate)), 2)
        found[f"{rate:g} frames a second"] = row
    return found


def tracked(way: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Where the smoothing tracker sees a face whose middle goes `way` pixels to the right, frame by frame."""
    tracker, rng = Tracker(OneEuro()), np.random.default_rng(4)
    shape = np.array([[0, 0], [1, 1], [0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.5, 0.8], [0, 0.4], [1, 0.4]]) * SIZE
    seen = []
    for n, shift in enumerate(way):
        points = (500 + shape + (shift, 0) + rng.normal(0, NOISE * SIZE, shape.shape)).astype(np.float32)
        found = tracker.update(
            Detections(points[:2].reshape(1, 4), np.ones(1, np.float32), points[None, 2:]), n / rate
        )
        assert found.track_ids is not None and list(found.track_ids) == [1]
        middle = np.concatenate([found.boxes[0].reshape(2, 2), found.keypoints[0]]) - shape - 500
        seen.append(middle[:, 0].mean())
    return np.array(seen)


def best_delay(truth: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    frames = np.arange(len(truth))
    delays = np.arange(0, MAX_LAG, 0.05)
    misfit = [np.abs(np.interp(frames - delay, frames, truth) - seen)[2 * MAX_LAG :].mean() for delay in delays]
    return float(delays[int(np.argmin(misfit))])
