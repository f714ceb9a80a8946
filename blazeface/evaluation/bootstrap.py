"""Intervals by drawing pictures anew, and how figures are rounded in a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blazeface.evaluation.ap import Weights
from blazeface.geometry import Floats


def drawn_weights(count: int, rng: np.random.Generator) -> Weights:
    """How often each of `count` pictures comes up in as many draws with replacement: (count,)."""
    return np.bincount(rng.integers(0, count, count), minlength=count)


def interval_95(values: Sequence[float] | Floats) -> tuple[float, float] | None:
    """2.5th and 97.5th percentile of the resamples in which there was something to measure; None where in none."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return round(float(low), 5), round(float(high), 5)


def rounded(value: float) -> float | None:
    """Five decimals; None for NaN, which JSON does not know."""
    return round(float(value), 5) if np.isfinite(value) else None
