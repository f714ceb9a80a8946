"""How detectors do at the scores a user meets: one table of all, and a chart of recall against time.

    python -m benchmarks.accuracy.in_use

From the reports that benchmarks/accuracy/peers.py wrote, and, for the chart, benchmarks/results/speed.json. Writes
benchmarks/results/in_use.md and in_use.png; without a report or without speeds there is no chart.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import RESULTS
from benchmarks.peers.contenders import OURS, PEERS_TABLE
from blazeface.detector import WEIGHTS
from blazeface.evaluation.columns import KEYPOINTS
from blazeface.evaluation.table import HEADLINE_HEADINGS, headline_rows, markdown_table, number
from blazeface.files.staged import staged_file

Report = dict[str, Any]
HOUSES, ANIMALS = "houses", "animals and objects"
MADE_BY = ("YuNet_n", "CenterFace")
"""Detectors that made the labels of the crowds, so that their recall there is flattered."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Table and chart of recall in use.")
    parser.add_argument("--reports", type=Path, default=RESULTS / "peers", help="folder of NAME.report.json")
    parser.add_argument(
        "--speed", type=Path, default=RESULTS / "speed.json", help="what make benchmark-speed wrote"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "in_use.md")
    args = parser.parse_args()
    reports = load(args.reports)
    if not reports:
        print(
            f"in_use: {args.reports}: no report with a headline yet: make benchmark writes them", file=sys.stderr
        )
        return 0
    with staged_file(args.out) as part:
        part.write_text(markdown(reports), encoding="utf-8")
    if args.speed.is_file():
        speed = json.loads(args.speed.read_text(encoding="utf-8"))
        if timed(reports, speed):
            with staged_file(args.out.with_suffix(".png")) as part:
                draw(reports, speed, part)
    return 0


def load(folder: Path) -> dict[str, Report]:
    """Reports by title, ours first; those that were written before there was a headline are left out.

    Of a shipped model that has none among the folder's, the report that is shipped with it.
    """
    found = {}
    measured = any(folder.glob("*.report.json"))
    for peer in (*OURS, *PEERS_TABLE):
        path = folder / f"{peer.name}.report.json"
        if measured and peer in OURS and not path.is_file():
            path = WEIGHTS / path.name
        report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if "headline" in report:
            found[peer.title] = report
    return found


def markdown(reports: Mapping[str, Report]) -> str:
    """The headline, robustness, centred faces and calibration, a row a detector."""
    first = next(iter(reports.values()))["headline"]
    rows = [[_name(title), *headline_cells(report)] for title, report in reports.items()]
    heads = ["", "H >=.1", "H >=.05", "A >=.1", "A >=.05", "crowds H >=.05", "crowds A >=.05"]
    heads += ["AP .1-.2", "AP >=.1", "AP >=.05", "AP75 >=.1", "keypoints"]
    parts = [
        "# Recall in use",
        "Written by `benchmarks/accuracy/in_use.py` from the report of each detector; the rules are in docs/evaluation.md.",
        "",
        f"Recall at IoU 0.5 where {first['false_positives_per_thousand']} false positives are left in 1,000 pictures of houses (H) or of"
        " animals and objects (A); AP on the general faces and the houses. "
        + " and ".join(MADE_BY)
        + " made the labels of the crowds: there their rows are flattered.",
        "",
        markdown_table(heads, rows),
    ]
    hard = {title: report for title, report in reports.items() if report.get("robustness")}
    if hard:
        names = list(next(iter(hard.values()))["robustness"]["conditions"])
        lines = [
            [_name(title), *(number(report["robustness"]["conditions"][name]["recall"]) for name in names)]
            for title, report in hard.items()
        ]
        parts += [
            "",
            "## Harder pictures: recall >=.1 at the houses' threshold",
            "",
            markdown_table(["", *names], lines),
        ]
    lines = [[_name(title), *steadiness_cells(report)] for title, report in reports.items()]
    heads = [
        "",
        "astronaut lowest",
        "median",
        "faces of val lowest",
        "median",
        "clips over .5",
        "calibration error",
    ]
    parts += ["", "## A centred face, clips, calibration", "", markdown_table(heads, lines)]
    parts += ["", "## With intervals", ""]
    lines = [
        [f"{_name(title)}: {name}", *cells]
        for title, report in reports.items()
        for name, cells in headline_rows(report["headline"])
    ]
    parts += [markdown_table(["", *HEADLINE_HEADINGS], lines)]
    return "\n".join(parts) + "\n"


