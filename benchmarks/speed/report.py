"""The figures of latency.py as Markdown and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blazeface.evaluation.table import markdown_table

COLUMNS = {
    "median_ms": "median",
    "p95_ms": "p95",
    "cpu_ms": "CPU",
    "pre_ms": "before",
    "network_ms": "network",
    "post_ms": "after",
    "peak_mb": "peak MB",
}


def markdown(content: dict[str, Any]) -> str:
    about = content["machine"]
    lines = [
        "# Speed",
        f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}, {about['date']};"
        f" load average at the start {about['load_average_at_start']}. Written by `benchmarks/speed/latency.py`.",
        "",
    ]
    if about["busy"]:
        lines += ["**Provisional: the machine was busy with other work, so only a quiet run counts.**", ""]
    lines += [
        "A 1280 x 720 BGR picture in, boxes out; milliseconds; the contenders take turns. CPU is the processor time of all"
        " threads, which other work on the machine disturbs least. `before`, `network` and `after` are measured by"
        " themselves. MediaPipe chooses its own number of threads, on the cores that it is given.",
    ]
    for threads, found in content["threads"].items():
        rows = [
            [title, *(cell(row.get(column), 1 if column == "peak_mb" else 2) for column in COLUMNS)]
            for title, row in sorted(found.items(), key=lambda item: item[1]["median_ms"])
        ]
        lines += ["", f"## {threads} thread{'s' * (threads != '1')}, {threads} core{'s' * (threads != '1')}", ""]
        lines += [markdown_table(["", *COLUMNS.values()], rows)]
        for title, others in content["ratios"][threads].items():
            parts = [f"{value:.2f} of {other}" for other, value in others.items()]
            lines += ["", f"{title}: {', '.join(parts)}."] if parts else []
    rows = [
        [title, cell(row["import_s"], 2), cell(row["open_s"], 2), cell(row["install_mb"], 0), versions(row)]
        for title, row in content["starts"].items()
    ]
    lines += ["", "## Starting and installing", ""]
    lines += [markdown_table(["", "import s", "open s", "installed MB", "versions"], rows)]
    if content["missing"]:
        lines += ["", "## Missing", *(f"- {title}: {reason}" for title, reason in content["missing"].items())]
    return "\n".join(lines) + "\n"


def versions(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in row["versions"].items())


def cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def draw(content: dict[str, Any], path: Path) -> None:
    """Medians as bars, the 95th percentile as a line at their end; one panel for each number of threads."""
    from matplotlib.figure import Figure

    panels = content["threads"]
    height = 1.4 + 0.3 * max(len(found) for found in panels.values())
    figure = Figure(figsize=(6.4 * len(panels), height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (threads, found) in zip(axes, panels.items(), strict=True):
        rows = sorted(found.items(), key=lambda item: -item[1]["median_ms"])
        medians = [row["median_ms"] for _, row in rows]
        over = [max(row["p95_ms"] - row["median_ms"], 0) for _, row in rows]
        colors = ["tab:blue" if title.startswith("front-128") else "tab:gray" for title, _ in rows]
        axis.barh([title for title, _ in rows], medians, xerr=[[0] * len(rows), over], color=colors)
        axis.set(xscale="log", xlabel="milliseconds, median (line: to the 95th percentile)")
        axis.set_title(f"{threads} thread{'s' * (threads != '1')}", fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    if content["machine"]["busy"]:
        figure.suptitle("provisional: measured on a busy machine", fontsize=9)
    figure.savefig(path, dpi=110)
