"""search.json as tables and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blazeface.files.staged import staged_file


def markdown(result: dict[str, Any]) -> str:
    lines = ["## A street clip at several sizes", ""]
    lines += ["| width | detector | faces a frame | recall | precision | ms of one core |", "| --- " * 6 + "|"]
    for width, rows in result["street"].items():
        for name, row in rows.items():
            cells = (row.get(key) for key in ("faces_a_frame", "recall", "precision", "mean_cpu_ms"))
            shown = ["-" if value is None else f"{value:g}" for value in cells]
            lines.append(f"| {width} | {name} | " + " | ".join(shown) + " |")
    lines += ["", "## 100 faces of 20 pixels in 4000 x 3000", ""]
    lines += ["| model | min_face | found | wrong |", "| --- " * 4 + "|"]
    for name, row in result["photograph"].items():
        for key, counts in row.items():
            if key != "faces":
                lines.append(f"| {name} | {key} | {counts['found']} | {counts['wrong']} |")
    for name, rows in result["val"].items():
        columns = ("AP .05-.1", "AP >=.05", "AP >=.1")
        lines += ["", f"## {name} on val", "", "| pictures | count | " + " | ".join(columns) + " |"]
        lines.append("| --- " * (len(columns) + 2) + "|")
        for key, row in rows.items():
            shown = [f"{row[column]:.3f}" if column in row else "-" for column in columns]
            lines.append(f"| {key} | {row['pictures']} | " + " | ".join(shown) + " |")
    about = result["machine"]
    weights = ", ".join(f"{name} {digest}" for name, digest in result["weights"].items())
    lines += ["", f"Weights (SHA-256): {weights}."]
    if about:
        began = f"{about['date']}, load {about['load_average_at_start']} when it began"
        lines.append(f"Times: {about['cpu']}, {began}.")
    return "\n".join(lines) + "\n"


def draw_plot(result: dict[str, Any], path: Path) -> None:
    """Recall and time against the width of the frame."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    widths = list(map(int, result["street"]))
    for name in result["street"][str(widths[0])]:
        rows = [result["street"][str(width)][name] for width in widths]
        style = "--" if name in ("YuNet_n", "CenterFace") else "-"
        left.plot(widths, [row.get("recall", float("nan")) for row in rows], style, marker="o", label=name)
        right.plot(widths, [row.get("mean_cpu_ms", float("nan")) for row in rows], style, marker="o", label=name)
    left.set(xlabel="width of the frame, pixels", ylabel="recall of faces of 14 pixels or more", ylim=(0, 1.02))
    right.set(xlabel="width of the frame, pixels", ylabel="milliseconds a frame, one core", yscale="log")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(widths, map(str, widths))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    left.legend(fontsize=8)
    with staged_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
    pyplot.close(figure)
