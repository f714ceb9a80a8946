"""Precision against recall, and how far scores are probabilities, as pictures. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from blazeface.evaluation.ap import precision_recall
from blazeface.evaluation.calibration import Calibration
from blazeface.evaluation.columns import make_columns
from blazeface.evaluation.record import Record

COLORS = {".05-.1": "tab:blue", ".1-.2": "tab:orange", ".2-.45": "tab:green", ">=.45": "tab:red"}
"""The four size bins that do not overlap, and how they are drawn."""


def draw_precision_recall(records: Sequence[Record], path: Path, title: str, threshold: float) -> None:
    """Write a PNG with one curve for each size bin that has a face; a dot shows where `threshold` cuts."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    rankings = make_columns(records).rankings
    for name, color in COLORS.items():
        ranking = rankings[name]
        faces = int(ranking.faces.sum())
        if not faces:
            continue
        precision, recall = precision_recall(ranking.scores, ranking.hit, faces)
        label = f"{name}: AP {ranking.average_precision():.3f}, {faces:,} faces"
        end = recall[-1] if len(recall) else 0.0  # nothing found at all: a point at the origin
        axes.plot(np.append(recall, end), np.append(precision, 0.0), color=color, label=label)
        above = int((np.unique(ranking.scores) >= threshold).sum())
        if above:
            axes.plot(recall[above - 1], precision[above - 1], "o", color=color)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set_title(
        f"{title}, by relative face size\n(dots: score threshold {threshold:g})", fontsize=10, parse_math=False
    )
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="lower left", fontsize=9)
    figure.savefig(path, dpi=120)


def draw_reliability(measured: Calibration, path: Path, title: str) -> None:
    """Write a PNG: the share of detections that found a face against their mean score, bin by bin, over how many there
    are. On the diagonal a score is a probability; below it scores promise too much."""
    figure = Figure(figsize=(5.0, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    filled = [row for row in measured["bins"] if row["detections"]]
    upper.plot([0, 1], [0, 1], "--", color="tab:gray", linewidth=1)
    upper.plot([row["score"] for row in filled], [row["right"] for row in filled], "o-", color="tab:blue")
    upper.set(ylabel="share that found a face", xlim=(0, 1), ylim=(0, 1.01))
    error = "-" if measured["error"] is None else f"{measured['error']:.3f}"
    upper.set_title(f"{title}: expected calibration error {error}", fontsize=10, parse_math=False)
    middles = [(row["low"] + row["high"]) / 2 for row in filled]
    lower.bar(middles, [row["detections"] for row in filled], width=0.09, color="tab:blue", log=bool(filled))
    lower.set(xlabel="score", ylabel="detections")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
