"""The best weights of a run so far, by its evaluations on the way, and when it has stopped getting better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from blazeface.models.network import BlazeFace
from blazeface.models.weights import save_weights

FILE = "best.safetensors"

DECIDING = ("AP >=.05", "AP >=.1")
"""Figures by which evaluations are ranked: the first that can be measured on val."""


def deciding_figure(figures: Mapping[str, float]) -> float:
    """NaN where val has no face to measure on."""
    known = (figures[name] for name in DECIDING if name in figures and math.isfinite(figures[name]))
    return next(known, math.nan)


def best_evaluation(history: Sequence[Mapping[str, float]]) -> int | None:
    """The place of the best evaluation, the first of several equal ones; None where none could be measured."""
    figures = [deciding_figure(row) for row in history]
    known = [place for place, value in enumerate(figures) if not math.isnan(value)]
    return max(known, key=lambda place: figures[place]) if known else None


def evaluations_since_best(history: Sequence[Mapping[str, float]]) -> int:
    """How many evaluations in a row have brought nothing better."""
    best = best_evaluation(history)
    return 0 if best is None else len(history) - 1 - best


def keep_if_best(network: BlazeFace, history: Sequence[Mapping[str, float]], out: Path) -> None:
    """Write best.safetensors where the last evaluation, which was of this network, is the best."""
    if history and best_evaluation(history) == len(history) - 1:
        save_weights(network, out / FILE)
