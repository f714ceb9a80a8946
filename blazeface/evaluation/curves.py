"""Precision against recall, as a picture. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from blazeface.evaluation.ap import precision_recall
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
    axes.set_title(f"{title}, by relative face size\n(dots: score threshold {threshold:g})", fontsize=10)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="lower left", fontsize=9)
    figure.savefig(path, dpi=120)