def headline_cells(report: Report) -> list[str]:
    """Recalls, APs and the keypoint error, a dash for what the data did not have."""
    recall = report["headline"]["recall"]

    def value(group: str, kind: str, at: str, size: str) -> float | None:
        found: float | None = recall.get(group, {}).get(kind, {}).get(at, {}).get(size)
        return found

    cells = [value("general", "recall", at, size) for at in (HOUSES, ANIMALS) for size in (">=.1", ">=.05")]
    cells += [value("crowds", "recall", at, ">=.05") for at in (HOUSES, ANIMALS)]
    cells += [value("general", "ap50", HOUSES, size) for size in (".1-.2", ">=.1", ">=.05")]
    cells += [value("general", "ap75", HOUSES, ">=.1"), report["figures"][KEYPOINTS]]
    return [number(cell) for cell in cells]


def steadiness_cells(report: Report) -> list[str]:
    """Lowest and median score of the centred faces, share of all clips' frames over .5, calibration error."""
    centred, clips = report.get("centred", {}), report.get("clips", {}).values()
    cells = [
        centred.get(name, {}).get(kind) for name in ("astronaut", "faces of val") for kind in ("lowest", "median")
    ]
    frames = sum(clip["frames"] for clip in clips)
    cells.append(sum(clip["over"] * clip["frames"] for clip in clips) / frames if frames else None)
    cells.append(report["calibration"]["error"])
    return [number(cell) for cell in cells]


def timed(reports: Mapping[str, Report], speed: Report) -> dict[str, float]:
    """Median milliseconds from picture to boxes, one thread, of the detectors that both were measured."""
    rows = speed["threads"].get("1", {})
    return {title: rows[title]["median_ms"] for title in reports if title in rows}


def draw(reports: Mapping[str, Report], speed: Report, path: Path) -> None:
    """Recall of general faces at the houses' threshold against time, faces >=.1 and >=.05; bars are 95 % intervals.

    The axis of recall is stretched by the share missed, so that .98 and .99 are as far apart as .8 and .9. Detectors are
    numbered by their time.
    """
    from matplotlib.figure import Figure

    times = dict(sorted(timed(reports, speed).items(), key=lambda item: item[1]))
    figure = Figure(figsize=(13.0, 5.2), layout="constrained")
    for axes, size in zip(figure.subplots(1, 2), (">=.1", ">=.05"), strict=True):
        for i, (title, milliseconds) in enumerate(times.items()):
            general = reports[title]["headline"]["recall"]["general"]
            recall = general["recall"].get(HOUSES, {}).get(size)
            if recall is None:
                continue
            low, high = general["intervals"].get(HOUSES, {}).get(size) or (recall, recall)
            color = _color(title)
            bars = [[max(recall - low, 0)], [max(high - recall, 0)]]
            axes.errorbar(
                milliseconds,
                recall,
                bars,
                fmt="o",
                color=color,
                markersize=13,
                elinewidth=1,
                label=f"{i + 1}  {title}",
            )
            axes.annotate(
                str(i + 1), (milliseconds, recall), color="white", fontsize=8, ha="center", va="center", zorder=9
            )
        axes.set_xscale("log")
        axes.set_xticks(ticks := [1, 2, 5, 10, 20, 50, 100, 200, 500], [str(tick) for tick in ticks])
        axes.set_xlim(0.8 * min(times.values()), 1.3 * max(times.values()))
        axes.set_yscale("function", functions=(_stretched, _recall))
        axes.set_yticks([0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])
        axes.set(xlabel="milliseconds, 1280 x 720 picture to boxes, one thread", ylabel="recall")
        axes.set_title(f"faces {size} of the picture's long side", fontsize=10)
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False)
    note = "; provisional: timed on a busy machine" if speed["machine"]["busy"] else ""
    figure.suptitle(f"Recall at 10 false positives in 1,000 pictures of houses{note}", fontsize=11)
    figure.savefig(path, dpi=110)


def _stretched(recall: Any) -> Any:
    """Grows by one where the share missed is halved."""
    return -np.log2(np.maximum(1 - np.asarray(recall), 1e-3))


def _recall(stretched: Any) -> Any:
    return 1 - 2.0 ** -np.asarray(stretched)


def _color(title: str) -> str:
    """Ours, those that made labels of the data, and the others."""
    if _name(title).startswith("**"):
        return "tab:blue"
    return "tab:orange" if title.startswith(MADE_BY) else "tab:gray"


def _name(title: str) -> str:
    """Ours in bold."""
    return f"**{title}**" if any(title == peer.title for peer in OURS) else title


if __name__ == "__main__":
    sys.exit(main())
