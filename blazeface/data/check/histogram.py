"""The sizes of the labelled faces as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blazeface.data.check.counts import FaceSizes


def draw_sizes(splits: Sequence[tuple[str, FaceSizes]], path: Path) -> None:
    """Faces by their size in the input, one curve of steps a split, as a PNG. Imports matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    edges: list[float] = np.geomspace(0.5, 256, 37).tolist()
    for name, sizes in splits:
        if len(sizes.sizes):
            shares = np.full(len(sizes.sizes), 100 / len(sizes.sizes))
            label = f"{name}: {len(sizes.sizes):,} faces"
            axes.hist(
                np.clip(sizes.sizes, edges[0], edges[-1]),
                edges,
                weights=shares,
                histtype="step",
                lw=2,
                label=label,
            )
    if splits:
        sizes = splits[0][1]
        axes.axvline(sizes.learnable, color="grey", ls="--")
        text = f"not learnt from the whole\npicture below {sizes.learnable:.2g} px"
        axes.text(
            sizes.learnable * 0.94, axes.get_ylim()[1] * 0.97, text, ha="right", va="top", color="grey", fontsize=8
        )
        axes.set_xlabel(f"face size in pixels where the whole picture fills the input of {sizes.input_size} px")
    ticks = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    axes.set(xscale="log", ylabel="% of the faces", xticks=ticks, xticklabels=[str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right")
    figure.savefig(path, dpi=110, format="png")
    pyplot.close(figure)
