"""Write the table of measured results into the README, from the shipped reports.

python docs/results_table.py            # rewrite README.md
python docs/results_table.py --check    # status 1 when README.md says something else
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- results: written by docs/results_table.py -->", "<!-- end of results -->"

REPORTS = {
    "**front-128** (this project, 128 px)": ROOT / "blazeface" / "weights" / "front-128.report.json",
    "MediaPipe short range, imported (128 px)": ROOT / "benchmarks" / "results" / "short-range.report.json",
    "MediaPipe full range dense, imported (192 px)": ROOT
    / "benchmarks"
    / "results"
    / "full-range-dense.report.json",
    "MediaPipe back camera, imported (256 px)": ROOT / "benchmarks" / "results" / "back-camera.report.json",
}
"""Row title and the report of `blazeface evaluate` behind it; a row without its report is left out."""


def table() -> str:
    """The table in Markdown: a row a model, a column a figure."""
    reports = {title: _load(path) for title, path in REPORTS.items() if path.exists()}
    names = list(next(iter(reports.values()))["figures"])
    lines = ["| model | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    for title, report in reports.items():
        lines.append(f"| {title} | " + " | ".join(_number(report["figures"][name]) for name in names) + " |")
    return "\n".join(lines)


def rewritten(readme: str) -> str:
    """The README with a fresh table between its markers."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _load(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        sys.exit(0 if rewritten(text) == text else "README.md: its results differ from the shipped reports")
    README.write_text(rewritten(text), encoding="utf-8")
