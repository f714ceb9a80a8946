"""The charts of `cost`. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from blazeface.files.staged import staged_file, write_errors

if TYPE_CHECKING:
    from blazeface.models.cost import Cost

MOST_BARS = 150
"""Of a network with more layers, the costliest are drawn."""

KERNELS = (3, 5, 7)


def write_chart(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix. Raises BlazeFaceError where it cannot be written."""
    with write_errors(path), staged_file(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=110)


def draw_layers(cost: Cost, title: str) -> Figure:
    """A bar a layer, in the order in which they run: its multiply-accumulates and its parameters, as shares of the whole."""
    layers = [layer for layer in cost.layers if layer.macs]
    kept = sorted(sorted(range(len(layers)), key=lambda i: -layers[i].macs)[:MOST_BARS])
    layers = [layers[i] for i in kept]
    figure = Figure(figsize=(9, 1.6 + 0.19 * len(layers)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(layers))
    for axes, values, whole, what, color in (
        (left, [layer.macs for layer in layers], cost.macs, "MACs", "tab:blue"),
        (right, [layer.parameters for layer in layers], cost.parameters, "parameters", "tab:orange"),
    ):
        axes.barh(places, [100 * value / max(whole, 1) for value in values], color=color)
        axes.set_xlabel(f"% of {whole:,} {what}")
        axes.grid(axis="x", alpha=0.3)
    left.set_yticks(places, [f"{layer.name}  ({layer.kind})" for layer in layers], fontsize=7)
    left.invert_yaxis()
    left.margins(y=0.01)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_networks(costs: Mapping[str, Cost]) -> Figure:
    """A row a network, the cheapest in multiply-accumulates on top: these, parameters and activations, logarithmic."""
    names = sorted(costs, key=lambda name: (-costs[name].macs, name))
    figure = Figure(figsize=(9, 1.4 + 0.24 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(names))
    for what, marker in (("parameters", "s"), ("activations", "^"), ("macs", "o")):
        values = [max(getattr(costs[name], what), 1) for name in names]
        axes.plot(values, places, marker, label="MACs" if what == "macs" else what)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xscale("log")
    axes.margins(y=0.5 / max(len(names), 1))
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8)
    return figure


def draw_separable(about: Mapping[str, Any]) -> Figure:
    """What a separable convolution leaves of the multiplications, 1 / out + 1 / k^2, against the channels that go out; the
    point is the layer of `separable.figures`."""
    out, kernel = int(about["out"]), int(about["kernel"])
    widths = np.geomspace(1, max(1024, 2 * out), 200)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for side in sorted({*KERNELS, kernel}):
        (line,) = axes.plot(widths, 1 / widths + 1 / side**2, label=f"{side} x {side}")
        axes.axhline(1 / side**2, color=line.get_color(), linewidth=0.8, linestyle=":")
    axes.plot(out, about["ratio"], "o", color="black")
    axes.annotate(f"{about['ratio']:.4f}", (out, about["ratio"]), (6, 6), textcoords="offset points")
    axes.axhline(1, color="tab:gray", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="channels that go out", ylabel="MACs, separable / dense")
    axes.grid(alpha=0.3, which="both")
    axes.legend(title="kernel (dotted: 1 / k^2)", fontsize=8, title_fontsize=8)
    return figure
