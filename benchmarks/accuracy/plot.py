"""Draw benchmarks/results/accuracy.png: AP by relative face size, a line for each detector of the README's table."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmarks import RESULTS
from blazeface.files.staged import staged_file
from tools.results_table import load

BINS = (".05-.1", ".1-.2", ".2-.45", ">=.45")


def main() -> None:
    reports = load()
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for title, report in reports.items():
        ours = title.startswith("**")
        values = [report["figures"][f"AP {name}"] for name in BINS]
        axes.plot(
            BINS,
            values,
            "o-",
            label=title.replace("**", ""),
            linewidth=3 if ours else 1.2,
            alpha=1 if ours else 0.8,
        )
    axes.set(xlabel="face size over the picture's long side", ylabel="AP at IoU 0.5", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right")
    with staged_file(RESULTS / "accuracy.png") as part:
        figure.savefig(part, dpi=110)


if __name__ == "__main__":
    main()
