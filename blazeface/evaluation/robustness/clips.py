"""The best score of each frame of a clip that shows a face throughout."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypedDict

import numpy as np

from blazeface.evaluation.bootstrap import rounded
from blazeface.evaluation.record import Detect
from blazeface.geometry import Image

SCORE = 0.5
"""A frame counts as held where its best score is higher."""


class Clip(TypedDict):
    """frames: how many. over: the share whose best score is over SCORE. lowest, median: of the best scores."""

    frames: int
    over: float | None
    lowest: float | None
    median: float | None


def clip_scores(frames: Iterable[Image], detect: Detect) -> Clip:
    """Each frame by itself, without tracking."""
    waiting, best = iter(frames), []
    while chunk := list(islice(waiting, 16)):
        best += [float(found.scores.max(initial=0.0)) for found in detect(chunk)]
    scores = np.array(best) if best else np.full(1, np.nan)
    over = (scores > SCORE).mean() if best else np.nan
    return Clip(
        frames=len(best), over=rounded(over), lowest=rounded(scores.min()), median=rounded(np.median(scores))
    )
