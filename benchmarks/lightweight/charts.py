"""The charts of docs/lightweight.md, from the same files as its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lightweight.classifiers import label
from benchmarks.lightweight.convolutions import CHANNELS, KERNELS, SIDES
from benchmarks.lightweight.figures import RUNTIMES, Found, milliseconds, multiplications, speedup


def draw_charts(found: Found, folder: Path, family: Sequence[str]) -> None:
    """Those whose figures are there: lightweight.png, classifiers.png, convolutions.png."""
    folder.mkdir(parents=True, exist_ok=True)
    charts: list[tuple[str, Figure]] = []
    if found.get("detectors") and found.get("latency") and found.get("cost"):
        charts.append(("lightweight.png", detectors(found, family)))
    if found.get("classifiers") and found.get("latency"):
        charts.append(("classifiers.png", classifiers(found)))
    if found.get("convolutions"):
        charts.append(("convolutions.png", convolutions(found["convolutions"]["milliseconds"])))
    for name, figure in charts:
        figure.savefig(folder / name, dpi=110)


def detectors(found: Found, family: Sequence[str]) -> Figure:
    """AP against time in both runtimes and against parameters; bars from the worst to the best seed."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for name in family:
        values = [row["figures"]["AP >=.05"] for row in found["detectors"] if row["model"] == name]
        if not values:
            continue
        places = [milliseconds(found["latency"], f"{name}.{suffix}") for suffix in RUNTIMES]
        places.append(found["cost"][name]["parameters"] / 1000)
        bars = [[mean(values) - min(values)], [max(values) - mean(values)]]
        for axis, place in zip(axes, places, strict=True):
            if place is not None:
                axis.errorbar(place, mean(values), bars, fmt="o", capsize=3, label=name.removesuffix("-128"))
    _named(axes, "thousand parameters", "AP of faces of a twentieth or more")
    return figure


def classifiers(found: Found) -> Figure:
    """Accuracy on the digits against time in both runtimes and against parameters."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for row in found["classifiers"]:
        places = [
            milliseconds(found["latency"], f"classify-{row['network']}-{row['width']:g}.{suffix}")
            for suffix in RUNTIMES
        ]
        places.append(row["parameters"] / 1000)
        for axis, place in zip(axes, places, strict=True):
            if place is not None:
                axis.plot(place, 100 * row["accuracy"], "o", label=label(row["network"], row["width"]))
    _named(axes, "thousand parameters", "% of the digits of val")
    return figure


def convolutions(times: Mapping[str, Mapping[str, float]]) -> Figure:
    """How many times as long the dense layers take as the separable ones, by channels; dashed, how many times as many
    multiplications they have."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    rows = figure.subplots(len(KERNELS), len(RUNTIMES), sharex=True, sharey="row")
    for line, kernel in zip(rows, KERNELS, strict=True):
        for axis, runtime in zip(line, RUNTIMES.values(), strict=True):
            for side in SIDES:
                gains = [speedup(times, runtime, kernel, side, channels) for channels in CHANNELS]
                axis.plot(CHANNELS, gains, "o-", label=f"{side} x {side}")
            fewer = [multiplications(kernel, channels) for channels in CHANNELS]
            axis.plot(CHANNELS, fewer, "--", color="tab:gray", label="by multiplications")
            axis.axhline(1, color="black", linewidth=0.8)
            axis.set(xscale="log", yscale="log", title=f"{kernel} x {kernel}, {runtime}")
            axis.set_xticks(CHANNELS, [str(channels) for channels in CHANNELS], minor=False)
            axis.minorticks_off()
            axis.set_yticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
            axis.grid(alpha=0.3)
        line[0].set_ylabel("times as fast as dense")
    for axis in rows[-1]:
        axis.set_xlabel("channels")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(SIDES) + 1)
    return figure


def _named(axes: Sequence[Axes], size: str, accuracy: str) -> None:
    for axis, runtime in zip(axes, RUNTIMES.values(), strict=False):
        axis.set_xlabel(f"{runtime}, ms on one thread")
    axes[-1].set_xlabel(size)
    axes[0].set_ylabel(accuracy)
    for axis in axes:
        axis.set_xlim(0, 1.05 * axis.dataLim.x1)
        axis.grid(alpha=0.3)
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
